"""At extremes a fit has the right number, or a message that names the cause."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.optimize import minimize

import formula_torch as ft
import formula_torch.smf as smf
from formula_torch.errors import ConvergenceWarning, DataError, SeparationWarning
from formula_torch.families.generalized import resolve_generalized


@pytest.fixture
def rows() -> pd.DataFrame:
    draw = np.random.default_rng(7)
    n = 240
    frame = pd.DataFrame({"x": draw.normal(size=n), "g": draw.choice(list("abcd"), n), "h": draw.choice(["u", "v"], n)})
    coin = (draw.random(n) < 0.5) * 1.0
    return frame.assign(
        coin=coin,
        share=draw.uniform(0.1, 0.9, n),
        trials=draw.integers(1, 9, n).astype(float),
        count=draw.poisson(np.exp(0.3 + 0.4 * frame.x)).astype(float),
        low=np.where(frame.g == "c", 0.0, coin),
        first=np.where(frame.g == "a", 1.0, coin),
        none=np.where(frame.g == "a", 0.0, draw.poisson(2, n)),
    )


def doubles(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def quietly(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ft.fit(*args, **options)


# -- shares without trials --------------------------------------------------------------------------------------


def test_shares_without_trials_are_a_note(rows) -> None:
    fit = ft.fit("share ~ x", rows, family="binomial")
    (note,) = fit.notes
    assert note.startswith(f"`share` is neither 0 nor 1 in 240 rows (first: {rows.share[0]:g})")
    assert "weights=" in note
    assert "quasibinomial" in note
    assert note in str(fit.summary())


@pytest.mark.parametrize("kind", ["frequency", "sampling"])
def test_weights_that_are_no_trials_do_not_excuse_shares(rows, kind) -> None:
    rows.loc[3:, "share"] = rows["coin"]
    fit = ft.fit("share ~ x", rows, family="binomial", weights="trials", weights_type=kind)
    assert "`share` is neither 0 nor 1 in 3 rows" in fit.notes[0]


def test_trials_that_make_no_whole_counts_are_a_note(rows) -> None:
    whole = rows.assign(share=np.round(rows.share * rows.trials) / rows.trials)
    assert not ft.fit("share ~ x", whole, family="binomial", weights="trials").notes
    whole.loc[4, "share"] = 0.123
    (note,) = ft.fit("share ~ x", whole, family="binomial", weights="trials").notes
    assert f"in 1 rows (first: {0.123 * rows.trials[4]:g} of {rows.trials[4]:g})" in note
    # Zeros and ones with weights that are no trials.
    (note,) = ft.fit("coin ~ x", rows.assign(w=1.5), family="binomial", weights="w").notes
    assert "weights_type='sampling'" in note
    assert not ft.fit("coin ~ x", rows.assign(w=1.5), family="binomial", weights="w", weights_type="sampling").notes


def test_where_shares_are_sensible_nothing_is_said(rows) -> None:
    assert not ft.fit("share ~ x", rows, family="quasibinomial").notes
    assert not ft.fit("share ~ x", rows, family="quasibinomial", weights="trials").notes
    assert not ft.fit("coin ~ x", rows, family="binomial").notes
    assert not ft.fit("cbind(count, trials) ~ x", rows, family="binomial").notes
    # Rounding of shares with many trials is none of the user's.
    many = rows.assign(trials=1e9 + rows.trials)
    many["share"] = np.round(many.share * many.trials) / many.trials
    assert not ft.fit("share ~ x", many, family="binomial", weights="trials").notes


# -- separation beside a bound ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_separation_is_looked_for_beside_a_bound_that_holds(rows, family) -> None:
    y = "low" if family == "binomial" else "none"
    level = "g[T.c]" if family == "binomial" else None
    with pytest.warns(SeparationWarning, match=r"g\[T\.c\]") as seen:
        fit = ft.fit(f"{y} ~ x + g", rows, family=family, bounds={"x": (2.0, 3.0)})
    assert fit.params["x"] == 2.0
    # Firth's prior does not go with bounds.
    assert "firth" not in str(seen[0].message)
    infinite = [level] if level else ["Intercept", "g[T.b]", "g[T.c]", "g[T.d]"]
    assert fit.bse.index[fit.bse.isna()].tolist() == sorted({*infinite, "x"}, key=list(fit.params.index).index)
    part = rows[rows.g != ("c" if family == "binomial" else "a")].assign(o=lambda d: 2 * d.x)
    other = ft.fit(f"{y} ~ g", part, family=family, offset="o")
    assert fit.llf == pytest.approx(other.llf, rel=1e-9)
    if level:
        assert_allclose(fit.bse[["Intercept", "g[T.b]"]], other.bse[["Intercept", "g[T.b]"]], rtol=1e-7)


def test_a_bound_alone_is_no_separation(rows) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = ft.fit("coin ~ x + g", rows, family="binomial", bounds={"x": (2.0, 3.0)})
    assert fit.bse.drop("x").notna().all()


# -- Firth's estimate of one outcome ------------------------------------------------------------------------------

X = np.array([-1.5, -0.2, 0.3, 0.9, 1.4, 2.2, -0.7, 0.1])


@pytest.mark.parametrize(
    ("family", "value", "params"),
    [
        ("poisson", 0.0, [-2.122148762937138, 0.112159739074053]),
        ("binomial", 0.0, [-2.2183720679414001, 0.0583840614766303]),
        ("binomial", 1.0, [2.2183720679414001, -0.0583840614766303]),
    ],
)
def test_firth_of_one_outcome_is_that_of_r(family, value, params) -> None:
    # glm(rep(value, 8) ~ x, family, method = "brglmFit", type = "MPL_Jeffreys", epsilon = 1e-13, maxit = 1000)
    fit = ft.fit("y ~ x", {"x": X, "y": np.full(8, value)}, family=family, prior="firth")
    assert_allclose(fit.params, params, rtol=1e-9)
    assert fit.converged
    assert fit.bse.notna().all()
    assert fit.llnull == 0


def test_firth_of_no_events_with_an_offset_is_the_penalised_maximum(rows) -> None:
    data = rows[:60].assign(y=0.0, o=np.linspace(-1, 1, 60))
    fit = ft.fit("y ~ x + h", data, family="poisson", offset="o", prior="firth")
    design = np.column_stack([np.ones(60), data.h == "v", data.x]).astype(float)

    def fall(b: np.ndarray) -> float:
        mean = np.exp(design @ b + data.o.to_numpy())
        return float(mean.sum() - np.linalg.slogdet(design.T @ (mean[:, None] * design))[1] / 2)

    best = minimize(fall, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 9999})
    assert_allclose(fit.params[["Intercept", "h[T.v]", "x"]], best.x, atol=1e-6)
    assert fit.null_deviance == 0


def test_firth_of_a_constant_is_half_an_event() -> None:
    fit = ft.fit("y ~ 1", {"y": np.zeros(20)}, family="poisson", prior="firth")
    assert fit.params["Intercept"] == pytest.approx(np.log(0.5 / 20), rel=1e-12)
    with pytest.raises(DataError, match="is 0 in every row"):
        ft.fit("y ~ 1", {"y": np.zeros(20)}, family="poisson")


# -- offsets far away -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "link", "y", "far"),
    [("poisson", "log", "count", 500.0), ("gamma", "log", "share", 500.0), ("poisson", "log", "count", 100.0)],
)
def test_an_offset_that_no_coefficients_follow_is_named(rows, family, link, y, far) -> None:
    rows["o"] = np.where(rows.index == 3, far, 0.0)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            fit = ft.fit(f"{y} ~ x", rows, family=family, link=link, offset="o")
        except DataError as error:
            said = [str(error)]
        else:
            assert not fit.converged
            said = [str(w.message) for w in seen]
    assert len(said) == 1
    assert f"The offset is {far:g} in the 4. of the rows used and 0 in the middle" in said[0]


def test_an_offset_is_not_blamed_for_the_response(rows) -> None:
    rows["o"] = np.where(rows.index == 3, 500.0, 0.0)
    with pytest.raises(DataError, match="is 0 in every row"):
        ft.fit("y ~ x", rows.assign(y=0), family="poisson", offset="o")
    rows["o"] = np.where(rows.index == 3, 5.0, 0.0)
    assert ft.fit("count ~ x", rows, family="poisson", offset="o").converged


# -- the edge of the mean's range -----------------------------------------------------------------------------------


def test_the_log_likelihood_at_the_edge_is_its_limit() -> None:
    x, y = np.arange(10.0), np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 6.0])
    with pytest.warns(ConvergenceWarning, match="edge of the means"):
        fit = ft.fit("y ~ x", {"x": x, "y": y}, family="poisson", link="identity")
    mean = 21 / 45 * x
    inner = ft.fit("y ~ 0 + x", {"x": x[1:], "y": y[1:]}, family="poisson", link="identity")
    assert fit.llf == pytest.approx(inner.llf, abs=1e-7)
    assert fit.llf == pytest.approx(inner.llf - mean[0], abs=1e-7)
    assert fit.deviance == pytest.approx(inner.deviance, abs=1e-7)
    assert np.isfinite(fit.resid_deviance).all()
    assert np.isfinite(quietly("y ~ x", {"x": x, "y": y}, family="quasipoisson", link="identity").scale)


@pytest.mark.parametrize("link", ["identity", "log"])
def test_the_log_likelihood_of_shares_at_the_edge_is_finite(link) -> None:
    data = {"x": np.arange(1.0, 7), "y": np.array([0, 0, 1, 0, 1, 1.0])}
    fit = quietly("y ~ x", data, family="binomial", link=link)
    assert fit.fittedvalues.max() == pytest.approx(1, abs=1e-9)
    mean = fit.fittedvalues.to_numpy()[:-1]
    expected = np.sum(np.log(np.where(data["y"][:-1] == 1, mean, 1 - mean)))
    assert fit.llf == pytest.approx(expected, abs=1e-8)


def test_deviances_have_their_limits_at_the_ends_of_the_range_and_none_beyond() -> None:
    counts = resolve_generalized("poisson", "identity")
    found = counts.deviance(doubles(0, 0, 0, 2, 1), doubles(0, -1e-12, -0.5, 0, 1))
    assert_allclose(found, [0.0, 0.0, np.nan, np.inf, 0.0])
    shares = resolve_generalized("binomial", "identity")
    found = shares.deviance(doubles(1, 0, 1, 0), doubles(1 + 1e-12, 0, 1.2, 1))
    assert_allclose(found, [0.0, 0.0, np.nan, np.inf])
    # A climb stays inside, where there is information.
    assert bool(counts.pieces(doubles(0), doubles(0))[0].isnan())
    logit = resolve_generalized("binomial", "logit")
    assert logit.deviance(doubles(0, 1), doubles(-np.inf, np.inf)).tolist() == [0.0, 0.0]


# -- predictions beside infinite estimates --------------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["iid", "HC0", "HC3"])
@pytest.mark.parametrize(
    ("family", "link", "y", "level"),
    [
        ("binomial", "logit", "low", "c"),
        ("binomial", "probit", "first", "a"),
        ("poisson", "log", "none", "a"),
    ],
)
def test_rows_that_no_infinite_estimate_moves_have_errors(rows, family, link, y, level, vcov) -> None:
    """Those of the fit without the separated rows, also where every coefficient of the level is infinite."""
    fit = quietly(f"{y} ~ g + x", rows, family=family, link=link, vcov=vcov)
    inside = (rows.g != level).to_numpy()
    part = ft.fit(f"{y} ~ g + x", rows[inside], family=family, link=link, vcov=vcov)
    found, other = fit.get_prediction(), part.get_prediction()
    assert np.isnan(found.se_mean[~inside]).all()
    assert_allclose(found.se_mean[inside], other.se_mean, rtol=1e-8)
    assert_allclose(found.conf_int()[inside], other.conf_int(), rtol=1e-8)
    new = {"g": ["b", level, "d"], "x": [0.5, 0.5, -3.0]}
    errors = fit.get_prediction(new).se_linpred
    assert np.isnan(errors).tolist() == [False, True, False]
    kept = {"g": ["b", "d"], "x": [0.5, -3.0]}
    assert_allclose(errors[[0, 2]], part.get_prediction(kept).se_linpred, rtol=1e-8)
    bands = fit.get_prediction(new).simultaneous_bands()
    assert bands["lower"].isna().tolist() == [False, True, False]


def test_errors_of_rows_beside_two_infinite_estimates_and_a_bound(rows) -> None:
    rows["y"] = np.where(rows.g == "a", 1.0, np.where(rows.g == "b", 0.0, rows.coin))
    inside = rows.g.isin(["c", "d"]).to_numpy()
    part = rows[inside]
    fit = quietly("y ~ g * h + x", rows, family="binomial")
    other = ft.fit("y ~ g * h + x", part, family="binomial")
    assert fit.receding.shape == (4, len(fit.params))
    assert_allclose(fit.get_prediction().se_mean[inside], other.get_prediction().se_mean, rtol=1e-8)
    assert np.isnan(fit.get_prediction().se_mean[~inside]).all()
    bounded = quietly("y ~ g + x", rows, family="binomial", bounds={"x": (1.0, 2.0)})
    given = ft.fit("y ~ g", part.assign(o=part.x), family="binomial", offset="o")
    assert_allclose(bounded.get_prediction().se_mean[inside], given.get_prediction().se_mean, rtol=1e-8)


def test_of_one_outcome_no_row_has_an_error(rows) -> None:
    fit = quietly("y ~ x", rows.assign(y=1), family="binomial")
    assert np.isnan(fit.get_prediction().se_mean).all()


def test_errors_of_rows_need_no_rows_of_the_fit(rows) -> None:
    new = {"g": ["b", "c"], "x": [0.5, 0.5]}
    fit = quietly("low ~ g + x", rows, family="binomial", vcov="HC1")
    kept = fit.remove_data().get_prediction(new).se_mean
    assert_allclose(kept, fit.get_prediction(new).se_mean, rtol=1e-12)


# -- what smf can advise ----------------------------------------------------------------------------------------------


def test_smf_advises_what_there_is(rows) -> None:
    with pytest.warns(SeparationWarning, match=r"ft\.fit\(\.\.\., prior='firth'\) gives finite estimates"):
        smf.logit("low ~ g + x", rows).fit(disp=0)
