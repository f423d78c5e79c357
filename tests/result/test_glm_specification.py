"""Tests of dispersion, link and calibration against R (AER, glm) and quantile residuals against statmod."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import formula_torch as ft
from formula_torch.errors import DataError
from formula_torch.inference.quantile_residuals import quantile_residuals

NAMES = [
    *("births_logit", "births_probit", "insurance_trials", "insurance_poisson", "ships_poisson", "ships_quasi"),
    *("affairs_quasi", "wages_gamma", "wages_inverse", "wages_ig"),
]


# -- dispersion -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["insurance_poisson", "ships_poisson"])
def test_dispersion_tests_equal_aer(name, glm_fit, r_says):
    says, fit = r_says[name]["dispersion"], glm_fit(name)
    table = fit.dispersion_test().set_index("test")
    for kind in ("NB1", "NB2"):
        row, key = table.loc[f"Cameron-Trivedi, {kind}"], kind.lower()
        expected = [says[key], says[f"{key}_p"], says[f"{key}_alpha"]]
        np.testing.assert_allclose(row[["statistic", "p_value", "estimate"]].astype(float), expected, rtol=1e-7)
    pearson = table.loc["Pearson"]
    np.testing.assert_allclose(pearson["p_value"], stats.chi2.sf(fit.pearson_chi2, fit.df_resid), rtol=1e-9)
    both = fit.dispersion_test("two-sided")
    np.testing.assert_allclose(both["p_value"].iloc[0], 2 * stats.norm.sf(abs(says["nb1"])), rtol=1e-7)
    np.testing.assert_allclose(fit.dispersion_test("less")["p_value"].iloc[0], 1 - says["nb1_p"], rtol=1e-7)


def test_dispersion_of_trials_and_frequencies(glm_fit, glm_frame):
    table = glm_fit("insurance_trials").dispersion_test()
    assert table["test"].tolist() == ["Pearson"]
    data = glm_frame("ships")
    counts = np.arange(len(data)) % 3 + 1
    fit = ft.fit("incidents ~ type", data, family="poisson", weights=counts, weights_type="frequency")
    repeated = ft.fit("incidents ~ type", data.loc[data.index.repeat(counts)], family="poisson")
    pd.testing.assert_frame_equal(fit.dispersion_test(), repeated.dispersion_test(), rtol=1e-9)


def test_dispersion_tests_refuse(glm_fit, glm_frame):
    with pytest.raises(DataError, match="quasipoisson family is estimated: it is scale"):
        glm_fit("ships_quasi").dispersion_test()
    with pytest.raises(DataError, match="cannot be overdispersed"):
        glm_fit("births_logit").dispersion_test()
    fit = ft.fit("incidents ~ type", glm_frame("ships"), family="poisson", weights="service")
    with pytest.raises(DataError, match="say nothing of the variance"):
        fit.dispersion_test()
    with pytest.raises(ValueError, match="'greater'"):
        glm_fit("ships_poisson").dispersion_test("larger")


# -- link and calibration -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_link_test_equals_a_fit_by_r(name, glm_fit, r_says):
    table = glm_fit(name).link_test()
    np.testing.assert_allclose(table["statistic"], r_says[name]["link"], rtol=2e-6)
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(table["statistic"])), rtol=1e-7)


def test_link_test_needs_a_predictor(glm_frame):
    data = glm_frame("birthwt")
    with pytest.raises(DataError, match="too few values"):
        ft.fit("low ~ smoke", data, family="binomial").link_test()


@pytest.mark.parametrize("name", ["births_logit", "births_probit"])
def test_hosmer_lemeshow_equals_r(name, glm_fit, r_says):
    for says in r_says[name]["hosmer"]:
        got = glm_fit(name).hosmer_lemeshow(says["groups"]).iloc[0]
        np.testing.assert_allclose([got["statistic"], got["df"]], [says["statistic"], says["df"]], rtol=1e-7)
        np.testing.assert_allclose(got["p_value"], stats.chi2.sf(says["statistic"], says["df"]), rtol=1e-6)


def test_calibration_counts_every_row(glm_fit, glm_frame):
    fit, data = glm_fit("births_logit"), glm_frame("birthwt")
    table = fit.calibration(8)
    assert table["n"].sum() == len(data)
    np.testing.assert_allclose(table["observed"].sum(), data["low"].sum())
    np.testing.assert_allclose(table["expected"].sum(), data["low"].sum())
    assert (table["high"].iloc[:-1].to_numpy() == table["low"].iloc[1:].to_numpy()).all()
    counts = np.arange(len(data)) % 3 + 1
    weighted = ft.fit("low ~ age", data, family="binomial", weights=counts, weights_type="frequency")
    repeated = ft.fit("low ~ age", data.loc[data.index.repeat(counts)], family="binomial")
    pd.testing.assert_frame_equal(weighted.calibration(5), repeated.calibration(5), rtol=1e-9)


def test_calibration_refuses(glm_fit, glm_frame):
    for name in ("insurance_trials", "ships_poisson"):
        with pytest.raises(DataError, match="outcomes that are 0 or 1"):
            glm_fit(name).hosmer_lemeshow()
    few = ft.fit("low ~ smoke", glm_frame("birthwt"), family="binomial")
    with pytest.raises(DataError, match="too few for this test"):
        few.hosmer_lemeshow()
    with pytest.raises(ValueError, match="at least 2"):
        few.calibration(1)


# -- quantile residuals ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["wages_gamma", "wages_inverse", "wages_ig"])
def test_quantile_residuals_of_densities_equal_statmod(name, glm_fit, r_says):
    rows = r_says[name]["influence"]["rows"]
    got = glm_fit(name).resid_quantile().iloc[rows]
    np.testing.assert_allclose(got, r_says[name]["quantile"], rtol=1e-6)


def test_quantile_residuals_of_counts_lie_within_their_steps(glm_fit, glm_frame):
    fit, y = glm_fit("ships_poisson"), glm_frame("ships")["incidents"]
    got, mu = fit.resid_quantile(seed=1), fit.fittedvalues
    assert got.index.equals(y.index)
    assert (got >= stats.norm.ppf(stats.poisson.cdf(y - 1, mu)) - 1e-9).all()
    assert (got <= stats.norm.ppf(stats.poisson.cdf(y, mu)) + 1e-9).all()
    assert got.equals(fit.resid_quantile(seed=1))
    assert not got.equals(fit.resid_quantile(seed=2))


def test_quantile_residuals_of_trials(glm_fit, glm_frame):
    data, fit = glm_frame("insurance"), glm_fit("insurance_trials")
    n, k, p = data["holders"], data["claims"], fit.fittedvalues
    got = fit.resid_quantile()
    assert (got >= stats.norm.ppf(stats.binom.cdf(k - 1, n, p)) - 1e-9).all()
    assert (got <= stats.norm.ppf(stats.binom.cdf(k, n, p)) + 1e-9).all()


@pytest.mark.parametrize("family", ["poisson", "binomial", "gamma", "gaussian", "inverse_gaussian"])
def test_quantile_residuals_are_normal_under_the_model(family):
    draw = np.random.default_rng(3)
    n, mu, phi = 20_000, draw.uniform(0.2, 0.8, 20_000), 0.4
    w = draw.integers(1, 5, n).astype(float) if family == "binomial" else np.ones(n)
    made = {
        "poisson": lambda: draw.poisson(mu),
        "binomial": lambda: draw.binomial(w.astype(int), mu) / w,
        "gamma": lambda: draw.gamma(1 / phi, mu * phi),
        "gaussian": lambda: draw.normal(mu, np.sqrt(phi)),
        "inverse_gaussian": lambda: draw.wald(mu, 1 / phi),
    }
    found = quantile_residuals(family, made[family]().astype(float), mu, phi, w, 0)
    assert stats.kstest(found, "norm", method="asymp").pvalue > 0.01


def test_far_tails_keep_their_digits():
    y, mu = np.array([60.0, 0.0, 200.0]), np.array([5.0, 300.0, 5.0])
    found = quantile_residuals("poisson", y, mu, 1.0, np.ones(3), 0)
    assert np.isfinite(found).all()
    assert found[0] > 13
    assert found[1] < -20
    assert found[2] > 30


def test_what_has_no_quantiles(glm_fit, glm_frame):
    with pytest.raises(DataError, match="no distribution function"):
        glm_fit("ships_quasi").resid_quantile()
    fit = ft.fit("incidents ~ type", glm_frame("ships"), family="poisson", weights="service")
    with pytest.raises(DataError, match="without weights"):
        fit.resid_quantile()
