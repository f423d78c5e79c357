"""Fits within bounds, as users ask for them and read them."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataError, UnknownNameError

# At these bounds `x` and the level b of g are held.
BOUNDS = {"x": (0, None), "C(g)[T.b]": (None, 0.1), "z": (-5, 5)}
FAMILIES = {"linear": ("y", None), "poisson": ("count", "poisson"), "logit": ("yes", "binomial")}

# Errors of likelihoods are taken where the last step begins, which need not be the same place: 3e-9 at most.
ALIKE = 1e-8


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.normal(size=n) + 3,
            "g": draw.choice(list("abc"), n),
            "w": draw.uniform(0.5, 2, n),
            "s": draw.integers(0, 25, n),
        }
    )
    eta = -0.5 * frame["x"] + 0.5 * (frame["z"] - 3) + 0.8 * (frame["g"] == "b")
    frame["y"] = eta + draw.normal(size=n)
    frame["count"] = draw.poisson(np.exp(eta))
    frame["yes"] = (draw.uniform(size=n) < 1 / (1 + np.exp(-eta))).astype(float)
    return frame.assign(c=1.0 * (frame["g"] == "c"), held=0.1 * (frame["g"] == "b"))


@pytest.mark.parametrize("vcov", ["iid", "HC1", "HC3", "OPG", {"cluster": "s"}])
@pytest.mark.parametrize("model", FAMILIES)
def test_the_fit_is_that_of_the_other_columns(model: str, vcov, data) -> None:
    """Every number is that of the regression without the held columns, with what they contribute as offset."""
    response, family = FAMILIES[model]
    options = {"family": family, "vcov": vcov}
    fit = ft.fit(f"{response} ~ x + z + C(g)", data, bounds=BOUNDS, **options)
    other = ft.fit(f"{response} ~ z + c", data, offset="held", **options)
    assert (fit.params["x"], fit.params["C(g)[T.b]"]) == (0, 0.1)
    estimated = ["Intercept", "z", "C(g)[T.c]"]
    for name in ("params", "bse", "tvalues", "pvalues"):
        # A p-value of 1e-27 moves by the square of its statistic times what an error does.
        rtol = 1e-6 if name == "pvalues" else ALIKE
        np.testing.assert_allclose(getattr(fit, name)[estimated], getattr(other, name), rtol=rtol)
    covariance = fit.cov_params()
    np.testing.assert_allclose(covariance.loc[estimated, estimated], other.cov_params(), rtol=ALIKE)
    assert covariance.loc[["x", "C(g)[T.b]"]].isna().all(axis=None)
    assert covariance[["x", "C(g)[T.b]"]].isna().all(axis=None)
    for number in ("nobs", "df_model", "df_resid", "llf", "aic", "bic", "scale"):
        np.testing.assert_allclose(getattr(fit, number), getattr(other, number), rtol=1e-10)
    np.testing.assert_allclose(fit.fittedvalues, other.fittedvalues, rtol=ALIKE)
    new = data.head(5)
    np.testing.assert_allclose(fit.predict(new), other.predict(new), rtol=1e-10)
    np.testing.assert_allclose(
        fit.get_prediction(new).summary_frame(), other.get_prediction(new).summary_frame(), rtol=ALIKE
    )
    np.testing.assert_allclose(fit.conf_int().loc[estimated], other.conf_int(), rtol=ALIKE)


def test_of_linear_regressions(data) -> None:
    fit = ft.fit("y ~ x + z + C(g)", data, bounds=BOUNDS, weights="w", vcov="HC1")
    other = ft.fit("y ~ z + c", data, offset="held", weights="w", vcov="HC1")
    for number in ("rsquared", "rsquared_adj", "fvalue", "f_pvalue", "ssr", "ess", "condition_number"):
        np.testing.assert_allclose(getattr(fit, number), getattr(other, number), rtol=1e-10)
    np.testing.assert_allclose(fit.resid, other.resid, rtol=ALIKE, atol=1e-12)
    plain = [f.get_influence().summary_frame()[["hat_diag", "standard_resid"]] for f in (fit, other)]
    np.testing.assert_allclose(*plain, rtol=ALIKE)


@pytest.mark.parametrize("call", ["breusch_pagan", "white", "reset", "breusch_godfrey", "durbin_watson"])
def test_of_specification(call: str, data) -> None:
    """Auxiliary regressions have the columns that are not held."""
    fit = ft.fit("y ~ x + z + C(g)", data, bounds=BOUNDS)
    other = ft.fit("y ~ z + c", data, offset="held")
    mine, theirs = (np.atleast_1d(getattr(f, call)()) for f in (fit, other))
    if mine.ndim == 2:
        mine, theirs = (m[:, 1:].astype(float) for m in (mine, theirs))
    np.testing.assert_allclose(mine, theirs, rtol=1e-7)


@pytest.mark.parametrize("typ", [1, 2, 3])
@pytest.mark.parametrize("model", FAMILIES)
def test_analysis_of_variance(model: str, typ: int, data) -> None:
    response, family = FAMILIES[model]
    fit = ft.fit(f"{response} ~ x + z + C(g)", data, bounds=BOUNDS, family=family)
    other = ft.fit(f"{response} ~ z + c", data, offset="held", family=family)
    mine, theirs = (f.anova(typ=typ) for f in (fit, other))
    assert mine.loc["x", "df"] == 0
    np.testing.assert_allclose(mine.drop(index="x").astype(float), theirs.astype(float), rtol=1e-7)


@pytest.mark.parametrize("model", FAMILIES)
def test_resampling_of_the_other_columns(model: str, data) -> None:
    response, family = FAMILIES[model]
    fit = ft.fit(f"{response} ~ x + z + C(g)", data, bounds=BOUNDS, family=family)
    other = ft.fit(f"{response} ~ z + c", data, offset="held", family=family)
    mine, theirs = (f.jackknife().bse for f in (fit, other))
    np.testing.assert_allclose(mine[["Intercept", "z", "C(g)[T.c]"]], theirs, rtol=1e-8)


@pytest.mark.parametrize("model", FAMILIES)
def test_margins_hold_given_the_bound(model: str, data) -> None:
    response, family = FAMILIES[model]
    fit = ft.fit(f"{response} ~ x + z + C(g)", data, bounds=BOUNDS, family=family)
    other = ft.fit(f"{response} ~ z + c", data, offset="held", family=family)
    mine, theirs = (f.marginal_effects("z").summary_frame() for f in (fit, other))
    for column in ("dy/dx", "Std. Err.", "Conf. Int. Low"):
        np.testing.assert_allclose(mine[column], theirs[column], rtol=1e-8)


def test_notes_say_what_errors_are_conditional_on(data) -> None:
    one = ft.fit("y ~ x + z", data, bounds={"x": (0, None)})
    assert any(
        note
        == "`x` is at its bound 0; errors and tests of the others hold given that it is there (they do not account for "
        "the constraint)."
        for note in one.notes
    )
    assert "at its bound 0" in str(one.summary())
    two = ft.fit("y ~ x + z + C(g)", data, bounds={**BOUNDS, "z": (0.25, 0.25)})
    assert "Held by equal bounds: `z` = 0.25." in two.notes
    assert any(note.startswith("At a bound: `x` = 0, `C(g)[T.b]` = 0.1; errors") for note in two.notes)
    none = ft.fit("y ~ x + z", data, bounds={"x": (-9, 9)})
    assert "No coefficient is at its bound; the numbers are those of the fit without bounds." in none.notes
    assert not any("collinear" in note for note in (*one.notes, *two.notes, *none.notes))


@pytest.mark.parametrize("model", FAMILIES)
def test_bounds_that_do_not_bind(model: str, data) -> None:
    response, family = FAMILIES[model]
    formula = f"{response} ~ x + z + C(g)"
    fit, free = ft.fit(formula, data, bounds={"x": (-9, 9)}, family=family), ft.fit(formula, data, family=family)
    pd.testing.assert_series_equal(fit.params, free.params, check_exact=True)
    pd.testing.assert_series_equal(fit.bse, free.bse, check_exact=True)
    assert fit.llf == free.llf


def test_errors_name_the_coefficient(data) -> None:
    with pytest.raises(UnknownNameError, match=r"`C\(g\)\[b\]` is not a coefficient; did you mean `C\(g\)\[T.b\]`"):
        ft.fit("y ~ x + C(g)", data, bounds={"C(g)[b]": (0, 1)})
    with pytest.raises(DataError, match="bounds= of `x`: no number lies between 1 and 0"):
        ft.fit("y ~ x", data, bounds={"x": (1, 0)})
    with pytest.raises(DataError, match="bounds= maps names of coefficients"):
        ft.fit("y ~ x", data, bounds=(0, None))


def test_a_bounded_fit_is_kept_and_fitted_again(data) -> None:
    fit = ft.fit("y ~ x + z", data, bounds={"x": (0, None)})
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_series_equal(again.params, fit.params)
    assert again.predict(data.head(3)).tolist() == fit.predict(data.head(3)).tolist()
    updated = fit.update(". ~ . + C(g)")
    assert updated.params["x"] == 0


def test_nothing_is_left_to_estimate(data) -> None:
    fit = ft.fit("y ~ x - 1", data, bounds={"x": (0, None)})
    assert fit.params.tolist() == [0]
    assert (fit.df_model, fit.df_resid) == (0, len(data))
    np.testing.assert_allclose(fit.ssr, data["y"] @ data["y"], rtol=1e-12)
    assert "nan" in str(fit.summary())


def test_what_would_fit_without_the_prior_is_refused() -> None:
    fit = ft.fit("private ~ age + educ", ft.datasets.visits(), family="binomial", prior="firth")
    for refit in (fit.bootstrap, fit.jackknife):
        with pytest.raises(DataError, match="fits other rows or columns by likelihood alone"):
            refit()
    with pytest.raises(DataError, match="a likelihood ratio test"):
        fit.compare_lr_test(fit.update(". ~ . - educ"))
    with pytest.raises(DataError, match="analysis of deviance"):
        fit.anova()
    assert np.isfinite(fit.anova(test="Wald").to_numpy(dtype=float)).any()
