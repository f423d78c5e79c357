"""Curves, predictions, raw powers and simulations of trajectory models, beside plain numpy and finite differences."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import special, stats

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, FormulaError, UnknownNameError

CURVES = np.array([[0.2, 0.25, -0.02], [1.6, -0.15, 0.0]])
INVERSE = {"gaussian": lambda eta: eta, "poisson": np.exp, "logit": special.expit}


def panel(family: str, n: int = 120, seed: int = 1) -> pd.DataFrame:
    """Two groups of units with their own times, a covariate that varies, one that does not, and an exposure."""
    draw = np.random.default_rng(seed)
    male = draw.integers(0, 2, n)
    group = (draw.random(n) < special.expit(-0.8 + 0.9 * male)).astype(int)
    unit, t = np.repeat(np.arange(n), 7), np.tile(np.arange(7.0), n)
    x, size = draw.normal(size=7 * n), draw.uniform(0.5, 4, 7 * n)
    b = CURVES[group][unit]
    eta = b[:, 0] + b[:, 1] * t + b[:, 2] * t**2 + 0.3 * x
    y = {
        "gaussian": lambda: 3 * eta + draw.normal(size=7 * n),
        "poisson": lambda: draw.poisson(size * np.exp(eta)).astype(float),
        "logit": lambda: (draw.random(7 * n) < special.expit(3 * eta - 3)).astype(float),
    }[family]()
    frame = pd.DataFrame({"id": [f"u{i:03d}" for i in unit], "t": t, "y": y, "x": x, "size": size, "male": male[unit]})
    frame["region"] = np.array(["north", "south", "south"])[unit % 3]
    kept = draw.random(7 * n) < 0.9
    return frame[kept].set_index(frame.index[kept] + 1000)


FORMULA = "y ~ poly(t, 2) + x + region | id"


@pytest.fixture(scope="module", params=["gaussian", "poisson", "logit"])
def case(request: Any) -> tuple[pd.DataFrame, ft.TrajectoryFit]:
    data = panel(request.param)
    return data, ft.traj(FORMULA, data, groups=2, family=request.param, membership="male")


@pytest.fixture(scope="module")
def rates() -> tuple[pd.DataFrame, ft.TrajectoryFit]:
    data = panel("poisson")
    return data, ft.traj("y ~ t + I(t^2) + offset(log(size)) | id", data, groups=2, family="poisson", vcov="robust")


def columns(fit: ft.TrajectoryFit, rows: pd.DataFrame) -> np.ndarray:
    """The design of FORMULA, the orthogonal polynomial by a QR of the times of the fit."""
    t = fit.rows.used_frame().column("t").numbers
    _, r = np.linalg.qr(np.vander(t - t.mean(), 3, increasing=True))
    own = np.vander(rows["t"] - t.mean(), 3, increasing=True) @ np.linalg.inv(r)
    signs = np.sign(np.diag(r))
    south = (rows["region"] == "south").to_numpy(float)
    # Columns stand in the order of R: factors by their term.
    found = {"Intercept": np.ones(len(rows)), "x": rows["x"].to_numpy(), "region[T.south]": south}
    found |= {f"poly(t, 2)[{j}]": own[:, j] * signs[j] for j in (1, 2)}
    return np.column_stack([found[name] for name in fit.recipe.column_names])


def differences(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """Central differences of a function of the parameters, shape (m, P)."""
    steps = 1e-5 * np.maximum(np.abs(at), 1)
    each = [
        (function(at + h * e) - function(at - h * e)) / (2 * h) for h, e in zip(steps, np.eye(len(at)), strict=True)
    ]
    return np.stack(each, axis=-1)


def coefficients(fit: ft.TrajectoryFit, params: np.ndarray, group: int) -> np.ndarray:
    named = dict(zip(fit.names, params, strict=True))
    return np.array([named[f"g{group}:{name}"] for name in fit.recipe.column_names])


# -- trajectories -------------------------------------------------------------------------------------


def test_curves_and_bands_are_those_of_finite_differences(case) -> None:
    data, fit = case
    table = fit.trajectories([0, 1.5, 6], {"region": "north"}, level=0.9)
    assert list(table) == ["group", "t", "mean", "std_error", "conf_low", "conf_high"]
    rows = pd.DataFrame({"t": [0, 1.5, 6], "x": data["x"].mean(), "region": "north"})
    x, inverse = columns(fit, rows), INVERSE[fit.family.name]
    reach = stats.norm.ppf(0.95)
    for g, own in table.groupby("group"):
        eta = x @ coefficients(fit, fit.coefficients, g)
        slopes = differences(lambda p, g=g: x @ coefficients(fit, p, g), fit.coefficients)
        error = np.sqrt(np.diag(slopes @ fit.cov_params().to_numpy() @ slopes.T))
        np.testing.assert_allclose(own["mean"], inverse(eta), rtol=1e-10)
        np.testing.assert_allclose(own["conf_low"], inverse(eta - reach * error), rtol=1e-7)
        np.testing.assert_allclose(own["conf_high"], inverse(eta + reach * error), rtol=1e-7)
        slopes = differences(lambda p, g=g: inverse(x @ coefficients(fit, p, g)), fit.coefficients)
        error = np.sqrt(np.diag(slopes @ fit.cov_params().to_numpy() @ slopes.T))
        np.testing.assert_allclose(own["std_error"], error, rtol=1e-6)


def test_curves_are_predictions_of_each_group(case) -> None:
    data, fit = case
    table = fit.trajectories()
    assert table["t"].tolist() == 2 * list(range(7))
    rows = pd.DataFrame({"t": np.arange(7.0), "x": data["x"].mean(), "region": "south"})
    for g, own in table.groupby("group"):
        np.testing.assert_allclose(own["mean"], fit.predict(rows, group=g), rtol=1e-14)


def test_bands_follow_the_covariance_and_its_degrees_of_freedom() -> None:
    data = panel("gaussian", n=60)
    data["area"] = data["id"].str[-1]
    fit = ft.traj("y ~ t | id", data, groups=2, vcov={"cluster": "area"})
    own = fit.trajectories([2.0])
    vcov = fit.cov_params()
    for g in (1, 2):
        pair = [f"g{g}:Intercept", f"g{g}:t"]
        error = math.sqrt(np.array([1, 2]) @ vcov.loc[pair, pair].to_numpy() @ np.array([1, 2]))
        reach = stats.t.ppf(0.975, 9) * error
        row = own.iloc[g - 1]
        np.testing.assert_allclose(row["std_error"], error, rtol=1e-12)
        np.testing.assert_allclose(row[["conf_low", "conf_high"]].to_list(), row["mean"] + np.array([-reach, reach]))


def test_curves_are_per_unit_of_exposure(rates) -> None:
    data, fit = rates
    rate = fit.trajectories([0, 3])
    b = fit.params
    assert rate["mean"][1] == pytest.approx(math.exp(b["g1:Intercept"] + 3 * b["g1:t"] + 9 * b["g1:I(t ** 2)"]))
    of_ten = fit.trajectories([0, 3], {"size": 10})
    for name in ("mean", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(of_ten[name], 10 * rate[name], rtol=1e-13)
    np.testing.assert_allclose(of_ten["mean"][2:], fit.predict({"t": [0, 3], "size": [10, 10]}, group=2), rtol=1e-14)
    given = ft.traj("y ~ t + I(t^2) | id", data, groups=2, family="poisson", exposure="size", vcov="robust")
    pd.testing.assert_frame_equal(given.trajectories([0, 3]), rate, rtol=1e-6)
    pd.testing.assert_frame_equal(given.trajectories([0, 3], {"size": 10}), of_ten, rtol=1e-6)
    array = ft.traj("y ~ t + I(t^2) | id", data, groups=2, family="poisson", exposure=data["size"], vcov="robust")
    pd.testing.assert_frame_equal(array.trajectories([0, 3]), rate, rtol=1e-6)


def test_an_offset_of_the_time_stays_in_the_curve() -> None:
    data = panel("gaussian", n=60)
    fit = ft.traj("y ~ t + offset(0.5 * t) | id", data, groups=2)
    np.testing.assert_allclose(
        fit.trajectories([4])["mean"], [fit.predict({"t": [4.0]}, group=g)[0] for g in (1, 2)], rtol=1e-14
    )
    two = ft.traj("y ~ t + offset(x * size) | id", data, groups=2)
    with pytest.raises(DataError, match=r"at= sets only a part of offset\(x \* size\); set `size` too"):
        two.trajectories([4], {"x": 1})
    both = two.trajectories([4], {"x": 1, "size": 2})["mean"]
    np.testing.assert_allclose(both - two.trajectories([4])["mean"], 2.0)


def test_means_are_weighted_and_factors_at_their_most_frequent_level() -> None:
    data = panel("gaussian", n=60)
    data["w"] = np.where(data["region"] == "north", 5, 1)
    fit = ft.traj(FORMULA, data, groups=2, weights="w")
    rows = {"t": [2.0], "x": [np.average(data["x"], weights=data["w"])], "region": ["north"]}
    np.testing.assert_allclose(fit.trajectories([2])["mean"][0], fit.predict(rows, group=1)[0], rtol=1e-14)


def test_which_column_is_the_time() -> None:
    data = panel("gaussian", n=60)
    straight = ft.traj("y ~ t + x | id", data, groups=2)
    with pytest.raises(FormulaError, match=r"several numeric columns \(`t`, `x`\); say which is time: times='t'"):
        straight.trajectories()
    assert straight.trajectories("t")["t"].nunique() == 7
    assert straight.trajectories({"x": [0, 1]})["x"].tolist() == [0, 1, 0, 1]
    assert straight.trajectories(at={"x": 0}).columns[1] == "t"
    assert len(straight.trajectories("x")) == 2 * 40
    saturated = ft.traj("y ~ C(t) | id", data, groups=2).trajectories()
    assert saturated["t"].tolist() == 2 * list(range(7))
    with pytest.raises(FormulaError, match="no numeric column"):
        ft.traj("y ~ region | id", data, groups=2).trajectories()
    bins = ft.traj("y ~ cut(t, 3) | id", data, groups=2)
    assert bins.trajectories("t")["mean"].nunique() == 6


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (({"t": [1], "x": [2]},), ValueError, "one variable, and got 2"),
        (("z",), UnknownNameError, "`z` is not read by the formula"),
        ((["a"],), DataError, "`t` must be a list of finite numbers"),
        (([np.nan],), DataError, "finite numbers"),
        (([1], {"t": 2}), FormulaError, "several numeric columns|no numeric"),
        (({"t": [1]}, {"t": 2}), ValueError, "one only of times= and at="),
        (([1], {"X": 2}), UnknownNameError, "did you mean `x`"),
        (([1], {"male": 1}), UnknownNameError, "moves the shares of the groups, not their curves"),
        (([1], {"x": [0, 1]}), ValueError, "one value for each column; `x` has 2"),
        (([1], {"region": "west"}), DataError, "levels that were not in the data"),
    ],
)
def test_refusals_of_trajectories(case, arguments, error, message) -> None:
    _, fit = case
    if arguments == ([1], {"t": 2}):
        # With t held, x is the time.
        assert fit.trajectories(*arguments).columns[1] == "x"
        return
    with pytest.raises(error, match=message):
        fit.trajectories(*arguments)


def test_the_time_has_a_name_of_its_own() -> None:
    data = panel("gaussian", n=60).rename(columns={"t": "mean"})
    with pytest.raises(DataError, match="time is named `mean`"):
        ft.traj("y ~ mean | id", data, groups=1).trajectories()


def test_level_is_a_share(case) -> None:
    with pytest.raises(ValueError, match="level=95"):
        case[1].trajectories([1], level=95)


def test_a_pickle_draws_curves_where_nothing_need_be_known(rates, case) -> None:
    _, fit = rates
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(again.trajectories([0, 3]), fit.trajectories([0, 3]))
    pd.testing.assert_frame_equal(again.raw_powers(), fit.raw_powers())
    with pytest.raises(DataRemovedError, match="choosing times"):
        again.trajectories()
    stripped = case[1].remove_data()
    with pytest.raises(DataRemovedError, match="holding `x`"):
        stripped.trajectories([1], {"region": "south"})
    assert len(stripped.trajectories([1], {"region": "south", "x": 0})) == 2


def test_a_dropped_column_moves_nothing() -> None:
    data = panel("gaussian", n=60)
    data["half"] = data["x"] / 2
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.traj("y ~ poly(t, 2) + x + half | id", data, groups=2)
    lean = ft.traj("y ~ poly(t, 2) + x | id", data, groups=2)
    pd.testing.assert_frame_equal(fit.trajectories([1, 5]), lean.trajectories([1, 5]), rtol=1e-6)
    pd.testing.assert_frame_equal(fit.raw_powers(), lean.raw_powers(), rtol=1e-6)


def held_at_zero(fit: ft.TrajectoryFit, group: int, column: int) -> ft.TrajectoryFit:
    """The same fit with one coefficient at zero, known without error."""
    layout = fit.spec.layout
    beta = layout.beta.copy()
    beta[group - 1, column] = -1
    return replace(fit, spec=replace(fit.spec, layout=replace(layout, beta=beta)))


def test_a_group_without_the_highest_power(case) -> None:
    _, fit = case
    column = fit.recipe.column_names.index("poly(t, 2)[2]")
    lower = held_at_zero(fit, 2, column)
    rows = pd.DataFrame({"t": [6.0], "x": 0.0, "region": "north"})
    x = np.delete(columns(fit, rows)[0], column)
    names = [f"g2:{name}" for j, name in enumerate(fit.recipe.column_names) if j != column]
    eta = x @ fit.params[names]
    error = math.sqrt(x @ fit.cov_params().loc[names, names].to_numpy() @ x)
    own = lower.trajectories([6], {"x": 0, "region": "north"}).iloc[1]
    inverse, reach = INVERSE[fit.family.name], stats.norm.ppf(0.975)
    np.testing.assert_allclose(own["mean"], inverse(eta), rtol=1e-10)
    np.testing.assert_allclose(own["conf_high"], inverse(eta + reach * error), rtol=1e-10)
    powers = lower.raw_powers().query("group == 2")
    assert "t^2" not in list(powers["term"])
    assert "t" in list(powers["term"])


# -- raw powers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "poisson", "logit"])
def test_raw_powers_are_those_of_a_fit_to_them(family) -> None:
    data = panel(family).assign(year=lambda d: 2000 + d["t"])
    bent = ft.traj("y ~ poly(year, 3) + x | id", data, groups=2, family=family)
    raw = ft.traj("y ~ t + I(t^2) + I(t^3) + x | id", data, groups=2, family=family)
    table = ft.traj("y ~ poly(t, 3) + x | id", data, groups=2, family=family).raw_powers()
    assert table["term"].tolist() == 2 * ["Intercept", "t", "t^2", "t^3", "x"]
    names = ["Intercept", "t", "I(t ** 2)", "I(t ** 3)", "x"]
    for g in (1, 2):
        own, theirs = table[table["group"] == g], [f"g{g}:{name}" for name in names]
        np.testing.assert_allclose(own["estimate"], raw.params[theirs], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(own["std_error"], raw.bse[theirs], rtol=1e-6)
        np.testing.assert_allclose(own["p_value"], raw.pvalues[theirs], rtol=1e-5, atol=1e-12)
        np.testing.assert_allclose(own[["conf_low", "conf_high"]], raw.conf_int().loc[theirs], rtol=1e-5, atol=1e-7)
        years = bent.raw_powers("year").query("group == @g").set_index("term")
        np.testing.assert_allclose(years.loc["year^3", "estimate"], own["estimate"].iloc[3], rtol=1e-8)
        np.testing.assert_allclose(years.loc["year^3", "std_error"], own["std_error"].iloc[3], rtol=1e-8)
    again = raw.raw_powers("t")
    np.testing.assert_array_equal(again["estimate"].iloc[:5], raw.params[[f"g1:{name}" for name in names]])


def test_raw_powers_by_a_covariate() -> None:
    data = panel("gaussian")
    table = ft.traj("y ~ poly(t, 2) * region | id", data, groups=2).raw_powers()
    raw = ft.traj("y ~ (t + I(t^2)) * region | id", data, groups=2)
    where = {
        "Intercept": "Intercept",
        "t": "t",
        "t^2": "I(t ** 2)",
        "region[T.south]": "region[T.south]",
        "t:region[T.south]": "t:region[T.south]",
        "t^2:region[T.south]": "I(t ** 2):region[T.south]",
    }
    assert table["term"].tolist() == 2 * list(where)
    theirs = [f"g{g}:{where[term]}" for g, term in zip(table["group"], table["term"], strict=True)]
    np.testing.assert_allclose(table["estimate"], raw.params[theirs], rtol=1e-6)
    np.testing.assert_allclose(table["std_error"], raw.bse[theirs], rtol=1e-6)


@pytest.mark.parametrize("term", ["bs(t, df=4)", "log(t + 1)", "C(t)", "poly(t / 2, 2)", "poly(t, size, degree=2)"])
def test_no_powers_of_what_is_none(term) -> None:
    fit = ft.traj(f"y ~ {term} | id", panel("gaussian", n=60), groups=1)
    with pytest.raises(FormulaError, match="is no polynomial in `t`"):
        fit.raw_powers("t")


# -- predictions --------------------------------------------------------------------------------------


def test_predictions_by_the_covariates_of_membership(case) -> None:
    data, fit = case
    rows = data.head(20)
    b = fit.params
    log_odds = b["membership[2]:Intercept"] + b["membership[2]:male"] * rows["male"]
    p = special.expit(log_odds)
    by_hand = (1 - p) * fit.predict(rows, group=1) + p * fit.predict(rows, group=2)
    np.testing.assert_allclose(fit.predict(rows), by_hand, rtol=1e-12)
    assert fit.predict(rows).index.equals(rows.index)
    with pytest.raises(UnknownNameError, match="male"):
        fit.predict(rows.drop(columns="male"))


def test_predictions_by_the_posterior(case) -> None:
    data, fit = case
    rows = pd.DataFrame({"id": ["u007", "u002", "u007"], "t": [9.0, 1.0, 2.0], "x": 0.0, "region": "north"})
    p = fit.posterior.loc[rows["id"], 2].to_numpy()
    by_hand = (1 - p) * fit.predict(rows, group=1) + p * fit.predict(rows, group=2)
    np.testing.assert_allclose(fit.predict(rows, group="posterior"), by_hand, rtol=1e-12)
    np.testing.assert_allclose(fit.predict(data, group="posterior"), fit.fittedvalues, rtol=1e-12)
    # Names of units in another type of column, and another library.
    np.testing.assert_allclose(fit.predict(rows.astype({"id": "category"}), group="posterior"), by_hand, rtol=1e-12)
    np.testing.assert_allclose(fit.predict(pl.from_pandas(rows), group="posterior"), by_hand, rtol=1e-12)
    with pytest.raises(DataError, match=r"not seen 2 units \(first: 'new', 'newer'\); predict\(newdata, group=fit.as"):
        fit.predict(rows.assign(id=["new", "u002", "newer"]), group="posterior")


def test_predictions_by_what_is_known_so_far(case) -> None:
    data, fit = case
    history = data[data["t"] <= 2]
    known = fit.assign(history)
    rows = pd.DataFrame({"id": ["u011", "u003"], "t": [6.0, 6.0], "x": 0.0, "region": "north"})
    p = known.loc[rows["id"], 2].to_numpy()
    by_hand = (1 - p) * fit.predict(rows, group=1) + p * fit.predict(rows, group=2)
    np.testing.assert_allclose(fit.predict(rows, group=known), by_hand, rtol=1e-12)
    np.testing.assert_allclose(fit.predict(rows, group=known[[2, 1]]), by_hand, rtol=1e-12)
    with pytest.raises(DataError, match=r"no row for 1 units \(first: 'u999'\)"):
        fit.predict(rows.assign(id=["u999", "u003"]), group=known)
    with pytest.raises(DataError, match="columns 1 to 2"):
        fit.predict(rows, group=known.rename(columns={1: "a"}))
    with pytest.raises(DataError, match="a row for each unit"):
        fit.predict(rows, group=pd.concat([known, known]))


def test_predictions_of_the_rows_of_the_fit(case) -> None:
    data, fit = case
    pd.testing.assert_series_equal(fit.predict(), fit.fittedvalues)
    pd.testing.assert_series_equal(fit.predict(group="posterior"), fit.fittedvalues)
    pd.testing.assert_series_equal(fit.predict(group=2), fit.predict(data, group=2))
    with pytest.raises(DataError, match="those of newdata"):
        fit.predict(offset=np.ones(len(data)))
    for wrong in (0, 3, True, "prior", 1.5):
        with pytest.raises(DataError, match="not one of the groups 1 to 2"):
            fit.predict(data, group=wrong)


def test_fitted_values_and_residuals_by_hand(case) -> None:
    data, fit = case
    x, inverse = columns(fit, data), INVERSE[fit.family.name]
    means = np.stack([inverse(x @ coefficients(fit, fit.coefficients, g)) for g in (1, 2)])
    weights = fit.posterior.loc[data["id"]].to_numpy()
    fitted = pd.Series(np.sum(weights.T * means, axis=0), index=data.index)
    pd.testing.assert_series_equal(fit.fittedvalues, fitted, rtol=1e-9)
    pd.testing.assert_series_equal(fit.resid, data["y"] - fitted, rtol=1e-7, check_names=False)


def test_rows_as_units_have_no_posterior_elsewhere() -> None:
    visits = ft.datasets.visits().head(300)
    fit = ft.traj("drvisits ~ age", visits, groups=2, family="poisson")
    with pytest.raises(DataError, match="every row of the fit was a unit"):
        fit.predict(visits, group="posterior")
    np.testing.assert_allclose(fit.predict(visits, group=fit.assign(visits)), fit.fittedvalues, rtol=1e-9)


# -- simulations --------------------------------------------------------------------------------------


def test_simulations_have_the_moments_of_the_model(case) -> None:
    data, fit = case
    drawn = fit.simulate(100, seed=5)
    assert list(drawn) == [*fit.rows.frame.names, "true_group", "draw"]
    assert drawn["draw"].value_counts().eq(len(data)).all()
    assert (drawn.index == np.tile(data.index, 100)).all()
    group = drawn["true_group"].to_numpy()
    means = np.stack([np.tile(fit.predict(data, group=g), 100) for g in (1, 2)])
    mean = means[group - 1, np.arange(len(group))]
    variance = {"gaussian": lambda: fit.params.get("sigma", np.nan) ** 2 + 0 * mean, "poisson": lambda: mean}
    variance |= {"logit": lambda: mean * (1 - mean)}
    z = (drawn["y"].to_numpy() - mean) / np.sqrt(variance[fit.family.name]())
    assert abs(z.mean()) < 4 / math.sqrt(len(z))
    assert z.var() == pytest.approx(1, abs=0.03)
    # One group a unit, drawn by its own covariates.
    units = drawn.groupby(["draw", "id"])["true_group"].agg(["min", "max"])
    assert (units["min"] == units["max"]).all()
    b = fit.params
    for male, own in drawn.drop_duplicates(["draw", "id"]).groupby("male"):
        expected = special.expit(b["membership[2]:Intercept"] + male * b["membership[2]:male"])
        error = math.sqrt(expected * (1 - expected) / len(own))
        assert (own["true_group"] == 2).mean() == pytest.approx(expected, abs=4 * error)


def test_simulations_by_the_posterior(case) -> None:
    _, fit = case
    drawn = fit.simulate(100, seed=2, group="posterior").drop_duplicates(["draw", "id"])
    share = (drawn["true_group"] == 2).groupby(drawn["id"]).mean()
    p = fit.posterior[2]
    # A rare group is drawn once or not at all.
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / 100) + 0.015).all()


def test_a_simulation_is_fitted_again(rates) -> None:
    _, fit = rates
    drawn = fit.simulate(seed=4)
    again = fit.update(". ~ .", drawn)
    assert ((again.params - fit.params).abs() < 5 * fit.bse).all()
    right = again.groups.loc[drawn["id"]].to_numpy() == drawn["true_group"].to_numpy()
    assert right.mean() > 0.8
    pd.testing.assert_frame_equal(fit.simulate(seed=4), drawn)
    assert not fit.simulate(seed=5)["y"].equals(drawn["y"])


def test_a_response_that_is_an_expression_stands_under_its_text() -> None:
    data = panel("poisson", n=60).assign(region=lambda d: pd.Categorical(d["region"], ["south", "north"]))
    fit = ft.traj("log(y + 1) ~ t + region | id", data, groups=2)
    drawn = fit.simulate()
    assert list(drawn) == ["id", "t", "region", "log(y + 1)", "true_group"]
    assert list(drawn["region"].cat.categories) == ["south", "north"]
    ft.traj("`log(y + 1)` ~ t + region | id", drawn, groups=2)


def test_refusals_of_simulations(case) -> None:
    data, fit = case
    with pytest.raises(ValueError, match="n=0"):
        fit.simulate(0)
    with pytest.raises(ValueError, match="group='x' is not known"):
        fit.simulate(group="x")
    with pytest.raises(DataRemovedError, match="simulate"):
        fit.remove_data().simulate()
    named = data.rename(columns={"x": "true_group"})
    with pytest.raises(DataError, match="column `true_group`, which simulate would overwrite"):
        ft.traj("y ~ t + true_group | id", named, groups=1, family=fit.family.name).simulate()


# -- other models -------------------------------------------------------------------------------------


def test_curves_of_different_degrees() -> None:
    data = panel("gaussian", n=60)
    fit = ft.traj("y ~ poly(t, 3) | id", data, groups=2, degrees=(1, 3))
    straight = 1 + fit.spec.degrees.index(1)
    names = [f"g{straight}:Intercept", f"g{straight}:poly(t, 3)[1]"]
    own = fit.trajectories([0, 1, 2, 6]).query("group == @straight")
    np.testing.assert_allclose(np.diff(own["mean"][:3], 2), 0, atol=1e-12)
    t = data["t"].to_numpy()
    x = np.array([1, (6 - t.mean()) / math.sqrt(np.sum((t - t.mean()) ** 2))])
    error = math.sqrt(x @ fit.cov_params().loc[names, names].to_numpy() @ x)
    np.testing.assert_allclose(own["std_error"].iloc[3], error, rtol=1e-10)
    powers = fit.raw_powers().groupby("group")["term"].size()
    assert powers[straight] == 2
    assert powers[3 - straight] == 4


def test_curves_of_coefficients_that_are_equal() -> None:
    data = panel("gaussian", n=60)
    fit = ft.traj("y ~ t + x | id", data, groups=2, constraints=["g1:x = g2:x"])
    slopes = np.zeros((1, len(fit.names)))
    slopes[0, [fit.names.index(f"g2:{name}") for name in fit.recipe.column_names]] = [
        {"Intercept": 1, "t": 3, "x": 2}[name] for name in fit.recipe.column_names
    ]
    own = fit.trajectories({"t": [3]}, {"x": 2}).iloc[1]
    np.testing.assert_allclose(own["mean"], slopes[0] @ fit.params, rtol=1e-12)
    np.testing.assert_allclose(
        own["std_error"] ** 2, (slopes @ fit.cov_params().to_numpy() @ slopes.T).item(), rtol=1e-10
    )


def test_a_density_of_ones_own_has_curves_but_no_simulation() -> None:
    def log_density(y: Any, eta: Any, sigma: Any) -> Any:
        return -((y + eta) ** 2) / (2 * sigma**2) - sigma.log()

    falling = ft.families.Density("falling", log_density, mean=lambda eta: -eta, positive="sigma")
    data = panel("gaussian", n=60)
    own = ft.traj("y ~ t | id", data, groups=2, family=falling)
    normal = ft.traj("y ~ t | id", data, groups=2).trajectories([0, 6])
    pd.testing.assert_frame_equal(own.trajectories([0, 6]), normal, rtol=1e-5)
    with pytest.raises(DataError, match="'falling' is given by its density, which says nothing of how to draw"):
        own.simulate()
