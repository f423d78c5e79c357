"""Models beside one another, and tests of each against a smaller one, against R and statsmodels."""

from __future__ import annotations

import json
import pickle
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, InferenceWarning

REFERENCE = Path(__file__).parent / "reference" / "anova"
RECORDS = json.loads((REFERENCE / "anova.json").read_text())["models"]
TOLERANCE = 1e-8
SMALL, LARGE = "mpg ~ wt", "mpg ~ wt * hp + C(cyl)"
COLUMNS = ["model", "nobs", "df_model", "df_resid", "llf", "aic", "bic", "r_squared", "sigma", "delta_aic"]


@cache
def frame(name):
    return pd.read_csv(REFERENCE / f"{name}.csv")


def fitted(record):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)
        return [ft.fit(f, frame(record["data"]), weights=record["weights"]) for f in record["formulas"]]


def label(record):
    return f"{record['data']}: {record['formulas'][-1]}{' weighted' * bool(record['weights'])}"


# -- R --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS, ids=label)
def test_statistics_as_r(record) -> None:
    table = ft.compare(*fitted(record))
    assert list(table.columns) == COLUMNS
    llf, aic, bic, sigma, r_squared = np.array(record["ic"]).T
    np.testing.assert_allclose(table["llf"], llf, rtol=TOLERANCE)
    # R counts the error variance among the parameters.
    np.testing.assert_allclose(table["aic"] + 2, aic, rtol=TOLERANCE)
    np.testing.assert_allclose(table["bic"] + np.log(table["nobs"]), bic, rtol=TOLERANCE)
    np.testing.assert_allclose(table["sigma"], sigma, rtol=TOLERANCE)
    np.testing.assert_allclose(table["r_squared"], r_squared, rtol=TOLERANCE, atol=1e-12)
    np.testing.assert_allclose(table["delta_aic"], aic - aic.min(), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("record", RECORDS, ids=label)
def test_likelihood_ratios_as_lmtest(record) -> None:
    table = ft.compare(*fitted(record), test="LR")
    expected = np.array(record["lr"])
    found = table.loc[1:, ["df_diff", "statistic", "p_value"]]
    np.testing.assert_allclose(found.iloc[:, :2], np.column_stack([np.diff(table["df_model"]), expected[:, 1]]))
    np.testing.assert_allclose(found["p_value"], expected[:, 2], rtol=TOLERANCE)
    assert table.loc[0, ["df_diff", "statistic", "p_value"]].isna().all()


@pytest.mark.parametrize("record", RECORDS[:2], ids=label)
def test_wald_as_waldtest(record) -> None:
    for kind, expected in record["robust"].items():
        fits = [fit.with_vcov(kind) for fit in fitted(record)]
        table = ft.compare(*fits, test="Wald").loc[1:, ["df_diff", "statistic", "p_value"]]
        np.testing.assert_allclose(table, expected, rtol=TOLERANCE)


# -- statsmodels ----------------------------------------------------------------------------------


def pair(vcov="iid", weights=None):
    cars = frame("mtcars")
    ours = [ft.fit(f, cars, weights=weights, vcov=vcov) for f in (SMALL, LARGE)]
    cov_type = "nonrobust" if vcov == "iid" else vcov
    # From arrays: statsmodels' compare_lm_test fails on the Series of its formula interface with pandas 3.
    models = [smf.ols(f, cars) for f in (SMALL, LARGE)]
    w = 1.0 if weights is None else cars[weights].to_numpy()
    return ours, [sm.WLS(model.endog, model.exog, weights=w).fit(cov_type=cov_type) for model in models]


@pytest.mark.parametrize("weights", [None, "qsec"])
def test_comparisons_as_statsmodels(weights) -> None:
    (small, large), (small_sm, large_sm) = pair(weights=weights)
    for name in ("compare_f_test", "compare_lr_test", "compare_lm_test"):
        statistic, p, df = getattr(large, name)(small)
        np.testing.assert_allclose((statistic, p, df), tuple(getattr(large_sm, name)(small_sm)), rtol=TOLERANCE)
    expected = tuple(large_sm.compare_lr_test(small_sm, large_sample=True))
    np.testing.assert_allclose(large.compare_lr_test(small, large_sample=True), expected, rtol=TOLERANCE)


@pytest.mark.parametrize("weights", [None, "qsec"])
@pytest.mark.parametrize("vcov", ["HC0", "HC1", "HC3"])
@pytest.mark.parametrize("options", [{}, {"demean": False}, {"use_lr": True}])
def test_robust_scores_as_statsmodels(vcov, weights, options) -> None:
    (small, large), (small_sm, large_sm) = pair(vcov, weights)
    expected = large_sm.compare_lm_test(small_sm, **options)
    np.testing.assert_allclose(large.compare_lm_test(small, **options), expected, rtol=TOLERANCE)


def test_robust_fits_are_told_what_f_assumes() -> None:
    (small, large), _ = pair("HC1")
    for name in ("compare_f_test", "compare_lr_test"):
        with pytest.warns(InferenceWarning, match="assumes one error variance") as caught:
            test = getattr(large, name)(small)
        assert caught[0].filename == __file__
        assert test == getattr(large.with_vcov("iid"), name)(small.with_vcov("iid"))


def test_scores_refuse_what_they_cannot_take() -> None:
    cars = frame("mtcars")
    small, large = (ft.fit(f, cars, vcov={"cluster": "carb"}) for f in (SMALL, LARGE))
    with pytest.raises(DataError, match=r"HC0 to HC5, not .*compare_wald_test"):
        large.compare_lm_test(small)


# -- what must hold -------------------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["iid", "HC3", {"cluster": "carb"}])
def test_wald_is_the_test_of_the_coefficients(vcov) -> None:
    cars = frame("mtcars")
    large = ft.fit("mpg ~ wt + hp + qsec", cars, vcov=vcov)
    for small, hypothesis in (
        ("mpg ~ wt", "hp = qsec = 0"),
        ("mpg ~ I(wt + hp) + qsec", "wt = hp"),
        ("mpg ~ wt + offset(0.5 * qsec)", "hp = 0, qsec = 0.5"),
        ("mpg ~ hp + I(qsec - 2 * wt)", "wt + 2 * qsec = 0"),
    ):
        test = large.compare_wald_test(ft.fit(small, cars))
        expected = large.f_test(hypothesis)
        np.testing.assert_allclose(test, (expected.fvalue, expected.pvalue, expected.df_num), rtol=TOLERANCE)
    chi2 = ft.fit("mpg ~ wt + hp + qsec", cars, vcov=vcov, use_t=False).compare_wald_test(ft.fit("mpg ~ wt", cars))
    assert chi2.pvalue == pytest.approx(stats.chi2.sf(chi2.statistic, 2), rel=1e-12)


def test_one_variance_makes_wald_and_f_the_same() -> None:
    (small, large), _ = pair(weights="qsec")
    np.testing.assert_allclose(large.compare_wald_test(small), large.compare_f_test(small), rtol=TOLERANCE)


def test_frequency_weights_are_repeated_rows() -> None:
    cars = frame("mtcars")
    repeated = cars.loc[cars.index.repeat(cars["carb"])]
    for vcov in ("iid", "HC1"):
        counted = [
            ft.fit(f, cars, weights="carb", weights_type="frequency", vcov=vcov) for f in ("mpg ~ wt", "mpg ~ wt + hp")
        ]
        plain = [ft.fit(f, repeated, vcov=vcov) for f in ("mpg ~ wt", "mpg ~ wt + hp")]
        for test in ("LM", "Wald"):
            ours, theirs = (ft.compare(*fits, test=test).iloc[:, 1:] for fits in (counted, plain))
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_names() -> None:
    (small, large), _ = pair()
    assert ft.compare(small, large)["model"].tolist() == [SMALL, LARGE]
    assert ft.compare({"a": small, "b": large})["model"].tolist() == ["a", "b"]
    assert ft.compare(small)["delta_aic"].tolist() == [0.0]


def test_life_without_rows() -> None:
    (small, large), _ = pair()
    stored = [pickle.loads(pickle.dumps(fit)) for fit in (small, large)]
    for test in (None, "F", "LR", "LM"):
        pd.testing.assert_frame_equal(ft.compare(*stored, test=test), ft.compare(small, large, test=test))
    with pytest.raises(DataRemovedError):
        ft.compare(*stored, test="Wald")


def test_what_does_not_compare() -> None:
    (small, large), _ = pair()
    cars = frame("mtcars")
    with pytest.raises(DataError, match="different response"):
        ft.compare(small, ft.fit("log(mpg) ~ wt", cars))
    with pytest.raises(DataError, match=r"subset has 23 of 32 rows"):
        ft.compare(small, ft.fit("mpg ~ wt", cars, subset="qsec > 17"))
    with pytest.raises(DataError, match="different rows"):
        ft.compare(small.remove_data(), ft.fit("mpg ~ wt", cars.assign(mpg=cars["mpg"] + (cars.index == 3))))
    with pytest.raises(DataError, match="not nested"):
        ft.compare(small, ft.fit("mpg ~ hp + qsec", cars), test="F")
    assert len(ft.compare(small, ft.fit("mpg ~ hp + qsec", cars))) == 2
    with pytest.raises(ValueError, match="None, 'F', 'LR', 'LM', 'Wald'"):
        ft.compare(small, large, test="score")
    with pytest.raises(TypeError, match=r"compare\(fit1, fit2\)"):
        ft.compare([small, large])


def test_a_perfect_fit_has_no_tests() -> None:
    data = pd.DataFrame({"x": np.arange(8.0), "y": 2 * np.arange(8.0), "z": np.arange(8) % 3})
    small, large = ft.fit("y ~ z", data), ft.fit("y ~ x + z", data)
    for name in ("compare_f_test", "compare_lr_test", "compare_wald_test"):
        assert np.isnan(getattr(large, name)(small).statistic)


def test_models_of_several_parameters_stand_beside_others() -> None:
    visits = ft.datasets.visits()
    fits = {name: ft.fit("drvisits ~ age + chronic", visits, family=name) for name in ("poisson", "negative_binomial")}
    table = ft.compare(fits)
    assert table["family"].tolist() == ["poisson", "negative_binomial"]
    np.testing.assert_allclose(table["aic"], [fit.aic for fit in fits.values()])
    assert table["delta_aic"].tolist()[1] == 0
    with pytest.raises(ValueError, match="is not between these models"):
        ft.compare(fits, test="LR")
    other = ft.fit("drvisits ~ age", visits, family="negative_binomial", subset="age < 80")
    with pytest.raises(DataError, match="models 1 and 2 have different rows"):
        ft.compare(fits["poisson"], other)
    users = visits[visits["drvisits"] > 0]
    amounts = ft.fit("drvisits ~ age", users, family="gamma", link="log")
    with pytest.raises(DataError, match="is a density"):
        ft.compare(amounts, ft.fit("drvisits ~ age", users, family="negative_binomial"))
