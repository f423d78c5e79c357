"""Bootstrap and jackknife of trajectory models, against fits to the units copied out, left out and drawn."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, InferenceWarning
from formula_torch.numerics.random import generator_of, resampled_counts

FORMULA = "y ~ t | id"
FAMILIES = ("gaussian", "poisson", "logit")


def panel(family: str, n: int = 90, seed: int = 2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    upper = draw.random(n) < 0.4
    unit, t = np.repeat(np.arange(n), 6), np.tile(np.arange(6.0), n)
    eta = np.where(upper[unit], 1.6 - 0.1 * t, -0.4 + 0.2 * t)
    y = {
        "gaussian": lambda: 1.5 * eta + draw.normal(size=len(t)),
        "poisson": lambda: draw.poisson(np.exp(eta)).astype(float),
        "logit": lambda: (draw.random(len(t)) < 1 / (1 + np.exp(-1.5 * eta))).astype(float),
    }[family]()
    return pd.DataFrame({"id": unit, "t": t, "y": y, "place": unit % 10})


def copied(data: pd.DataFrame, counts: np.ndarray) -> pd.DataFrame:
    """Units as often as they count, each copy a unit of its own."""
    order = np.repeat(np.arange(len(counts)), counts)
    rows = [data[data["id"] == unit].assign(id=copy) for copy, unit in enumerate(order)]
    return pd.concat(rows, ignore_index=True)


def fitted(data: pd.DataFrame, family: str = "gaussian", **options) -> ft.TrajectoryFit:
    # Shares may change places from draw to draw, which the numbers of the groups do not follow.
    return ft.traj(FORMULA, data, groups=2, family=family, order="mean", **options)


@pytest.fixture(scope="module", params=FAMILIES)
def case(request) -> tuple[str, pd.DataFrame, ft.TrajectoryFit]:
    data = panel(request.param)
    return request.param, data, fitted(data, request.param)


@pytest.fixture(scope="module")
def normal() -> tuple[pd.DataFrame, ft.TrajectoryFit]:
    data = panel("gaussian")
    return data, fitted(data)


# -- what a draw is -------------------------------------------------------------------------------


def test_a_draw_is_the_fit_to_the_units_copied_out(case) -> None:
    family, data, fit = case
    counts = resampled_counts(generator_of(7), 2, 90)
    draws = fit.bootstrap(draws=2, seed=7).draws.to_numpy()
    for row, drawn in zip(counts.numpy().astype(int), draws, strict=True):
        again = fitted(copied(data, row), family)
        np.testing.assert_allclose(drawn, again.params, rtol=1e-5, atol=1e-7)


def test_leaving_a_unit_out_is_the_fit_without_it(case) -> None:
    family, data, fit = case
    left_out = fit.jackknife().left_out
    assert left_out.shape == (90, len(fit.names))
    for unit in (0, 41):
        again = fitted(data[data["id"] != unit], family, start=fit, starts=0)
        np.testing.assert_allclose(left_out.loc[unit], again.params, rtol=1e-6, atol=1e-9)


def test_influence_is_the_derivative_in_the_count_of_a_unit(case) -> None:
    *_, fit = case
    refit, h = fit.resampler, 1e-4
    influence = refit.influence()
    for unit in (3, 70):
        counts = torch.ones(2, 90, dtype=torch.float64)
        counts[:, unit] += torch.tensor([h, -h])
        up, down = refit.refit(counts)
        np.testing.assert_allclose(influence[unit], (up - down) / (2 * h), rtol=1e-4, atol=1e-7)
    # Units pull the estimate to where they balance.
    np.testing.assert_allclose(influence.sum(axis=0), 0, atol=1e-6)


def test_no_change_of_counts_changes_nothing(case) -> None:
    *_, fit = case
    same = fit.resampler.refit(torch.ones(1, 90, dtype=torch.float64))[0]
    np.testing.assert_allclose(same, fit.coefficients, rtol=1e-6)


# -- what the draws are for -----------------------------------------------------------------------


def test_errors_are_near_those_of_the_sandwich(normal) -> None:
    _, fit = normal
    robust = fit.with_vcov("robust").bse
    resamples = fit.bootstrap(draws=200, seed=1)
    # 200 draws know an error to 1 / sqrt(400), some 5%; 90 units differ from very many by some more.
    np.testing.assert_allclose(resamples.bse, robust, rtol=0.2)
    np.testing.assert_allclose(fit.jackknife().bse, robust, rtol=0.05)
    assert (fit.bootstrap(draws=20, seed=3).draws == fit.bootstrap(draws=20, seed=3).draws).all(axis=None)
    again = fit.with_vcov(resamples.vcov)
    assert again.bse.equals(resamples.bse)
    assert "bootstrap" in str(again.summary())
    interval = resamples.conf_int(method="bca")
    assert ((interval[0] < fit.params) & (fit.params < interval[1])).all()


def test_whole_weights_are_copies(normal) -> None:
    data, _ = normal
    counts = 1 + np.arange(90) % 2
    weighted = fitted(data.assign(w=counts[data["id"]]), weights="w")
    spread = fitted(copied(data, counts))
    ours, theirs = weighted.jackknife(), spread.jackknife()
    assert ours.n_units == theirs.n_units == 135
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-6)
    np.testing.assert_allclose(ours.left_out, theirs.left_out, rtol=1e-6)
    assert weighted.bootstrap(draws=2, seed=1).n_units == 135


def test_clusters_of_units(normal) -> None:
    data, _ = normal
    fit = fitted(data, vcov={"cluster": "place"})
    left_out = fit.jackknife(cluster="place")
    assert repr(left_out) == "<Jackknife: without each of 10 clusters of `place`>"
    again = fitted(data[data["place"] != 4], start=fit, starts=0)
    np.testing.assert_allclose(left_out.left_out.loc[4], again.params, rtol=1e-6)
    np.testing.assert_allclose(left_out.bse, fit.bse, rtol=0.25)
    own = fit.bootstrap(cluster="id", draws=5, seed=2)
    np.testing.assert_allclose(own.draws, fit.bootstrap(draws=5, seed=2).draws, rtol=1e-9)
    resamples = fit.bootstrap(cluster="place", draws=3, seed=2)
    counts = resampled_counts(generator_of(2), 3, 10).numpy().astype(int)
    whole = fitted(copied(data, counts[0][np.arange(90) % 10]), start=fit, starts=0)
    np.testing.assert_allclose(resamples.draws.loc[0], whole.params, rtol=1e-5, atol=1e-7)


def test_draws_that_lose_a_group_are_counted() -> None:
    data = panel("gaussian", 40)
    few = data["id"] < 3
    data["y"] = np.where(few, data["y"] + 40.0, panel("gaussian", 40)["y"] * 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)
        fit = fitted(data)
    counts = resampled_counts(generator_of(5), 100, 40)
    lost = int((counts[:, :3].sum(dim=1) == 0).sum())
    assert 0 < lost <= 10
    with pytest.warns(InferenceWarning, match=f"^{lost} of 100 draws have no maximum"):
        resamples = fit.bootstrap(draws=100, seed=5)
    assert resamples.failed == lost
    assert f"{lost} failed" in repr(resamples)
    alone = data[(data["id"] > 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)
        lonely = fitted(alone)
    with pytest.raises(DataError, match="would not be a sample"):
        lonely.bootstrap(draws=30, seed=1)
    with pytest.warns(InferenceWarning, match="without 1 of the 38 units"):
        assert lonely.jackknife().bse.isna().all()


def test_what_cannot_be_resampled_is_said(normal) -> None:
    data, fit = normal
    with pytest.raises(DataRemovedError):
        pickle.loads(pickle.dumps(fit)).bootstrap(draws=9)
    with pytest.raises(DataError, match="needs at least 2 clusters"):
        fit.jackknife(cluster=np.zeros(len(data)))
    with pytest.raises(DataError, match="varies within"):
        fit.bootstrap(cluster=np.arange(len(data)), draws=9)
    halves = fitted(data.assign(w=0.5), weights="w")
    with pytest.raises(DataError, match="not whole numbers"):
        halves.bootstrap(draws=9)
    with pytest.raises(ValueError, match="draws=1"):
        fit.bootstrap(draws=1)


# -- numbers of groups ----------------------------------------------------------------------------


def test_likelihood_ratio_of_numbers_of_groups_by_the_bootstrap(normal) -> None:
    data, two = normal
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)  # the third group is not real
        one, three = (ft.traj(FORMULA, data, groups=k, starts=5) for k in (1, 3))
    real = two.bootstrap_lr_test(one, draws=9, seed=1)
    assert real.statistic == 2 * (two.llf - one.llf)
    assert real.p_value == 1 / 10
    spurious = three.bootstrap_lr_test(two, draws=9, seed=1)
    assert spurious.p_value > 0.1
    assert spurious.p_value == (1 + (spurious.draws >= spurious.statistic).sum()) / 10
    assert "2 against 3 groups" in repr(spurious)


@pytest.mark.filterwarnings("ignore::formula_torch.errors.InferenceWarning")
def test_a_draw_of_the_ratio_is_that_of_simulated_data(normal) -> None:
    data, _ = normal
    half = np.arange(len(data)) % 6 < 5
    one, few = (ft.traj(FORMULA, data, groups=k, starts=5, subset=half) for k in (1, 2))
    ratio = few.bootstrap_lr_test(one, draws=1, seed=4).draws[0]
    drawn = one.simulate(seed=int(torch.randint(0, 2**31, (1,), generator=generator_of(4))))
    own = [ft.traj(FORMULA, drawn, groups=k, starts=5).llf for k in (1, 2)]
    np.testing.assert_allclose(ratio, 2 * (own[1] - own[0]), rtol=1e-7)


def test_a_ratio_needs_two_models_of_the_same_data(normal) -> None:
    data, two = normal
    one = ft.traj(FORMULA, data, groups=1)
    with pytest.raises(DataError, match="of the model with more groups"):
        one.bootstrap_lr_test(two)
    with pytest.raises(DataError, match="different rows"):
        two.bootstrap_lr_test(ft.traj(FORMULA, data[data["t"] > 0], groups=1))
    moved = [ft.traj("I(y + 1) ~ t | id", data, groups=k) for k in (1, 2)]
    with pytest.raises(DataError, match="is an expression"):
        moved[1].bootstrap_lr_test(moved[0])
    with pytest.raises(ValueError, match="draws=0"):
        two.bootstrap_lr_test(one, draws=0)


def test_units_of_weight_are_not_drawn(normal) -> None:
    data, _ = normal
    counted = data.assign(w=1 + data["id"] % 3)
    one, two = (ft.traj(FORMULA, counted, groups=k, starts=3, weights="w") for k in (1, 2))
    with pytest.raises(DataError, match="one draw would be w copies; repeat the rows under ids of their own"):
        two.bootstrap_lr_test(one, draws=1)
    ones = [ft.traj(FORMULA, data.assign(w=1), groups=k, starts=3, weights="w") for k in (1, 2)]
    plain = [ft.traj(FORMULA, data, groups=k, starts=3) for k in (1, 2)]
    ratios = [large.bootstrap_lr_test(small, draws=1, seed=6).draws[0] for small, large in (ones, plain)]
    np.testing.assert_allclose(*ratios, rtol=1e-8)


def test_bars_do_not_nest(normal, capsys) -> None:
    data, _ = normal
    one, two = (ft.traj(FORMULA, data, groups=k, starts=3, progress=True) for k in (1, 2))
    assert "2 groups" in capsys.readouterr().err
    two.bootstrap_lr_test(one, draws=2, progress=True)
    shown = capsys.readouterr().err
    assert "bootstrap: 100%" in shown
    assert "groups" not in shown
