"""Hostile use of generalised linear models: input at the ends of what numbers can hold, and at those of what data say.

What must hold: a right number, or an error, a warning or NaN that says what is wrong; never a plausible wrong number.
"""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import ConvergenceWarning, DataError, FormulaTorchWarning, SeparationWarning
from formula_torch.solvers import scoring

ONE = {
    "poisson": "count",
    "binomial": "yes",
    "gamma": "amount",
    "inverse_gaussian": "amount",
    "quasipoisson": "count",
}
SEVERAL = {
    "negative_binomial": "count",
    "nb1": "count",
    "beta": "share",
    "zero_inflated_poisson": "count",
    "hurdle_negative_binomial": "count",
    "ordered_logit": "level",
    "multinomial": "level",
}
EVERY = {**ONE, **SEVERAL}


def close(a, b, rtol: float = 1e-8, atol: float = 1e-12) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=atol)


def quietly(formula, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FormulaTorchWarning)
        return ft.fit(formula, data, **options)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Responses of every kind, with nothing awkward about them."""
    draw = np.random.default_rng(7)
    n = 240
    x, z, g = draw.normal(size=n), draw.normal(size=n), draw.choice(list("abc"), n)
    mean = np.exp(0.5 + 0.4 * x)
    count = draw.negative_binomial(2, 2 / (2 + mean)) * (draw.random(n) > 0.25)
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "count": count,
            "yes": (draw.random(n) < 1 / (1 + np.exp(-x))).astype(int),
            "amount": draw.gamma(2, mean / 2),
            "share": draw.beta(2, 3, n),
            "level": pd.Categorical(draw.choice(["high", "low", "mid"], n), ordered=True),
            "w": draw.integers(1, 4, n),
        }
    )


# -- a perfect fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "gamma", "inverse_gaussian", "quasipoisson", ft.families.tweedie(1.5)])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_a_perfect_fit_is_told_and_has_no_tests(rows, family, scale, slope) -> None:
    data = rows.assign(y=scale * np.exp(slope * rows["x"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ft.fit("y ~ x + z", data, family=family, link="log")
        robust = fit.with_vcov("HC1")
    close(fit.params, [np.log(scale), slope, 0], atol=1e-11)
    assert fit.converged
    assert fit.scale == fit.deviance == 0
    for found in (fit, robust):
        assert (found.bse == 0).all()
        assert found.pvalues.isna().all()
    assert "The fit is perfect" in str(fit.summary())


@pytest.mark.parametrize("noise", [1e-6, 1e-9, 1e-11])
def test_next_to_no_dispersion_is_one(rows, noise) -> None:
    """Errors of a gamma with a log link are those of least squares of the logarithms, as the dispersion vanishes."""
    draw = np.random.default_rng(2)
    data = rows.assign(y=np.exp(3 + 0.2 * rows["x"]) * (1 + noise * draw.normal(size=len(rows))))
    fit = ft.fit("y ~ x + z", data, family="gamma", link="log")
    close(fit.bse, ft.fit("np.log(y) ~ x + z", data).bse, 1e-4)
    assert fit.converged


def test_as_many_coefficients_as_rows(rows) -> None:
    with pytest.warns(FormulaTorchWarning, match="leave no degrees of freedom") as caught:
        fit = ft.fit("amount ~ x", rows[:2], family="gamma", link="log")
    assert len(caught) == 1
    assert fit.bse.isna().all()
    assert fit.converged


# -- units of the response, of weights and of columns ---------------------------------------------------


@pytest.mark.parametrize("family", ["gamma", "inverse_gaussian"])
@pytest.mark.parametrize("unit", [1e-10, 1e10, 1e13])
def test_canonical_links_have_predictors_in_the_unit_of_the_response(rows, family, unit) -> None:
    fit = ft.fit("amount ~ g", rows, family=family)
    other = ft.fit("y ~ g", rows.assign(y=rows["amount"] * unit), family=family)
    close(other.tvalues, fit.tvalues)
    assert other.converged


@pytest.mark.parametrize("family", list(EVERY))
@pytest.mark.parametrize("weight", [1e-12])
def test_tiny_weights_do_not_end_the_climb_early(rows, family, weight) -> None:
    fit = quietly(f"{EVERY[family]} ~ x + g", rows, family=family)
    other = quietly(f"{EVERY[family]} ~ x + g", rows, family=family, weights=np.full(len(rows), weight))
    close(other.params, fit.params, 1e-7)
    if not getattr(fit.family, "dispersed", False):
        close(other.bse * np.sqrt(weight), fit.bse, 1e-7)


@pytest.mark.parametrize("family", list(EVERY))
@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_a_column_does_not_matter(rows, family, unit) -> None:
    fit = quietly(f"{EVERY[family]} ~ x + g", rows, family=family)
    other = quietly(f"{EVERY[family]} ~ x + g", rows.assign(x=rows["x"] * unit), family=family)
    close(other.tvalues, fit.tvalues, 1e-7)


@pytest.mark.parametrize("family", ["poisson", "binomial", "negative_binomial"])
def test_cubes_of_the_year(family) -> None:
    draw = np.random.default_rng(1)
    year = draw.integers(1950, 2020, 400).astype(float)
    mean = np.exp((year - 1985) / 30)
    data = {"year": year, "t": (year - 1985) / 20, "y": draw.negative_binomial(3, 3 / (3 + mean)).astype(float)}
    if family == "binomial":
        data["y"] = (data["y"] > 1).astype(float)
    years = ft.fit("y ~ year + I(year**2) + I(year**3)", data, family=family)
    scaled = ft.fit("y ~ t + I(t**2) + I(t**3)", data, family=family)
    close(years.tvalues["I(year ** 3)"], scaled.tvalues["I(t ** 3)"], 1e-7)
    close(years.llf, scaled.llf)


# -- rows far out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", [40.0, 100.0, 500.0])
def test_a_row_far_on_the_wrong_side_does_not_carry_the_others_away(rows, far) -> None:
    """In the limit its score is -1 whatever the coefficients, and its information nothing: checked by the gradient."""
    offset = np.zeros(len(rows))
    at = int(np.flatnonzero(rows["yes"] == 0)[0])
    offset[at] = far
    fit = ft.fit("yes ~ x", rows, family="binomial", offset=offset)
    columns = np.column_stack([np.ones(len(rows)), rows["x"]])
    residual = rows["yes"] - 1 / (1 + np.exp(-(columns @ fit.params.to_numpy() + offset)))
    close(columns.T @ residual, [0, 0], atol=1e-9)
    assert fit.converged


def test_an_outlier_against_the_rule(rows) -> None:
    draw = np.random.default_rng(3)
    x = draw.normal(size=4000)
    y = (draw.random(4000) < 1 / (1 + np.exp(-3 * x))).astype(float)
    x[0], y[0] = -60, 1
    fit = ft.fit("y ~ x", {"x": x, "y": y}, family="binomial")
    # statsmodels: Logit(y, [1, x]).fit(tol=1e-14).
    close(fit.params, [-0.00761444, 2.52874071], 1e-6)


@pytest.mark.parametrize("offset", [-500.0, 500.0])
@pytest.mark.parametrize("family", ["poisson", "binomial", "negative_binomial", "ordered_logit", "beta"])
def test_a_large_common_offset_moves_the_constant(rows, family, offset) -> None:
    fit = ft.fit(f"{EVERY[family]} ~ x", rows, family=family)
    other = ft.fit(f"{EVERY[family]} ~ x", rows, family=family, offset=np.full(len(rows), offset))
    close(other.params["x"], fit.params["x"], 1e-7)
    close(other.bse, fit.bse, 1e-6)
    close(other.llf, fit.llf, 1e-8)


def test_out_of_the_range_of_numbers_is_an_error_that_says_so(rows) -> None:
    offset = np.zeros(len(rows))
    offset[3] = 500
    with pytest.raises(DataError, match="leaves the range of numbers"):
        ft.fit("share ~ x", rows, family="beta", offset=offset)


# -- nothing to estimate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["poisson", "quasipoisson", "negative_binomial", "nb1", "zero_inflated_poisson"])
def test_counts_of_nothing_but_zeros(rows, family) -> None:
    with pytest.raises(DataError, match=r"`y` is (0|zero) in every row"):
        ft.fit("y ~ x", rows.assign(y=0), family=family)


@pytest.mark.parametrize("value", [0, 1])
def test_one_outcome(rows, value) -> None:
    with pytest.warns(SeparationWarning, match=f"is {value} in all 240 rows"):
        fit = ft.fit("y ~ x", rows.assign(y=value), family="binomial")
    assert fit.bse.isna().all()


def test_one_category_is_not_two(rows) -> None:
    with pytest.raises(DataError, match="is 'only' in all rows used"):
        ft.fit("y ~ x", rows.assign(y="only"), family="binomial")


def test_one_share_has_no_precision(rows) -> None:
    with pytest.raises(DataError, match="no precision to estimate"):
        ft.fit("y ~ x", rows.assign(y=0.5), family="beta")


@pytest.mark.parametrize("family", ["gamma", "inverse_gaussian"])
def test_without_any_mean_in_range(rows, family) -> None:
    with pytest.raises(DataError, match="every row has a mean in the range"):
        ft.fit("amount ~ 0 + x", rows, family=family)


@pytest.mark.parametrize("family", [3, ["binomial"], object()])
def test_what_is_no_family(rows, family) -> None:
    with pytest.raises(ValueError, match=r"family=.* is neither a name nor a family"):
        ft.fit("yes ~ x", rows, family=family)


# -- boundaries and infinities --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [7, 19, 25])
def test_next_to_no_overdispersion_has_errors(seed) -> None:
    """The logarithm of alpha is not determined; alpha itself, and the coefficients, are."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=80)
    data = {"x": x, "y": draw.poisson(np.exp(0.6 + 0.2 * x))}
    fit = ft.fit("y ~ x", data, family="negative_binomial")
    assert 0 < fit.params["alpha"] < 3e-3
    # As statsmodels' NegativeBinomial has them.
    assert 0.05 < fit.bse["alpha"] < 0.1
    close(fit.bse[["Intercept", "x"]], ft.fit("y ~ x", data, family="poisson").bse, 1e-2)


def test_separation_within_bounds_is_told(rows) -> None:
    data = rows.assign(y=(rows["x"] > 0).astype(int))
    with pytest.warns(SeparationWarning, match="`x`"):
        fit = ft.fit("y ~ x", data, family="binomial", bounds={"x": (0, None)})
    assert np.isnan(fit.bse["x"])
    held = ft.fit("y ~ x", data, family="binomial", bounds={"x": (0, 3)})
    assert held.params["x"] == 3
    assert np.isfinite(held.bse["Intercept"])


@pytest.mark.parametrize("family", ["poisson", "binomial", "negative_binomial", "multinomial", "ordered_logit"])
def test_what_is_infinite_has_no_tests(rows, family) -> None:
    response = EVERY[family]
    data = rows.copy()
    data.loc[data["g"] == "b", response] = 0 if response != "level" else "high"
    fit = quietly(f"{response} ~ x + g", data, family=family)
    name = next(term for term in fit.params.index if term.endswith("g[T.b]"))
    row = (fit.params.index == name).astype(float)
    assert np.isnan(fit.bse[name])
    for found in (fit, fit.with_vcov("HC1"), fit.with_vcov("HC0")):
        assert np.isnan(found.t_test(row).pvalue)
        assert np.isnan(found.wald_test(row[None]).pvalue)
        assert np.isnan(found.conf_int().loc[name]).all()


# -- weights that count, order of rows, repetition ------------------------------------------------------------------


@pytest.mark.parametrize("separated", [False, True])
@pytest.mark.parametrize("family", list(EVERY))
def test_counting_weights_are_repeated_rows(rows, family, separated) -> None:
    response, data = EVERY[family], rows.copy()
    if separated:
        if response in ("amount", "share"):
            pytest.skip("nothing separates such a response")
        data.loc[data["g"] == "b", response] = 0 if response != "level" else "high"
    repeated = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    counted = quietly(f"{response} ~ x + g", data, family=family, weights="w", weights_type="frequency", vcov="HC1")
    single = quietly(f"{response} ~ x + g", repeated, family=family, vcov="HC1")
    known = single.bse.notna()
    assert known.any()
    close(counted.params[known], single.params[known], 1e-6)
    close(counted.bse, single.bse, 1e-6)
    if not np.isnan(single.llf):
        close(counted.llf, single.llf)


@pytest.mark.parametrize("family", list(EVERY))
def test_fits_leave_no_trace_and_repeat_to_the_bit(rows, family) -> None:
    before, threads = rows.copy(), torch.get_num_threads()
    text = f"{EVERY[family]} ~ x + g"
    first, again = (quietly(text, rows, family=family) for _ in range(2))
    assert first.params.equals(again.params)
    assert first.bse.equals(again.bse)
    for kept in (pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        np.testing.assert_array_equal(kept.predict(rows[:5]), first.predict(rows[:5]))
    assert rows.equals(before)
    assert torch.get_num_threads() == threads


# -- many rows: a sample finds the start -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    draw = np.random.default_rng(9)
    n = 120_000
    x, g = draw.normal(size=n), draw.integers(0, 4, n)
    mean = np.exp(-1 + 0.4 * x + 0.2 * (g == 2))
    return pd.DataFrame({"x": x, "g": g, "count": draw.poisson(mean), "yes": (draw.random(n) < mean / (1 + mean)) * 1})


def sampled_and_not(monkeypatch, text, data, family):
    """The fit, and the fit that does not begin with a sample of the rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("ignore", SeparationWarning)
        fit = ft.fit(text, data, family=family)
        monkeypatch.setattr(scoring, "sampled", lambda *_: None)
        return fit, ft.fit(text, data, family=family)


EVERY_TENTH = slice(None, None, 10)


@pytest.mark.parametrize(("family", "response"), [("poisson", "count"), ("binomial", "yes")])
@pytest.mark.parametrize("case", ["as it is", "sorted", "zeros in the sample", "rare events", "outlier", "rare level"])
def test_a_sample_changes_nothing(many, monkeypatch, family, response, case) -> None:
    data, text = many.copy(), f"{response} ~ x + C(g)"
    if case == "sorted":
        data = data.sort_values([response, "x"])
    elif case == "zeros in the sample":
        data.loc[data.index[EVERY_TENTH], response] = 0
    elif case == "rare events":
        data[response] = 0
        data.loc[data.index[[11, 333, 5007, 70_001]], response] = 1
        text = f"{response} ~ x"
    elif case == "outlier":
        data.loc[5, "x"] = 1e6
    elif case == "rare level":
        data.loc[data.index[[11, 333]], "g"] = 9
        data.loc[data.index[[11, 333]], response] = 0
    fit, plain = sampled_and_not(monkeypatch, text, data, family)
    known = plain.bse.notna()
    assert fit.bse.notna().equals(known)
    close((fit.params - plain.params)[known] / plain.bse[known], np.zeros(known.sum()), atol=1e-8)
    close(fit.bse, plain.bse, 1e-7)
    close(fit.llf, plain.llf, 1e-12)
