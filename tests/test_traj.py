"""Trajectory models through the public call, on simulations and on the shipped data."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import gammaln

import formula_torch as ft

FORMULA = "y ~ t + I(t^2) | id"
CURVES = np.array([[0.2, 0.25, -0.02], [1.6, -0.15, 0.0], [2.2, 0.05, -0.01]])


def panel(family: str, n: int = 150, seed: int = 1, holes: float = 0.15) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    group = draw.choice(3, n, p=[0.5, 0.3, 0.2])
    unit, t = np.repeat(np.arange(n), 8), np.tile(np.arange(8.0), n)
    b = CURVES[group][unit]
    eta = b[:, 0] + b[:, 1] * t + b[:, 2] * t**2
    y = {
        "gaussian": lambda: 2 * eta + draw.normal(size=len(t)),
        "poisson": lambda: draw.poisson(np.exp(eta)).astype(float),
        "logit": lambda: (draw.random(len(t)) < 1 / (1 + np.exp(4 - 3 * eta))).astype(float),
    }[family]()
    y[draw.random(len(y)) < holes] = np.nan
    return pd.DataFrame({"id": [f"u{i:03d}" for i in unit], "t": t, "y": y, "true": group[unit]})


def loglik(fit: ft.TrajectoryFit, data: pd.DataFrame, params: np.ndarray) -> float:
    """By plain numpy, row by row, from the parameters under their names."""
    rows = data.dropna()
    named = dict(zip(fit.names, params, strict=True))
    k, t, y = fit.n_groups, rows["t"].to_numpy(), rows["y"].to_numpy()
    odds = np.array([0.0] + [named[f"membership[{g}]:Intercept"] for g in range(2, k + 1)])
    codes, units = pd.factorize(rows["id"])
    density = np.zeros((k, len(units)))
    for g in range(1, k + 1):
        eta = named[f"g{g}:Intercept"] + named[f"g{g}:t"] * t + named[f"g{g}:I(t ** 2)"] * t**2
        if fit.family.name == "gaussian":
            sigma = named.get("sigma", named.get(f"g{g}:sigma"))
            each = -0.5 * math.log(2 * math.pi) - np.log(sigma) - (y - eta) ** 2 / (2 * sigma**2)
        elif fit.family.name == "poisson":
            each = y * eta - np.exp(eta) - gammaln(y + 1)
        else:
            each = y * eta - np.logaddexp(0, eta)
        density[g - 1] = np.bincount(codes, each, len(units))
    share = np.exp(odds) / np.exp(odds).sum()
    top = density.max(0)
    return float(np.sum(top + np.log(share @ np.exp(density - top))))


@pytest.fixture(scope="module", params=["gaussian", "poisson", "logit"])
def case(request) -> tuple[pd.DataFrame, ft.TrajectoryFit]:
    data = panel(request.param)
    return data, ft.traj(FORMULA, data, groups=3, family=request.param)


def test_the_value_is_that_of_the_parameters(case) -> None:
    data, fit = case
    np.testing.assert_allclose(loglik(fit, data, fit.coefficients), fit.llf, rtol=1e-11)


def test_errors_are_those_of_the_second_differences(case) -> None:
    data, fit = case
    # Central differences along the errors' own axes: 1e-5 is what they are good for.
    root = np.linalg.cholesky(fit.cov_params().to_numpy())
    h, p = 1e-2, len(root)
    steps = h * np.eye(p)

    def at(z: np.ndarray) -> float:
        return loglik(fit, data, fit.coefficients + root @ z)

    curvature = np.array([[at(a + b) - at(a - b) - at(b - a) + at(-a - b) for a in steps] for b in steps]) / (4 * h**2)
    np.testing.assert_allclose(-curvature, np.eye(p), atol=2e-3)


def test_every_seed_finds_the_same_maximum(case) -> None:
    data, fit = case
    for seed in range(1, 6):
        again = ft.traj(FORMULA, data, groups=3, family=fit.family, seed=seed)
        np.testing.assert_allclose(again.llf, fit.llf, rtol=1e-9)
        np.testing.assert_allclose(again.coefficients, fit.coefficients, rtol=1e-4, atol=1e-5)
    same = ft.traj(FORMULA, data, groups=3, family=fit.family)
    np.testing.assert_array_equal(same.coefficients, fit.coefficients)


def test_groups_are_found_and_ordered_by_share(case) -> None:
    data, fit = case
    assert fit.shares["share"].is_monotonic_decreasing
    np.testing.assert_allclose(fit.posterior.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(fit.posterior.mean(), fit.shares["share"], rtol=1e-6)
    true = data.groupby("id")["true"].first().loc[fit.groups.index]
    assert (fit.groups - 1 == true).mean() > (0.75 if fit.family.name == "logit" else 0.9)


def test_assignment_of_the_same_rows_is_the_posterior(case) -> None:
    data, fit = case
    pd.testing.assert_frame_equal(fit.assign(data), fit.posterior, rtol=1e-9, check_index_type=False)


def test_order_of_rows_and_names_of_units_do_not_matter(case) -> None:
    data, fit = case
    moved = data.sample(frac=1, random_state=3).assign(id=lambda d: d["id"].str.replace("u", "zz"))
    again = ft.traj(FORMULA, moved, groups=3, family=fit.family)
    np.testing.assert_allclose(again.llf, fit.llf, rtol=1e-11)
    np.testing.assert_allclose(again.bse, fit.bse, rtol=1e-5)


def test_weights_are_repeated_units(case) -> None:
    data, fit = case
    twice = pd.concat([data, data.assign(id="b" + data["id"])])
    weighted = ft.traj(FORMULA, data.assign(w=2), groups=3, family=fit.family, weights="w")
    for other in (ft.traj(FORMULA, twice, groups=3, family=fit.family), weighted):
        np.testing.assert_allclose(other.llf, 2 * fit.llf, rtol=1e-10)
        np.testing.assert_allclose(other.bse, fit.bse / math.sqrt(2), rtol=1e-4)


def test_robust_is_the_sandwich_by_unit(case) -> None:
    _, fit = case
    n = len(fit.posterior)
    plain = fit.with_vcov(ft.vcov.Cluster("id", adjust=False))
    np.testing.assert_allclose(fit.with_vcov("robust").bse, plain.bse * math.sqrt(n / (n - 1)), rtol=1e-12)
    # Under the model both estimate the same.
    np.testing.assert_allclose(plain.bse / fit.bse, 1, atol=0.8)


def test_one_group_is_a_regression() -> None:
    data = panel("gaussian").dropna()
    one, ols = ft.traj(FORMULA, data, groups=1), ft.fit("y ~ t + I(t^2)", data)
    np.testing.assert_allclose(one.coefficients[:3], ols.params, rtol=1e-9)
    np.testing.assert_allclose(one.llf, ols.llf, rtol=1e-11)
    n = len(data)
    np.testing.assert_allclose(one.bse[:3], ols.bse * math.sqrt((n - 3) / n), rtol=1e-8)


def test_scale_and_shift_of_the_response() -> None:
    data = panel("gaussian")
    fit = ft.traj(FORMULA, data, groups=3)
    moved = ft.traj(FORMULA, data.assign(y=5e3 + 100 * data["y"]), groups=3)
    np.testing.assert_allclose(moved.llf, fit.llf - fit.n_rows * math.log(100), rtol=1e-9)
    np.testing.assert_allclose(moved.bse["g1:t"], 100 * fit.bse["g1:t"], rtol=1e-6)


def test_units_of_time_do_not_matter() -> None:
    data = panel("poisson")
    fit = ft.traj(FORMULA, data, groups=3, family="poisson")
    years = ft.traj(FORMULA, data.assign(t=1990 + data["t"]), groups=3, family="poisson")
    np.testing.assert_allclose(years.llf, fit.llf, rtol=1e-9)
    np.testing.assert_allclose(years.bse["g1:I(t ** 2)"], fit.bse["g1:I(t ** 2)"], rtol=1e-5)


def test_an_offset_in_cells_equals_one_in_rows() -> None:
    data = panel("poisson").assign(e=lambda d: np.where(d["t"] > 3, 2.0, 1.0))
    cells = ft.traj("y ~ t + offset(log(e)) | id", data, groups=2, family="poisson")
    jitter = data.assign(x=np.random.default_rng(0).normal(size=len(data)) * 1e-9)
    rows = ft.traj("y ~ t + offset(log(e) + x) | id", jitter, groups=2, family="poisson")
    np.testing.assert_allclose(rows.llf, cells.llf, rtol=1e-9)


def test_rows_as_units_reach_the_known_maximum() -> None:
    visits = ft.datasets.visits()
    formula = "drvisits ~ private + medicaid + age + I(age^2) + educ + actlim + chronic"
    fit = ft.traj(formula, visits, groups=2, family="poisson")
    # Stata's finite mixture manual, two-class Poisson: -11502.686.
    assert fit.llf == pytest.approx(-11502.68618, abs=1e-4)
    np.testing.assert_allclose(fit.shares["share"], [0.706, 0.294], atol=5e-4)
    assert list(fit.posterior.index) == list(visits.index)


def test_a_sample_finds_what_all_units_would() -> None:
    data = panel("poisson", n=4_000, holes=0.3)
    fit = ft.traj(FORMULA, data, groups=3, family="poisson")
    np.testing.assert_allclose(loglik(fit, data, fit.coefficients), fit.llf, rtol=1e-11)
    assert fit.search.decrement < 1e-9
    assert fit.search.replicated > 10


def test_predictions_tests_and_tables(case) -> None:
    _, fit = case
    curve = fit.predict({"t": [0.0, 3.0]}, group=2)
    b = fit.params
    eta = b["g2:Intercept"] + 3 * b["g2:t"] + 9 * b["g2:I(t ** 2)"]
    assert curve[1] == pytest.approx(float(fit.family.mean(torch.tensor(eta))), rel=1e-10)
    average = sum(fit.shares["share"][g] * fit.predict({"t": [3.0]}, group=g)[0] for g in (1, 2, 3))
    assert fit.predict({"t": [3.0]})[0] == pytest.approx(average, rel=1e-12)
    assert 0 < fit.wald_test("g1:t = g2:t").pvalue < 0.2
    assert fit.fittedvalues.index.equals(fit.resid.index)
    assert "Group 3" in str(fit.summary())
    assert fit.bic == pytest.approx(-2 * fit.llf + len(fit.params) * math.log(len(fit.posterior)))
    update = fit.update(". ~ . - I(t^2)")
    assert update.unit == "id"


def test_a_pickle_predicts_and_says_what_it_lost(case) -> None:
    data, fit = case
    again = pickle.loads(pickle.dumps(fit))
    assert len(pickle.dumps(fit)) < 50_000
    pd.testing.assert_series_equal(again.params, fit.params)
    assert str(again.summary()) == str(fit.summary())
    pd.testing.assert_frame_equal(again.assign(data), fit.assign(data))
    with pytest.raises(ft.errors.DataRemovedError, match="assign"):
        _ = again.posterior
    with pytest.raises(ft.errors.DataRemovedError, match="units"):
        again.with_vcov("robust")


def test_sigma_has_an_interval_through_its_logarithm() -> None:
    fit = ft.traj(FORMULA, panel("gaussian"), groups=2, dispersion="group")
    low, high = fit.conf_int().loc["g2:sigma"]
    sigma, error = fit.params["g2:sigma"], fit.bse["g2:sigma"]
    np.testing.assert_allclose([low, high], sigma * np.exp(np.array([-1, 1]) * 1.959963984540054 * error / sigma))
    assert np.isnan(fit.pvalues["g2:sigma"])


def test_missing_rows_leave_and_are_counted() -> None:
    data = panel("gaussian")
    assert f"{int(data['y'].isna().sum())} of {len(data)} rows dropped" in str(
        ft.traj(FORMULA, data, groups=2).summary()
    )


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda d: d, {"groups": 0}, ValueError, "whole number"),
        (lambda d: d, {"groups": 2.5}, ValueError, "whole number"),
        (lambda d: d, {"groups": 2, "starts": 0}, ValueError, "starts=0"),
        (lambda d: d, {"groups": 2, "family": "gama"}, ValueError, "'gama' is not known"),
        (lambda d: d, {"groups": 2, "dispersion": "x"}, ValueError, "'x' is not known"),
        (lambda d: d, {"groups": 2, "family": "poisson"}, ft.errors.DataError, "is negative in .*; counts are needed"),
        (lambda d: d, {"groups": 2, "family": "logit"}, ft.errors.DataError, "other than 0 and 1"),
        (lambda d: d.assign(w=d["t"]), {"groups": 2, "weights": "w"}, ft.errors.DataError, "varies within"),
        (lambda d: d.rename(columns={"id": "ID"}), {"groups": 2}, ft.errors.UnknownNameError, "did you mean `ID`"),
        (lambda d: d.assign(id=d["id"].where(d["t"] > 0)), {"groups": 2}, ft.errors.DataError, "`id`.*missing in"),
        (lambda d: d, {"groups": 2, "vcov": "HC3"}, ft.errors.DataError, "vcov='robust'"),
        (
            lambda d: d.assign(w=-1.0),
            {"groups": 2, "weights": "w"},
            ft.errors.DataError,
            "`w` holds weights that are neg",
        ),
        (lambda d: d.assign(c=1), {"groups": 2, "vcov": {"cluster": "c"}}, ft.errors.DataError, "at least 2 clusters"),
        (lambda d: d, {"groups": 2, "vcov": {"cluster": "t"}}, ft.errors.DataError, "`t` varies within"),
    ],
)
def test_refusals(change, options, error, message) -> None:
    with pytest.raises(error, match=message):
        ft.traj(FORMULA, change(panel("gaussian", n=40)), **options)


def test_a_tiny_group_is_told() -> None:
    data = panel("gaussian", n=60)
    data.loc[data["id"].isin(["u000", "u001"]), "y"] += 60
    with pytest.warns(ft.errors.InferenceWarning, match="fewer than 5 units"):
        ft.traj(FORMULA, data, groups=4)
