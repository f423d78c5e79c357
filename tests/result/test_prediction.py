"""Prediction intervals and bands against R, statsmodels and closed forms."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, InferenceWarning

REFERENCE = Path(__file__).parents[1] / "reference" / "anova"
RECORDS = json.loads((REFERENCE / "anova.json").read_text())["predictions"]
TOLERANCE = 1e-8
COLUMNS = ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper"]


@cache
def frame(name):
    return pd.read_csv(REFERENCE / f"{name}.csv")


def label(record):
    return f"{record['formula']}{' weighted' * bool(record['weights'])} at {record['at']}"


@pytest.mark.parametrize("record", RECORDS, ids=label)
def test_as_r(record) -> None:
    fit = ft.fit(record["formula"], frame(record["data"]), weights=record["weights"])
    predicted = fit.get_prediction(pd.DataFrame(record["new"]), weights=record["at"])
    np.testing.assert_allclose(predicted.se_mean, record["se"], rtol=TOLERANCE)
    for expected, obs, alpha in ((record["confidence"], False, 0.05), (record["prediction"], True, 0.1)):
        expected = np.array(expected)
        np.testing.assert_allclose(predicted.predicted_mean, expected[:, 0], rtol=TOLERANCE)
        np.testing.assert_allclose(predicted.conf_int(obs=obs, alpha=alpha), expected[:, 1:], rtol=TOLERANCE)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0", "HC1", "HC2", "HC3"])
@pytest.mark.parametrize("weights", [None, "qsec"])
def test_as_statsmodels(cov_type, weights) -> None:
    cars, formula = frame("mtcars"), "mpg ~ wt * C(cyl) + np.log(hp)"
    new = cars.iloc[[3, 11, 20]].assign(wt=[2.2, 3.3, 4.4]).set_axis(["a", "b", "c"])
    model = smf.ols(formula, cars) if weights is None else smf.wls(formula, cars, weights=cars[weights])
    theirs = model.fit(cov_type=cov_type, use_t=True)
    ours = ft.fit(formula, cars, weights=weights, vcov="iid" if cov_type == "nonrobust" else cov_type)
    at = np.array([1.0, 2.0, 0.5])
    expected = theirs.get_prediction(new, weights=at).summary_frame(alpha=0.1)
    found = ours.get_prediction(new, weights=at).summary_frame(alpha=0.1)
    assert list(found.columns) == COLUMNS
    pd.testing.assert_frame_equal(found, expected, rtol=TOLERANCE)
    own, theirs_own = ours.get_prediction(), theirs.get_prediction()
    pd.testing.assert_frame_equal(own.summary_frame(), theirs_own.summary_frame(), rtol=TOLERANCE)
    for name in ("predicted_mean", "se_mean", "se_obs", "var_pred_mean"):
        np.testing.assert_allclose(getattr(own, name), getattr(theirs_own, name), rtol=TOLERANCE)


def test_variances_are_those_of_dense_rows() -> None:
    """With any covariance, two-way clusters too, and rows in several blocks."""
    draw = np.random.default_rng(1)
    n = 70_000
    data = pd.DataFrame({"x": draw.normal(size=n), "g": draw.integers(0, 30, n), "h": draw.integers(0, 40, n)})
    data["y"] = data["x"] + data["g"] / 10 + draw.normal(size=n)
    for formula, vcov in (("y ~ x + I(x^2)", {"cluster": ["g", "h"]}), ("y ~ x * C(g)", "HC1")):
        fit = ft.fit(formula, data, vcov=vcov)
        x = fit.recipe.apply(data).dense()
        expected = np.einsum("ij,jk,ik->i", x, fit.cov_params().to_numpy(), x)
        np.testing.assert_allclose(fit.get_prediction().var_pred_mean, expected, rtol=TOLERANCE)


def test_calendar_years_cost_no_digits() -> None:
    draw = np.random.default_rng(2)
    year = np.arange(1950.0, 2020.0)
    data = pd.DataFrame({"year": year, "y": np.sin(year / 9) + draw.normal(size=70)})
    raw = ft.fit("y ~ year + I(year^2) + I(year^3)", data).get_prediction({"year": [1990.5, 2030.0]})
    centred = data.assign(year=data["year"] - 1985)
    same = ft.fit("y ~ year + I(year^2) + I(year^3)", centred).get_prediction({"year": [5.5, 45.0]})
    np.testing.assert_allclose(raw.se_mean, same.se_mean, rtol=1e-8)


def test_missing_and_unseen_and_not_estimable_rows() -> None:
    cars = frame("mtcars").assign(cyl=lambda t: t["cyl"].astype(str))
    fit = ft.fit("mpg ~ wt + cyl", cars)
    new = pd.DataFrame({"wt": [3.0, np.nan, 3.0, 2.0], "cyl": ["4", "6", None, "8"]}, index=list("abcd"))
    table = fit.get_prediction(new).summary_frame()
    assert list(table.index) == list("abcd")
    assert table.isna().all(axis=1).tolist() == [False, True, True, False]
    assert fit.get_prediction({"wt": [1.0], "cyl": ["12"]}, unseen="nan").summary_frame().isna().all(axis=None)
    with pytest.raises(DataError, match="not in the data"):
        fit.get_prediction({"wt": [1.0], "cyl": ["12"]})
    with pytest.warns(CollinearityWarning):
        aliased = ft.fit("mpg ~ wt + I(2 * wt) + hp + qsec", cars.assign(qsec=2 * cars["hp"]))
    with pytest.warns(CollinearityWarning, match="1 of 2 rows cannot be predicted") as caught:
        table = aliased.get_prediction({"wt": [3.0, 3.0], "hp": [100.0, 100.0], "qsec": [200.0, 300.0]}).summary_frame()
    assert caught[0].filename == __file__
    assert table.isna().all(axis=1).tolist() == [False, True]


def test_offsets() -> None:
    cars = frame("mtcars")
    named = ft.fit("mpg ~ wt", cars, offset="drat").get_prediction(cars.head(3)).summary_frame()
    given = ft.fit("mpg ~ wt", cars, offset=cars["drat"].to_numpy())
    np.testing.assert_allclose(given.get_prediction(cars.head(3), offset=cars["drat"].head(3)).summary_frame(), named)
    np.testing.assert_allclose(given.get_prediction().summary_frame().head(3), named)
    with pytest.raises(DataError, match="goes with newdata"):
        given.get_prediction(offset="drat")


def test_weights() -> None:
    cars = frame("mtcars")
    fit = ft.fit("mpg ~ wt", cars, weights="qsec")
    with pytest.warns(InferenceWarning, match="given no weights") as caught:
        plain = fit.get_prediction(cars)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(plain.var_resid, fit.scale)
    np.testing.assert_allclose(fit.get_prediction(cars, weights="qsec").se_obs, fit.get_prediction().se_obs)
    np.testing.assert_allclose(fit.get_prediction(cars, weights=2).var_resid, fit.scale / 2)
    with pytest.raises(DataError, match=r"weights must be positive: 1 are not \(first: row 1, -1.0\)"):
        fit.get_prediction(cars.head(2), weights=[1, -1])
    with pytest.raises(DataError, match="3 rows"):
        fit.get_prediction(cars.head(3), weights=[1, 1])


def test_frequency_weights_are_repeated_rows() -> None:
    cars = frame("mtcars")
    repeated = cars.loc[cars.index.repeat(cars["carb"])]
    new = cars.head(4)
    counted = ft.fit("mpg ~ wt + hp", cars, weights="carb", weights_type="frequency").get_prediction(new)
    np.testing.assert_allclose(
        counted.summary_frame(), ft.fit("mpg ~ wt + hp", repeated).get_prediction(new).summary_frame(), rtol=1e-10
    )


def test_sampling_weights_have_no_unit() -> None:
    cars = frame("mtcars")
    one, other = (
        ft.fit("mpg ~ wt", cars.assign(w=w * cars["qsec"]), weights="w", weights_type="sampling").get_prediction(cars)
        for w in (1, 50)
    )
    np.testing.assert_allclose(one.summary_frame(), other.summary_frame(), rtol=1e-10)


def test_the_normal_and_clusters_set_the_quantile() -> None:
    cars = frame("mtcars")
    z = ft.fit("mpg ~ wt", cars, vcov="HC1", use_t=False).get_prediction(cars)
    np.testing.assert_allclose(z.conf_int()[:, 1] - z.predicted_mean, stats.norm.ppf(0.975) * z.se_mean)
    few = ft.fit("mpg ~ wt", cars, vcov={"cluster": "carb"}).get_prediction(cars)
    np.testing.assert_allclose(few.conf_int()[:, 1] - few.predicted_mean, stats.t.ppf(0.975, 5) * few.se_mean)


def test_life_after_pickling() -> None:
    fit = ft.fit("mpg ~ wt * factor(cyl)", frame("mtcars"), vcov="HC3")
    stored = pickle.loads(pickle.dumps(fit))
    new = frame("mtcars").head(5)
    pd.testing.assert_frame_equal(stored.get_prediction(new).summary_frame(), fit.get_prediction(new).summary_frame())
    with pytest.raises(DataRemovedError, match="get_prediction without newdata"):
        stored.get_prediction()
    predicted = fit.get_prediction(new)
    again = pickle.loads(pickle.dumps(predicted))
    pd.testing.assert_frame_equal(again.simultaneous_bands(), predicted.simultaneous_bands())


def test_a_prediction_is_not_changed_by_its_data() -> None:
    fit = ft.fit("mpg ~ wt + hp", frame("mtcars"))
    new = {"wt": np.array([2.0, 3.0, 4.0]), "hp": np.array([90.0, 100.0, 200.0])}
    predicted = fit.get_prediction(new)
    before = predicted.simultaneous_bands(method="scheffe")
    new["wt"][:] = 100.0
    pd.testing.assert_frame_equal(predicted.simultaneous_bands(method="scheffe"), before)


def test_without_degrees_of_freedom_nothing_is_known() -> None:
    with pytest.warns(UserWarning, match="no degrees of freedom"):
        fit = ft.fit("y ~ x", {"x": [0.0, 1.0], "y": [1.0, 3.0]})
    predicted = fit.get_prediction({"x": [0.5]})
    assert predicted.predicted_mean == pytest.approx([2.0])
    assert np.isnan(predicted.summary_frame().iloc[:, 1:]).all(axis=None)
    assert predicted.simultaneous_bands().isna().to_numpy().tolist() == [[False, True, True]]


# -- bands ----------------------------------------------------------------------------------------


def reach(predicted, **options):
    bands = predicted.simultaneous_bands(**options)
    known = predicted.se_mean > 0
    values = ((bands["upper"] - bands["mean"]) / predicted.se_mean)[known]
    np.testing.assert_allclose(values, values.iloc[0], rtol=1e-12)
    np.testing.assert_allclose(bands["mean"] - bands["lower"], bands["upper"] - bands["mean"])
    return values.iloc[0]


def test_bands_of_working_and_hotelling() -> None:
    predicted = ft.fit("mpg ~ wt", frame("mtcars")).get_prediction({"wt": np.linspace(1, 6, 40)})
    assert reach(predicted, method="scheffe") == pytest.approx(np.sqrt(2 * stats.f.ppf(0.95, 2, 30)), rel=1e-12)
    assert reach(predicted, method="bonferroni") == pytest.approx(stats.t.ppf(1 - 0.025 / 40, 30), rel=1e-12)
    # A line over an interval needs less than over the whole axis, and more than one point.
    assert stats.t.ppf(0.975, 30) < reach(predicted) < reach(predicted, method="scheffe")


def test_rows_of_one_dimension_need_no_more_than_an_interval() -> None:
    predicted = ft.fit("mpg ~ wt + hp", frame("mtcars")).get_prediction({"wt": [3.0] * 5, "hp": [100.0] * 5})
    alone = stats.t.ppf(0.95, 29)
    assert reach(predicted, alpha=0.1, method="scheffe") == pytest.approx(alone, rel=1e-10)
    assert reach(predicted, alpha=0.1, method="sup-t") == pytest.approx(alone, rel=1e-10)


def test_sup_t_of_independent_means() -> None:
    """Means of three groups are independent given sigma: P(max |z| < c) = (2 Phi(c) - 1)^3, to sampling error."""
    fit = ft.fit("weight ~ 0 + g", {"weight": np.random.default_rng(0).normal(size=30), "g": list("abc") * 10})
    normal = fit.with_vcov("iid", use_t=False).get_prediction({"g": list("abc")})
    assert reach(normal, seed=4) == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / 3)) / 2), rel=0.01)
    student = fit.get_prediction({"g": list("abc")})
    draws = np.random.default_rng(1)
    t = np.abs(draws.normal(size=(400_000, 3))).max(1) / np.sqrt(draws.chisquare(27, 400_000) / 27)
    assert reach(student, alpha=0.1, seed=4) == pytest.approx(np.quantile(t, 0.9), rel=0.01)


def test_bands_take_a_seed_and_leave_out_what_is_missing() -> None:
    fit = ft.fit("mpg ~ wt + hp", frame("mtcars"), vcov="HC1")
    new = frame("mtcars").iloc[:7].assign(wt=lambda t: t["wt"].where(t.index != 2))
    predicted = fit.get_prediction(new)
    pd.testing.assert_frame_equal(predicted.simultaneous_bands(seed=1), predicted.simultaneous_bands(seed=1))
    assert reach(predicted, seed=1) != reach(predicted, seed=2)
    without = fit.get_prediction(new.drop(index=2))
    assert reach(predicted, seed=1) == reach(without, seed=1)
    assert predicted.simultaneous_bands().isna().any(axis=1).tolist() == [i == 2 for i in range(7)]


def test_spellings() -> None:
    predicted = ft.fit("mpg ~ wt", frame("mtcars")).get_prediction({"wt": [1.0]})
    with pytest.raises(ValueError, match="use one of 'bonferroni', 'scheffe', 'sup-t'"):
        predicted.simultaneous_bands(method="tukey")
    for call in (predicted.conf_int, predicted.summary_frame, predicted.simultaneous_bands):
        with pytest.raises(ValueError, match="between 0 and 1"):
            call(alpha=5)


def test_many_levels() -> None:
    draw = np.random.default_rng(5)
    data = pd.DataFrame({"g": draw.permutation(np.arange(2000) % 250), "x": draw.normal(size=2000)})
    data["y"] = data["x"] + draw.normal(size=2000)
    fit = ft.fit("y ~ x + C(g)", data)
    x = fit.recipe.apply(data.head(50)).dense()
    expected = np.sqrt(np.einsum("ij,jk,ik->i", x, fit.cov_params().to_numpy(), x))
    np.testing.assert_allclose(fit.get_prediction(data.head(50)).se_mean, expected, rtol=TOLERANCE)
