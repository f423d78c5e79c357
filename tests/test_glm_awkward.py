"""Awkward input of generalized linear models: an error, a warning or a note that names it; never a plausible number."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import formula_torch as ft
from formula_torch.errors import DataError, FormulaError, FormulaTorchWarning


def close(a, b, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=1e-12)


@pytest.fixture
def rows() -> pd.DataFrame:
    """Two hundred rows with outcomes of several kinds; every level of `g` has successes, failures and counts."""
    draw = np.random.default_rng(11)
    x, g = draw.normal(size=200), draw.choice(["a", "b", "c"], 200)
    eta = 0.3 + 0.8 * x + 0.5 * (g == "b")
    yes = draw.random(200) < 1 / (1 + np.exp(-eta))
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "yes": yes,
            "y": yes.astype(int),
            "answer": np.where(yes, "yes", "no"),
            "count": draw.poisson(np.exp(0.5 * eta)),
            "amount": draw.gamma(2, np.exp(0.3 * eta)),
            "time": draw.uniform(0.5, 3, 200),
            "firm": np.arange(200) % 25,
        }
    )


# -- the response of a logit ------------------------------------------------------------------------


@pytest.mark.parametrize("response", ["yes", "answer"])
def test_the_last_level_is_the_success_and_the_summary_says_so(rows, response) -> None:
    fit = ft.fit(f"{response} ~ x + g", rows, family="binomial")
    close(fit.params, ft.fit("y ~ x + g", rows, family="binomial").params, 1e-14)
    level = "'yes'" if response == "answer" else "True"
    assert f"P({response} = {level})" in str(fit.summary())


def test_the_order_of_a_categorical_decides_which_level_is_the_last(rows) -> None:
    rows["answer"] = pd.Categorical(rows["answer"], ["yes", "no"])
    fit = ft.fit("answer ~ x + g", rows, family="binomial")
    close(fit.params, -ft.fit("y ~ x + g", rows, family="binomial").params)
    assert "P(answer = 'no')" in str(fit.summary())


def test_nullable_and_condition_responses_are_truth_values(rows) -> None:
    expected = ft.fit("y ~ x", rows, family="binomial").params
    close(ft.fit("yes ~ x", rows.astype({"yes": "boolean"}), family="binomial").params, expected, 1e-14)
    close(ft.fit("I(answer == 'yes') ~ x", rows, family="binomial").params, expected, 1e-14)


def test_three_levels_are_an_error(rows) -> None:
    with pytest.raises(FormulaError, match="`g` has 3 levels"):
        ft.fit("g ~ x", rows, family="binomial")


@pytest.mark.parametrize("other", ["poisson", "gamma", "gaussian"])
def test_categories_are_no_numbers(rows, other) -> None:
    with pytest.raises(FormulaError, match="`answer` holds categories"):
        ft.fit("answer ~ x", rows, family=other, link="log")


def test_an_outcome_of_zero_and_two_is_an_error(rows) -> None:
    rows["z"] = 2 * rows["y"]
    with pytest.raises(DataError, match=rf"`z` lies outside 0 to 1 in {rows['y'].sum()} rows"):
        ft.fit("z ~ x", rows, family="binomial")


def test_one_and_two_are_an_error_too(rows) -> None:
    rows["z"] = rows["y"] + 1
    with pytest.raises(DataError, match="`z` lies outside 0 to 1"):
        ft.fit("z ~ x", rows, family="binomial")


def test_negative_successes_are_an_error(rows) -> None:
    rows["failures"] = 3 - rows["count"]
    with pytest.raises(DataError, match="negative in"):
        ft.fit("cbind(count, failures) ~ x", rows, family="binomial")


def test_rows_without_trials_leave(rows) -> None:
    rows["failures"] = 1
    rows.loc[:4, ["count", "failures"]] = 0
    fit = ft.fit("cbind(count, failures) ~ x + g", rows, family="binomial")
    close(fit.params, ft.fit("cbind(count, failures) ~ x + g", rows[5:], family="binomial").params)
    assert fit.nobs == 195


def test_shares_with_trials_equal_rows_of_zero_and_one(rows) -> None:
    """Also where every cell has a coefficient: the dispersion is not estimated, and errors need no freedom."""
    cells = rows.groupby("g", as_index=False).agg(share=("y", "mean"), trials=("y", "size"))
    fit = ft.fit("share ~ g", cells, family="binomial", weights="trials")
    single = ft.fit("y ~ g", rows, family="binomial")
    close(fit.params, single.params)
    close(fit.bse, single.bse)


# -- counts and amounts -------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["poisson", "quasipoisson"])
def test_negative_counts_are_an_error(rows, family) -> None:
    rows.loc[[3, 8], "count"] = -1
    with pytest.raises(DataError, match=r"`count` is negative in 2 rows \(first: -1\)"):
        ft.fit("count ~ x", rows, family=family)


def test_counts_that_are_not_whole_are_a_note(rows) -> None:
    rows["count"] = rows["count"].astype(float)
    rows.loc[3, "count"] = 2.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ft.fit("count ~ x", rows, family="poisson")
    assert "`count` is not a whole number in 1 rows" in str(fit)


@pytest.mark.parametrize("family", ["gamma", "inverse_gaussian"])
@pytest.mark.parametrize("value", [0.0, -2.0])
def test_amounts_are_positive(rows, family, value) -> None:
    rows.loc[7, "amount"] = value
    with pytest.raises(DataError, match="`amount` is zero or negative in 1 rows"):
        ft.fit("amount ~ x", rows, family=family, link="log")


def test_infinite_responses_are_an_error(rows) -> None:
    rows.loc[7, "amount"] = np.inf
    with pytest.raises(DataError, match="amount"):
        ft.fit("amount ~ x", rows, family="gamma", link="log")


# -- separation ---------------------------------------------------------------------------------------


def fit_and_message(formula, data, **options):
    with pytest.warns(FormulaTorchWarning) as caught:
        fit = ft.fit(formula, data, **options)
    return fit, " ".join(str(warning.message) for warning in caught)


def assert_lost(fit, names) -> None:
    for name in names:
        assert np.isnan(fit.bse[name])
        assert np.isnan(fit.pvalues[name])
        assert np.isnan(fit.conf_int().loc[name]).all()


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_separation_by_a_number(rows, link) -> None:
    rows["y"] = (rows["x"] > 0.2).astype(int)
    fit, message = fit_and_message("y ~ x", rows, family="binomial", link=link)
    assert "`x`" in message
    assert_lost(fit, ["x"])
    assert "nan" in str(fit.summary()).lower()


def test_separation_by_a_combination_of_columns(rows) -> None:
    rows["z"] = np.random.default_rng(5).normal(size=200)
    rows["y"] = (rows["x"] + rows["z"] > 0.1).astype(int)
    fit, message = fit_and_message("y ~ x + z", rows, family="binomial")
    assert "`x`" in message
    assert "`z`" in message
    assert_lost(fit, ["x", "z"])


@pytest.mark.parametrize("value", [0, 1])
def test_a_level_with_one_outcome_leaves_the_others_as_without_its_rows(rows, value) -> None:
    rows.loc[rows["g"] == "c", "y"] = value
    fit, message = fit_and_message("y ~ x + g", rows, family="binomial")
    assert "`g[T.c]`" in message
    assert_lost(fit, ["g[T.c]"])
    others = ft.fit("y ~ x + g", rows[rows["g"] != "c"], family="binomial")
    close(fit.params[others.params.index], others.params, 1e-6)
    close(fit.bse[others.params.index], others.bse, 1e-6)
    close(fit.llf, others.llf)


@pytest.mark.parametrize("family", ["poisson", "quasipoisson"])
def test_a_level_with_only_zeros(rows, family) -> None:
    rows.loc[rows["g"] == "c", "count"] = 0
    fit, message = fit_and_message("count ~ x + g", rows, family=family)
    assert "`g[T.c]`" in message
    assert_lost(fit, ["g[T.c]"])
    others = ft.fit("count ~ x + g", rows[rows["g"] != "c"], family=family)
    close(fit.params[others.params.index], others.params, 1e-6)
    close(fit.deviance, others.deviance, 1e-6)
    assert (fit.fittedvalues[rows["g"] == "c"] < 1e-6).all()


def test_the_reference_level_with_only_zeros_takes_the_constant_along(rows) -> None:
    rows.loc[rows["g"] == "a", "count"] = 0
    fit, message = fit_and_message("count ~ x + g", rows, family="poisson")
    assert "`Intercept`" in message or "`g" in message
    assert_lost(fit, ["Intercept", "g[T.b]", "g[T.c]"])
    assert np.isfinite(fit.bse["x"])
    others = ft.fit("count ~ x + g", rows[rows["g"] != "a"], family="poisson")
    close(fit.params["x"], others.params["x"], 1e-6)
    close(fit.bse["x"], others.bse["x"], 1e-6)


def test_robust_errors_do_not_hide_separation(rows) -> None:
    rows.loc[rows["g"] == "c", "y"] = 0
    fit, _ = fit_and_message("y ~ x + g", rows, family="binomial", vcov="HC1")
    assert_lost(fit, ["g[T.c]"])
    assert_lost(fit.with_vcov({"cluster": "firm"}), ["g[T.c]"])


def test_a_strong_effect_is_no_separation(rows) -> None:
    """One row on the wrong side is enough for a maximum."""
    rows["y"] = (rows["x"] > 0).astype(int)
    rows.loc[rows["x"].idxmin(), "y"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ft.fit("y ~ x", rows, family="binomial")
    assert np.isfinite(fit.bse).all()


def test_zeros_in_a_level_with_one_count_are_no_separation(rows) -> None:
    rows.loc[rows["g"] == "c", "count"] = 0
    rows.loc[rows.index[rows["g"] == "c"][0], "count"] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ft.fit("count ~ g", rows, family="poisson")
    close(np.exp(fit.params["Intercept"] + fit.params["g[T.c]"]), 1 / (rows["g"] == "c").sum())


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_separation_is_seen_at_any_unit(rows, scale) -> None:
    rows["y"] = (rows["x"] > 0.2).astype(int)
    rows["x"] *= scale
    _, message = fit_and_message("y ~ x", rows, family="binomial")
    assert "`x`" in message


# -- conventions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "response"), [("binomial", "y"), ("poisson", "count"), ("gamma", "amount")])
def test_hc1_has_n_over_n_less_k(rows, family, response) -> None:
    fit = ft.fit(f"{response} ~ x + g", rows, family=family)
    ratio = fit.with_vcov("HC1").bse / fit.with_vcov("HC0").bse
    close(ratio, np.sqrt(200 / (200 - 4)), 1e-12)


def test_tests_are_of_the_normal_and_with_clusters_of_t(rows) -> None:
    fit = ft.fit("count ~ x", rows, family="poisson")
    close(fit.pvalues, 2 * stats.norm.sf(np.abs(fit.params / fit.bse)))
    clustered = fit.with_vcov({"cluster": "firm"})
    close(clustered.pvalues, 2 * stats.t.sf(np.abs(fit.params / clustered.bse), 24))


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_x_does_not_matter(rows, unit) -> None:
    fit = ft.fit("y ~ x + g", rows, family="binomial")
    other = ft.fit("y ~ x + g", rows.assign(x=rows["x"] * unit), family="binomial")
    close(other.tvalues, fit.tvalues)
    close(other.params["x"] * unit, fit.params["x"])


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_the_unit_of_a_positive_response_does_not_matter(rows, unit) -> None:
    fit = ft.fit("amount ~ x + g", rows, family="gamma", link="log")
    other = ft.fit("amount ~ x + g", rows.assign(amount=rows["amount"] * unit), family="gamma", link="log")
    close(other.params["x"], fit.params["x"])
    close(other.bse, fit.bse)


def test_a_large_shift_of_x_costs_no_digits(rows) -> None:
    fit = ft.fit("y ~ x", rows, family="binomial")
    rows["x"] = np.round(rows["x"] * 2**20) / 2**20
    fit, other = (ft.fit("y ~ x", data, family="binomial") for data in (rows, rows.assign(x=rows["x"] + 2.0**20)))
    close(other.params["x"], fit.params["x"])
    close(other.bse["x"], fit.bse["x"])


# -- weights, offset, exposure ------------------------------------------------------------------------


def test_rows_of_zero_weight_leave(rows) -> None:
    rows["w"] = (rows.index % 4 != 0).astype(float)
    fit = ft.fit("count ~ x + g", rows, family="poisson", weights="w")
    kept = ft.fit("count ~ x + g", rows[rows["w"] > 0], family="poisson")
    close(fit.params, kept.params)
    close(fit.bse, kept.bse)
    assert fit.nobs == kept.nobs == 150


def test_negative_weights_are_an_error(rows) -> None:
    rows["w"] = rows["x"]
    with pytest.raises(DataError, match="weights"):
        ft.fit("count ~ g", rows, family="poisson", weights="w")


def test_exposure_needs_a_log_link(rows) -> None:
    with pytest.raises(ValueError, match="exposure"):
        ft.fit("count ~ x", rows, family="poisson", link="sqrt", exposure="time")


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_exposure_is_positive(rows, value) -> None:
    rows.loc[3, "time"] = value
    with pytest.raises(DataError, match=r"time|exposure"):
        ft.fit("count ~ x", rows, family="poisson", exposure="time")


def test_missing_exposure_drops_the_row(rows) -> None:
    rows.loc[3, "time"] = np.nan
    fit = ft.fit("count ~ x", rows, family="poisson", exposure="time")
    assert fit.nobs == 199
    close(fit.params, ft.fit("count ~ x", rows.dropna(), family="poisson", exposure="time").params, 1e-12)


def test_exposure_is_an_offset_of_its_logarithm(rows) -> None:
    rows["log_time"] = np.log(rows["time"])
    exposed = ft.fit("count ~ x + g", rows, family="poisson", exposure="time")
    for other in (
        ft.fit("count ~ x + g", rows, family="poisson", offset="log_time"),
        ft.fit("count ~ x + g + offset(log(time))", rows, family="poisson"),
        ft.fit("count ~ x + g", rows, family="poisson", exposure=rows["time"].to_numpy()),
    ):
        close(other.params, exposed.params, 1e-12)
        close(other.null_deviance, exposed.null_deviance)


def test_new_rows_bring_their_exposure(rows) -> None:
    fit = ft.fit("count ~ x", rows, family="poisson", exposure="time")
    new = pd.DataFrame({"x": [0.0, 1.0], "time": [1.0, 2.0]})
    close(fit.predict(new), np.exp(fit.params["Intercept"] + fit.params["x"] * new["x"]) * new["time"], 1e-12)
    with pytest.raises((DataError, FormulaError), match="time"):
        fit.predict(new[["x"]])


def test_an_array_of_exposure_is_asked_for_again(rows) -> None:
    fit = ft.fit("count ~ x", rows, family="poisson", exposure=rows["time"].to_numpy())
    with pytest.raises(DataError, match="exposure"):
        fit.predict(pd.DataFrame({"x": [0.0]}))
    close(fit.predict(pd.DataFrame({"x": [0.0]}), exposure=[2.0]), 2 * np.exp(fit.params["Intercept"]), 1e-12)


# -- prediction, results ------------------------------------------------------------------------------


def test_missing_values_in_new_rows_are_kept_as_missing(rows) -> None:
    fit = ft.fit("y ~ x + g", rows, family="binomial")
    new = pd.DataFrame({"x": [0.0, np.nan], "g": ["a", "b"]}, index=["p", "q"])
    assert list(fit.predict(new).isna()) == [False, True]
    assert list(fit.get_prediction(new).summary_frame()["mean_se"].isna()) == [False, True]


def test_an_unseen_level_is_an_error(rows) -> None:
    fit = ft.fit("y ~ g", rows, family="binomial")
    with pytest.raises(DataError, match="d"):
        fit.predict({"g": ["a", "d"]})


def test_intervals_of_probabilities_stay_between_zero_and_one(rows) -> None:
    fit = ft.fit("y ~ x", rows, family="binomial")
    bounds = fit.get_prediction({"x": [-40.0, 0.0, 40.0]}).conf_int()
    assert ((bounds >= 0) & (bounds <= 1)).all()


def test_missing_rows_are_counted(rows) -> None:
    rows.loc[[1, 2], "x"] = np.nan
    assert "2 of 200 rows dropped (x: 2)" in str(ft.fit("y ~ x", rows, family="binomial"))


def test_dependent_columns_have_no_coefficient(rows) -> None:
    rows["twice"] = 2 * rows["x"]
    fit, message = fit_and_message("y ~ x + twice + g", rows, family="binomial")
    assert "`twice`" in message
    assert np.isnan(fit.params["twice"])
    plain = ft.fit("y ~ x + g", rows, family="binomial")
    close(fit.params[plain.params.index], plain.params)
    close(fit.bse[plain.params.index], plain.bse)
    assert fit.df_model == plain.df_model


def test_unknown_families_and_links_list_the_known_ones(rows) -> None:
    with pytest.raises(ValueError, match="'poisson'"):
        ft.fit("count ~ x", rows, family="possion")
    with pytest.raises(ValueError, match="'cloglog'"):
        ft.fit("y ~ x", rows, family="binomial", link="logti")


def test_a_link_without_a_family_is_the_normal_one(rows) -> None:
    fit = ft.fit("amount ~ x", rows, link="log")
    close(fit.params, ft.fit("amount ~ x", rows, family="gaussian", link="log").params, 1e-12)


def test_the_normal_family_is_least_squares(rows) -> None:
    fit, ols = ft.fit("amount ~ x + g", rows, family="gaussian"), ft.fit("amount ~ x + g", rows)
    close(fit.params, ols.params, 1e-13)
    close(fit.bse, ols.bse, 1e-13)


def test_a_pickle_is_small_and_works(rows) -> None:
    fit = ft.fit("y ~ x + g", rows, family="binomial", vcov="HC1")
    raw = pickle.dumps(fit)
    again = pickle.loads(raw)
    assert len(raw) < 50_000
    close(again.params, fit.params, 1e-15)
    close(again.predict(rows[:3]), fit.predict(rows[:3]), 1e-15)
    assert str(again.summary()) == str(fit.summary())


def test_later_changes_of_the_data_do_not_reach_the_fit(rows) -> None:
    fit = ft.fit("y ~ x", rows, family="binomial")
    expected = ft.fit("y ~ x", rows.copy(), family="binomial").with_vcov("HC3").bse
    rows["x"] = 0.0
    close(fit.with_vcov("HC3").bse, expected, 1e-14)


def test_repeated_fits_are_bitwise_equal(rows) -> None:
    one, two = (ft.fit("count ~ x + g", rows, family="poisson") for _ in range(2))
    assert (one.params == two.params).all()
    assert (one.bse == two.bse).all()


def test_no_rows_and_few_rows(rows) -> None:
    with pytest.raises(DataError, match="no rows"):
        ft.fit("y ~ x", rows[:0], family="binomial")
    with pytest.warns(FormulaTorchWarning):
        fit = ft.fit("amount ~ x", rows[:2], family="gamma", link="log")
    assert np.isnan(fit.bse).all()
