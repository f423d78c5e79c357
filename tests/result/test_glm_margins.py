"""Margins of generalised linear models against statsmodels' get_margeff, numerical derivatives, and trials unfolded."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import formula_torch as ft
from formula_torch.errors import DataError

FORMULA = "private ~ age + educ + actlim + chronic"
PEERS = {
    "logit": (smf.logit, FORMULA, {"family": "binomial"}),
    "probit": (smf.probit, FORMULA, {"family": "binomial", "link": "probit"}),
    "poisson": (smf.poisson, "drvisits ~ age + educ + private + chronic", {"family": "poisson"}),
}


@pytest.fixture(scope="module")
def data(visits) -> pd.DataFrame:
    return visits.iloc[:600].reset_index(drop=True)


@pytest.fixture(scope="module")
def pairs(data):
    def of(name):
        make, formula, options = PEERS[name]
        fit, peer = ft.fit(formula, data, **options), make(formula, data).fit(disp=0, tol=1e-14, maxiter=100)
        # Its probit has errors from the observed information, ours from the expected one.
        return fit.with_vcov(peer.cov_params()[list(fit.names)].loc[list(fit.names)]) if name == "probit" else fit, peer

    return {name: of(name) for name in PEERS}


def same(got, expected, tolerance=1e-7):
    np.testing.assert_allclose(got.margeff, expected.margeff, rtol=tolerance, atol=1e-12)
    np.testing.assert_allclose(got.margeff_se, expected.margeff_se, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("method", ["dydx", "eyex", "dyex", "eydx"])
@pytest.mark.parametrize("at", ["overall", "mean", "median", "zero"])
@pytest.mark.parametrize("name", PEERS)
def test_slopes_equal_statsmodels(name, at, method, pairs):
    fit, peer = pairs[name]
    same(fit.get_margeff(at=at, method=method), peer.get_margeff(at=at, method=method))


@pytest.mark.parametrize("method", ["dydx", "eydx"])
@pytest.mark.parametrize("at", ["overall", "mean"])
@pytest.mark.parametrize("name", PEERS)
def test_differences_equal_statsmodels(name, at, method, pairs):
    fit, peer = pairs[name]
    same(fit.get_margeff(at=at, method=method, dummy=True), peer.get_margeff(at=at, method=method, dummy=True))
    if name == "poisson":
        got = fit.get_margeff(at=at, method=method, dummy=True, count=True)
        same(got, peer.get_margeff(at=at, method=method, dummy=True, count=True))


@pytest.mark.parametrize("name", ["logit", "poisson"])
def test_robust_errors_are_those_of_the_fit(name, data, pairs):
    make, formula, _ = PEERS[name]
    peer = make(formula, data).fit(disp=0, tol=1e-14, maxiter=100, cov_type="HC0")
    same(pairs[name][0].with_vcov("HC0").get_margeff(), peer.get_margeff(), 1e-6)


# -- by differences -------------------------------------------------------------------------------

LINKS = [("binomial", link, "private ~ age * educ + chronic") for link in ("logit", "probit", "cloglog", "cauchit")]
LINKS += [
    ("poisson", "log", "drvisits ~ age * private + log(educ + 1)"),
    ("gamma", "inverse", "I(drvisits + 1) ~ age + chronic"),
    ("quasipoisson", "sqrt", "drvisits ~ age + chronic"),
]


@pytest.mark.parametrize(("family", "link", "formula"), LINKS)
def test_derivatives_by_differences(family, link, formula, data):
    fit = ft.fit(formula, data, family=family, link=link, vcov="HC1")
    effects = fit.marginal_effects("age")

    def average(shift, params):
        design = fit.recipe.apply(data.assign(age=data["age"] + shift))
        return float(fit.family.mean(design.linear_predictor(params)).mean())

    def derivative(function, h):
        return (8 * (function(h) - function(-h)) - function(2 * h) + function(-2 * h)) / (12 * h)

    def slope(params):
        return derivative(lambda h: average(h, params), 1e-2)

    b, errors = fit.params.to_numpy(), fit.bse.to_numpy()
    np.testing.assert_allclose(effects.margeff[0], slope(b), rtol=1e-7)
    # Steps in standard errors, as coefficients have their units.
    gradient = np.array([derivative(lambda h, e=e: slope(b + h * e), 1e-2) for e in np.diag(errors)]) / errors
    expected = np.sqrt(gradient @ fit.cov_params().to_numpy() @ gradient)
    np.testing.assert_allclose(effects.margeff_se[0], expected, rtol=1e-5)


def test_levels_are_differences_of_predictions(data):
    fit = ft.fit("private ~ age + C(actlim) + educ", data, family="binomial")
    table = fit.marginal_effects("actlim").table
    one, zero = (fit.predict(data.assign(actlim=level)).mean() for level in (1, 0))
    np.testing.assert_allclose(table["estimate"], [one - zero])
    means = fit.average_predictions(at={"actlim": [0, 1]}).table
    np.testing.assert_allclose(means["estimate"], [zero, one])
    z = means["estimate"] / means["std_error"]
    np.testing.assert_allclose(means["p_value"], 2 * stats.norm.sf(z), rtol=1e-8)


# -- exposure and offsets -------------------------------------------------------------------------


def test_an_exposure_by_name_is_a_variable(glm_frame):
    data = glm_frame("insurance")
    fit = ft.fit("claims ~ district + age", data, family="poisson", exposure="holders")
    np.testing.assert_allclose(fit.average_predictions().margeff[0], data["claims"].mean())
    # The mean is proportional to it.
    np.testing.assert_allclose(fit.marginal_effects("holders", method="eyex").margeff, [1.0])
    per_holder = fit.marginal_effects("holders").margeff[0]
    np.testing.assert_allclose(per_holder, (fit.fittedvalues / data["holders"]).mean())
    one = fit.average_predictions(at={"holders": 1}, by="district").table
    direct = fit.predict(data.assign(holders=1)).groupby(data["district"]).mean()
    np.testing.assert_allclose(one["estimate"], direct)


@pytest.mark.parametrize("what", ["exposure", "offset"])
def test_arrays_are_those_of_the_rows(what, glm_frame):
    data = glm_frame("insurance")
    values = data["holders"].to_numpy(float) if what == "exposure" else np.log(data["holders"].to_numpy(float))
    named = ft.fit("claims ~ district + engine", data, family="poisson", exposure="holders")
    fit = ft.fit("claims ~ district + engine", data, family="poisson", **{what: values})
    for by in (None, "age"):
        ours, theirs = (f.marginal_effects("engine", by=by).table for f in (fit, named))
        np.testing.assert_allclose(ours["estimate"], theirs["estimate"])
        np.testing.assert_allclose(ours["std_error"], theirs["std_error"])
    with pytest.raises(DataError, match=f"with an array as {what}"):
        fit.marginal_effects("engine", newdata=data)
    np.testing.assert_allclose(
        named.average_predictions(newdata=data.iloc[:9]).margeff[0], named.fittedvalues.iloc[:9].mean()
    )


def test_a_subset_takes_its_own_exposures(glm_frame):
    data = glm_frame("insurance")
    values = data["holders"].to_numpy(float)
    part = data["age"] != "a25"
    fit = ft.fit("claims ~ district", data, family="poisson", exposure=values, subset=part.to_numpy())
    np.testing.assert_allclose(fit.average_predictions().margeff[0], data.loc[part, "claims"].mean())


# -- trials ---------------------------------------------------------------------------------------


def test_trials_are_averaged_over_as_their_outcomes(glm_frame):
    data = glm_frame("insurance")
    formula = "cbind(claims, others) ~ district + engine"
    grouped = ft.fit(formula, data, family="binomial")
    share = data.assign(share=data["claims"] / data["holders"])
    weighted = ft.fit("share ~ district + engine", share, family="binomial", weights="holders")
    rows = np.repeat(np.arange(len(data)), data["holders"])
    outcome = np.concatenate([np.r_[np.ones(c), np.zeros(o)] for c, o in data[["claims", "others"]].to_numpy()])
    unfolded = data.iloc[rows].assign(y=outcome)
    single = ft.fit("y ~ district + engine", unfolded, family="binomial")
    for got in (grouped, weighted):
        ours, theirs = got.marginal_effects().table, single.marginal_effects().table
        np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-8)
        np.testing.assert_allclose(ours["std_error"], theirs["std_error"], rtol=1e-8)
        ours, theirs = (f.average_predictions(by="age").table for f in (got, single))
        np.testing.assert_allclose(ours["estimate"], theirs["estimate"], rtol=1e-8)
    np.testing.assert_allclose(grouped.average_predictions().margeff[0], data["claims"].sum() / data["holders"].sum())


def test_frequency_weights_are_repeated_rows(data):
    counts = np.random.default_rng(0).integers(1, 4, len(data))
    fit = ft.fit(FORMULA, data, family="binomial", weights=counts, weights_type="frequency")
    repeated = ft.fit(FORMULA, data.loc[data.index.repeat(counts)], family="binomial")
    for name in ("marginal_effects", "get_margeff"):
        ours, theirs = getattr(fit, name)(), getattr(repeated, name)()
        np.testing.assert_allclose(ours.margeff, theirs.margeff, rtol=1e-9)
        np.testing.assert_allclose(ours.margeff_se, theirs.margeff_se, rtol=1e-9)
