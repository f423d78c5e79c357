"""Marginal effects of membership, against finite differences, hand-made averages and statsmodels' multinomial logit."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, UnknownNameError

MEMBERSHIP = "x + I(x^2) + site + male:x"
GAMMA = np.array([[0, 0, 0, 0, 0, 0.0], [-0.3, 0.8, -0.1, 0.5, -0.4, 0.3], [-0.5, -0.5, 0.2, 0.1, 0.6, -0.6]])


def people(n: int = 150, seed: int = 3) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "x": draw.normal(size=n),
            "site": draw.choice(["a", "b", "c"], n),
            "male": draw.random(n) < 0.5,
            "copies": draw.integers(1, 4, n),
        }
    )


def columns(rows: pd.DataFrame) -> np.ndarray:
    x, male, b, c = (np.asarray(v, dtype=float) for v in (rows.x, rows.male, rows.site == "b", rows.site == "c"))
    return np.column_stack([np.ones(len(rows)), x, x**2, b, c, male * x])


def probabilities(gamma: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    odds = np.exp(columns(rows) @ gamma.T)
    return odds / odds.sum(axis=1, keepdims=True)


def panel(apart: float = 3.0, seed: int = 5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units, and their rows over four times; groups lie `apart` standard deviations from one another."""
    units, draw = people(), np.random.default_rng(seed)
    chances = probabilities(GAMMA, units)
    units["true"] = (draw.random(len(units))[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    rows = units.loc[units.index.repeat(4)].reset_index(drop=True)
    rows["t"] = np.tile(np.arange(4.0), len(units))
    rows["y"] = apart * np.array([0, 1, -1])[rows.true] + 0.1 * rows.t * rows.true + draw.normal(size=len(rows))
    return units, rows


UNITS, ROWS = panel()


@pytest.fixture(scope="module")
def fit() -> ft.TrajectoryFit:
    return ft.traj("y ~ t | id", ROWS, groups=3, membership=MEMBERSHIP, weights="copies")


def by_hand(fit: ft.TrajectoryFit, moved: dict[str, object], base: dict[str, object], step: float = 1.0):
    """Weighted mean change of the probabilities, and its error by a numerical Jacobian."""
    weights = UNITS.copies / UNITS.copies.sum()
    layout, recipe = fit.spec.layout, fit.spec.membership

    def change(params: np.ndarray) -> np.ndarray:
        gamma = layout.read(params, layout.gamma)
        both = []
        for values in (moved, base):
            design = recipe.apply(UNITS.assign(**values))
            odds = np.exp(np.column_stack([design.matvec(g).numpy() for g in gamma]))
            both.append(odds / odds.sum(axis=1, keepdims=True))
        return weights.to_numpy() @ (both[0] - both[1]) / step

    estimate, h = change(fit.coefficients), 1e-5
    jacobian = [
        (change(fit.coefficients + h * e) - change(fit.coefficients - h * e)) / (2 * h) for e in np.eye(len(fit.names))
    ]
    variance = np.array(jacobian).T @ fit.cov_params().to_numpy() @ np.array(jacobian)
    return estimate, np.sqrt(np.diag(variance))


CASES = {
    ("x", "dy/dx"): (lambda: {"x": UNITS.x + 1e-5}, lambda: {"x": UNITS.x - 1e-5}, 2e-5),
    ("site", "b - a"): (lambda: {"site": "b"}, lambda: {"site": "a"}, 1.0),
    ("site", "c - a"): (lambda: {"site": "c"}, lambda: {"site": "a"}, 1.0),
    ("male", "True - False"): (lambda: {"male": True}, lambda: {"male": False}, 1.0),
}


@pytest.mark.parametrize("case", CASES, ids="/".join)
def test_effects_and_errors_are_those_of_finite_differences(fit, case) -> None:
    table = fit.marginal_effects().table
    rows = table[(table["term"] == case[0]) & (table["contrast"] == case[1])]
    moved, base, step = CASES[case]
    estimate, error = by_hand(fit, moved(), base(), step)
    assert rows["group"].tolist() == [1, 2, 3]
    # Differences over a small step are good for about 1e-9; their differences for 1e-5.
    np.testing.assert_allclose(rows["estimate"], estimate, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(rows["std_error"], error, rtol=2e-5)


def test_table_holds_every_covariate_and_sums_to_zero(fit) -> None:
    effects = fit.marginal_effects()
    table = effects.table
    assert list(dict.fromkeys(zip(table["term"], table["contrast"], strict=True))) == list(CASES)
    sums = table.groupby(["term", "contrast"])["estimate"].sum()
    np.testing.assert_allclose(sums, 0, atol=1e-14)
    np.testing.assert_allclose(effects.jacobian.reshape(-1, 3, len(fit.names)).sum(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(table["statistic"], table["estimate"] / table["std_error"], rtol=1e-12)
    assert "x, group=2" in effects.names
    assert "site[b - a], group=3" in str(effects.summary())


def test_values_scenarios_and_other_people(fit) -> None:
    table = fit.marginal_effects({"x": [0, 2]}, at={"male": [False, True]}).table
    assert table["male"].tolist() == [False] * 3 + [True] * 3
    for male in (False, True):
        estimate, error = by_hand(fit, {"x": 2.0, "male": male}, {"x": 0.0, "male": male})
        rows = table[table["male"] == male]
        np.testing.assert_allclose(rows["estimate"], estimate, rtol=1e-9)
        np.testing.assert_allclose(rows["std_error"], error, rtol=2e-5)
    repeated = UNITS.loc[UNITS.index.repeat(UNITS.copies)]
    other = fit.marginal_effects("x", newdata=repeated).table
    np.testing.assert_allclose(other["estimate"], fit.marginal_effects("x").table["estimate"], rtol=1e-10)
    middle = fit.marginal_effects("site", at={"x": 0.0, "male": False}, contrast="sequential").table
    estimate, _ = by_hand(fit, {"site": "c", "x": 0.0, "male": False}, {"site": "b", "x": 0.0, "male": False})
    np.testing.assert_allclose(middle[middle["contrast"] == "c - b"]["estimate"], estimate, rtol=1e-9)


def test_groups_that_are_as_good_as_seen_have_the_effects_of_a_multinomial_logit() -> None:
    units, rows = panel(apart=40.0)
    fit = ft.traj("y ~ t | id", rows, groups=3, membership="x + site")
    codes = fit.groups.to_numpy() - 1
    design = np.column_stack([np.ones(len(units)), units.x, units.site == "b", units.site == "c"]).astype(float)
    logit = sm.MNLogit(codes, design).fit(disp=0, tol=1e-12, maxiter=100)
    theirs = logit.get_margeff()
    table = fit.marginal_effects("x").table
    np.testing.assert_allclose(table["estimate"], theirs.margeff[0], rtol=1e-7)
    np.testing.assert_allclose(table["std_error"], theirs.margeff_se[0], rtol=1e-6)


def test_reference_group_does_not_matter(fit) -> None:
    other = ft.traj(
        "y ~ t | id", ROWS, groups=3, membership=MEMBERSHIP, weights="copies", reference=3, start=fit, starts=0
    )
    ours, theirs = fit.marginal_effects().table, other.marginal_effects().table
    np.testing.assert_allclose(theirs["estimate"], ours["estimate"], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(theirs["std_error"], ours["std_error"], rtol=1e-5)


def test_errors_follow_the_covariance_of_the_fit(fit) -> None:
    robust = fit.with_vcov("robust")
    effects = robust.marginal_effects("x")
    variance = effects.jacobian @ robust.cov_params().to_numpy() @ effects.jacobian.T
    np.testing.assert_allclose(effects.margeff_cov, variance, rtol=1e-9)
    assert not np.allclose(effects.margeff_se, fit.marginal_effects("x").margeff_se, rtol=1e-3)


def test_what_a_dropped_column_leaves_open_is_nan_and_nothing_else() -> None:
    rows = ROWS.assign(twice=2 * ROWS.x)
    plain = ft.traj("y ~ t | id", rows, groups=3, membership="x + site")
    with pytest.warns(CollinearityWarning, match="twice"):
        aliased = ft.traj("y ~ t | id", rows, groups=3, membership="x + site + twice")
    ours, theirs = aliased.marginal_effects().table, plain.marginal_effects().table
    assert ours[ours["term"].isin(["x", "twice"])]["estimate"].isna().all()
    site = [table[table["term"] == "site"][["estimate", "std_error"]] for table in (ours, theirs)]
    np.testing.assert_allclose(*site, rtol=1e-6)


def test_what_cannot_be_had_is_said(fit) -> None:
    plain = ft.traj("y ~ t | id", ROWS, groups=2)
    with pytest.raises(DataError, match="no covariates of membership"):
        plain.marginal_effects()
    with pytest.raises(UnknownNameError, match="does not use `t`"):
        fit.marginal_effects("t")
    with pytest.raises(ValueError, match="contrast='each'"):
        fit.marginal_effects(contrast="each")
    with pytest.raises(DataError, match="no level 'z'"):
        fit.marginal_effects({"site": ["a", "z"]})
    kept = pickle.loads(pickle.dumps(fit))
    with pytest.raises(DataRemovedError):
        kept.marginal_effects()
    np.testing.assert_allclose(
        kept.marginal_effects("site", newdata=UNITS).table["estimate"],
        fit.marginal_effects("site", newdata=UNITS).table["estimate"],
    )
    grouped = ROWS.assign(group=ROWS.male)
    named = ft.traj("y ~ t | id", grouped, groups=2, membership="group + x")
    with pytest.raises(DataError, match="column `group` of its own"):
        named.marginal_effects("x", at={"group": True})
    assert set(named.marginal_effects().table["term"]) == {"group", "x"}


@pytest.mark.parametrize("vcov", ["iid", "robust"])
def test_errors_keep_their_digits_on_powers_of_a_calendar_year(vcov) -> None:
    units, rows = panel(apart=1.5)
    rows["decade"] = rows["id"].map(units.x.round(1))
    rows["born"] = 1965 + 10 * rows["decade"]
    ours, theirs = (
        ft.traj("y ~ t | id", rows, groups=3, membership=f"{name} + I({name}^2)", vcov=vcov, starts=5)
        for name in ("born", "decade")
    )
    # J V J' as it stands has 6 digits here.
    columns = ["std_error", "conf_low", "conf_high"]
    np.testing.assert_allclose(ours.shares[columns], theirs.shares[columns], rtol=1e-9)
    slopes = [fit.marginal_effects().table["std_error"] for fit in (ours, theirs)]
    np.testing.assert_allclose(10 * slopes[0], slopes[1], rtol=1e-9)


@pytest.mark.parametrize("vcov", ["iid", "robust"])
def test_variances_of_functions_are_those_of_the_delta_method(fit, vcov) -> None:
    own = fit.with_vcov(vcov)
    matrix, jacobian = own.cov_params().to_numpy(), np.random.default_rng(2).normal(size=(5, len(fit.names)))
    np.testing.assert_allclose(own.covariances(jacobian), jacobian @ matrix @ jacobian.T, rtol=1e-10)
    np.testing.assert_allclose(own.variances(jacobian), np.diag(jacobian @ matrix @ jacobian.T), rtol=1e-10)
    given = own.with_vcov(ft.vcov.Given(matrix))
    for table in ("shares", "raw_powers"):
        errors = [getattr(each, table) for each in (own, given)]
        errors = [(found() if callable(found) else found)["std_error"] for found in errors]
        np.testing.assert_allclose(*errors, rtol=1e-10)


def test_a_parameter_without_a_variance_leaves_none_to_what_it_enters(fit) -> None:
    matrix = fit.cov_params().to_numpy().copy()
    matrix[0], matrix[:, 0] = np.nan, np.nan
    lost, jacobian = fit.with_vcov(ft.vcov.Given(matrix)), np.eye(len(fit.names))[:3]
    assert np.isnan(lost.variances(jacobian)).tolist() == [True, False, False]
    assert np.isnan(lost.covariances(jacobian)).sum() == 5


def test_covariates_that_vary_within_a_unit_are_refused_by_wave(fit) -> None:
    moved = ROWS.assign(x=ROWS["x"] + ROWS["t"])
    for probabilities_of in (fit.assign, fit.posterior_by_wave):
        with pytest.raises(DataError, match="`x`, a covariate of membership, varies within 150 units"):
            probabilities_of(moved)
