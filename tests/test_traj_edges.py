"""Trajectory models at the edge of what numbers, constraints and data allow."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataError, FormulaError, InferenceWarning


def panel(n: int = 120, seed: int = 2) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    group = draw.choice(3, n, p=[0.5, 0.3, 0.2])
    unit, t = np.repeat(np.arange(n), 5), np.tile(np.arange(5.0), n)
    eta = np.array([0.0, 2.0, 4.0])[group][unit] + np.array([0.3, -0.2, 0.1])[group][unit] * t
    x = draw.normal(size=len(t))
    y = eta + 0.3 * x + 0.7 * draw.normal(size=len(t))
    count = draw.poisson(np.exp(eta / 2))
    male = (draw.random(n) < 0.5).astype(float)[unit]
    return pd.DataFrame({"id": unit, "t": t, "x": x, "y": y, "count": count, "male": male, "e": 1.0})


DATA = panel()


# -- numbers --------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:the columns are nearly dependent")
@pytest.mark.parametrize("vcov", ["iid", "robust"])
@pytest.mark.parametrize("degree", [2, 3])
def test_bands_keep_their_digits_on_raw_powers_of_a_year(vcov, degree) -> None:
    data = DATA.assign(year=DATA["t"] + 2010)
    raw = " + ".join(["year", *(f"I(year^{d})" for d in range(2, degree + 1))])
    at = {"year": [2010, 2012, 2014]}
    one = ft.traj(f"y ~ {raw} | id", data, groups=3, vcov=vcov).trajectories(times=at)
    other = ft.traj(f"y ~ poly(year, {degree}) | id", data, groups=3, vcov=vcov).trajectories(times=at)
    # Raw cubes of a year have a condition of 1e17 or so: nine digits are what is left of the columns themselves.
    np.testing.assert_allclose(one["mean"], other["mean"], rtol=1e-6)
    np.testing.assert_allclose(one["std_error"], other["std_error"], rtol=1e-4 if degree == 3 else 1e-7)


@pytest.mark.parametrize("shift", [1e6, 1e8])
def test_assignment_keeps_its_digits_far_from_zero(shift) -> None:
    data = DATA.assign(y=DATA["y"] + shift)
    fit = ft.traj("y ~ t + x | id", data, groups=3)
    # y itself has 16 digits: at 1e8 eight are left for what is assigned.
    np.testing.assert_allclose(fit.assign(data), fit.posterior, atol=1e-15 * shift * 100)


@pytest.mark.parametrize("scale", [1e-80, 1e12, 1e80])
def test_units_of_the_response_never_matter(scale) -> None:
    fit = ft.traj("y ~ t + x | id", DATA, groups=3, membership="male")
    moved = ft.traj("y ~ t + x | id", DATA.assign(y=DATA["y"] * scale), groups=3, membership="male")
    assert moved.llf == pytest.approx(fit.llf - len(DATA) * np.log(scale), rel=1e-10)
    np.testing.assert_allclose(moved.tvalues, fit.tvalues, rtol=1e-6)
    assert moved.search.replicated > 1


def test_a_response_that_lies_on_the_curves_has_no_maximum() -> None:
    exact = DATA.assign(y=np.where(DATA["id"] % 2 == 0, 1.0, 3.0))
    with pytest.raises(DataError, match=r"does not vary about 2 curves|has no bound"):
        ft.traj("y ~ t | id", exact, groups=2)
    few = DATA[DATA["id"] < 4].query("t < 2")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ft.traj("y ~ t | id", few, groups=4)
    assert any("sigma goes to zero" in str(w.message) for w in told)


@pytest.mark.parametrize("groups", [1, 2])
def test_nothing_known_has_no_error(groups) -> None:
    with pytest.warns(InferenceWarning, match="do not determine"):
        fit = ft.traj("y ~ t | id", DATA.assign(y=0.0), groups=groups, family="poisson")
    assert fit.bse.isna().all()


def test_a_small_sigma_is_pointed_at() -> None:
    data = DATA.assign(y=np.where(DATA["id"] < 50, 10 + DATA["t"] + 0.01 * DATA["x"], DATA["y"]))
    with pytest.warns(InferenceWarning, match=r"sigma of group \d .* is less than 5% of the largest"):
        ft.traj("y ~ t | id", data, groups=2, dispersion="group")


# -- constraints and degrees ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "constraints",
    [["g1:x = 0.1", "g1:x = 0.2"], ["g1:x = g2:x", "g2:x = g3:x", "g1:x = g3:x + 1"], ["g1:t = 0", "g1:t = 1e-4"]],
)
def test_contradictions_are_refused(constraints) -> None:
    with pytest.raises(FormulaError, match="contradict one another"):
        ft.traj("y ~ t + x | id", DATA, groups=3, constraints=constraints)


@pytest.mark.parametrize("constraints", [{"g1:x": 1}, [1], 3])
def test_constraints_are_text(constraints) -> None:
    with pytest.raises(FormulaError, match="equations as text"):
        ft.traj("y ~ t + x | id", DATA, groups=3, constraints=constraints)


def test_constraints_that_leave_nothing_free_are_refused() -> None:
    names = ("Intercept", "t")
    with pytest.raises(FormulaError, match="leave no parameter free"):
        ft.traj("count ~ t | id", DATA, groups=1, family="poisson", constraints=[f"g1:{name} = 0.5" for name in names])


def test_equal_shares_may_be_asked_for() -> None:
    fit = ft.traj("y ~ t | id", DATA, groups=2, constraints="membership[2]:Intercept = 0")
    np.testing.assert_allclose(fit.shares["share"], 0.5, rtol=1e-12)
    assert fit.bse["membership[2]:Intercept"] == 0
    assert fit.llf < ft.traj("y ~ t | id", DATA, groups=2).llf


def test_held_values_are_exact_and_have_no_error() -> None:
    fit = ft.traj("y ~ t + x | id", DATA, groups=3, constraints=["g1:t = 0.25", "g2:x = 0"])
    assert (fit.params["g1:t"], fit.params["g2:x"]) == (0.25, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        robust = fit.with_vcov("robust")
    for one in (fit, robust):
        assert (one.bse["g1:t"], one.bse["g2:x"]) == (0.0, 0.0)
        assert (one.bse.drop(["g1:t", "g2:x"]) > 0).all()


def test_numbers_of_groups_do_not_hang_on_the_order_of_units() -> None:
    shuffled = DATA.assign(id=np.random.default_rng(1).permutation(120)[DATA["id"]])
    for constraint in ("g1:x = g2:x", "g2:t = 0"):
        one, other = (ft.traj("y ~ t + x | id", d, groups=3, constraints=constraint) for d in (DATA, shuffled))
        np.testing.assert_allclose(one.params, other.params, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("formula", "degrees", "message"),
    [
        ("y ~ I(t/10) + I(t^2) | id", (0, 1, 2), "is no power of it"),
        ("y ~ t + I(t^2) + log(t + 1) | id", (0, 1, 2), "is no power of it"),
        ("y ~ 0 + poly(t, 2) | id", (0, 1, 2), "without a column"),
        ("y ~ poly(t, 2) | id", 2, "3 whole numbers"),
        ("y ~ poly(t, 2) | id", [2, 1, np.nan], "whole numbers"),
        ("y ~ poly(t, 2) | id", ("a", 1, 1), "whole numbers"),
    ],
)
def test_degrees_that_would_not_be_what_they_say(formula, degrees, message) -> None:
    with pytest.raises((FormulaError, ValueError), match=message):
        ft.traj(formula, DATA, groups=3, degrees=degrees)


def test_degrees_with_an_aliased_power() -> None:
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.traj("y ~ t + t:one + I(t^2) | id", DATA.assign(one=1.0), groups=3, degrees=(0, 1, 2))
    same = ft.traj("y ~ poly(t, 2) | id", DATA, groups=3, degrees=(0, 1, 2))
    assert fit.llf == pytest.approx(same.llf, rel=1e-10)


def test_every_assignment_of_degrees_is_tried() -> None:
    data = DATA.assign(w=DATA["y"] + np.where(DATA["id"] % 4 == 0, 0.8 * (DATA["t"] - 2) ** 2, 0))
    best = ft.traj("w ~ poly(t, 2) | id", data, groups=3, degrees=(2, 1, 1))
    # By hand: the quadratic held at zero in two groups, each pair of them in turn.
    others = [
        ft.traj(
            "w ~ poly(t, 2) | id",
            data,
            groups=3,
            constraints=[f"g{g}:poly(t, 2)[2] = 0" for g in (1, 2, 3) if g != free],
        ).llf
        for free in (1, 2, 3)
    ]
    assert best.llf == pytest.approx(max(others), rel=1e-10)


# -- covariances, seeds, starts -------------------------------------------------------------------


def test_units_are_no_series() -> None:
    with pytest.raises(DataError, match="over time"):
        ft.traj("y ~ t | id", DATA, groups=2, vcov={"HAC": 2})


def test_one_unit_has_no_sandwich() -> None:
    with pytest.raises(DataError, match="at least 2 units"):
        ft.traj("y ~ t | id", DATA[DATA["id"] == 0], groups=1, vcov="robust")


def test_scores_with_a_prior_sum_to_zero() -> None:
    fit = ft.traj("count ~ t | id", DATA, groups=3, family="poisson", membership="male", prior=5.0)
    scores = fit.moments().scores()
    assert np.abs(scores.by(np.zeros(120, dtype=int), 1)).max() < 1e-6


def test_seeds_of_any_integer_type() -> None:
    one, other = (ft.traj("y ~ t | id", DATA, groups=np.int64(2), seed=seed) for seed in (3, np.int64(3)))
    np.testing.assert_array_equal(one.params, other.params)
    with pytest.raises(ValueError, match="beyond 64 bits"):
        ft.traj("y ~ t | id", DATA, groups=2, seed=2**70)


def test_a_start_of_another_family_lacks_a_sigma() -> None:
    counts = ft.traj("count ~ t | id", DATA, groups=3, family="poisson")
    fit = ft.traj("y ~ t | id", DATA, groups=3, start=counts)
    assert fit.search.failed == 0
    assert fit.llf == pytest.approx(ft.traj("y ~ t | id", DATA, groups=3).llf, rel=1e-10)
    alone = ft.traj("y ~ t | id", DATA, groups=3, start=counts, starts=0)
    assert (alone.search.starts, alone.search.asked) == (1, 0)
    for bad in (np.nan, "a"):
        with pytest.raises(DataError, match="sigma that is not a positive number"):
            ft.traj("y ~ t | id", DATA, groups=3, start={**alone.params, "sigma": bad})


def test_large_weights_cost_no_memory() -> None:
    fit = ft.traj("y ~ t | id", DATA.assign(w=1e9), groups=2, weights="w")
    once = ft.traj("y ~ t | id", DATA, groups=2)
    np.testing.assert_allclose(fit.params, once.params, rtol=1e-8)
    np.testing.assert_allclose(fit.bse * np.sqrt(1e9), once.bse, rtol=1e-7)


# -- new units ------------------------------------------------------------------------------------


def test_new_units_are_refused_what_those_of_the_fit_are() -> None:
    fit = ft.traj("count ~ t | id", DATA, groups=2, family="poisson", membership="male", exposure="e")
    with pytest.raises(DataError, match="`male`, a covariate of membership, varies within"):
        fit.assign(DATA.assign(male=DATA["t"]))
    with pytest.raises(DataError, match="exposure is zero or negative"):
        fit.assign(DATA.assign(e=0.0))


def test_a_constant_covariate_of_membership_is_named() -> None:
    with pytest.warns(ft.errors.CollinearityWarning, match="`one` is a combination of `Intercept`|`one` is constant"):
        ft.traj("y ~ t | id", DATA.assign(one=1.0), groups=2, membership="one")


# -- many units -----------------------------------------------------------------------------------


def test_a_search_by_way_of_a_sample_says_so_and_keeps_the_start() -> None:
    data = panel(4_000, seed=8)
    fit = ft.traj("y ~ t | id", data, groups=3)
    assert fit.search.sampled == 2_000
    assert "on a sample of 2,000 units" in str(fit.summary())
    assert max(fit.search.values) == pytest.approx(fit.llf, rel=1e-12)
    start = fit.params + 0.01
    again = ft.traj("y ~ t | id", data, groups=3, start=start, starts=1, seed=5)
    assert again.llf == pytest.approx(fit.llf, rel=1e-12)
    alone = ft.traj("y ~ t | id", data, groups=3, start=start, starts=0)
    assert alone.llf == pytest.approx(fit.llf, rel=1e-12)
    assert alone.search.sampled is None
