"""The closed forms of a mixture against automatic differentiation, and the layouts against one another."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.func import grad, hessian

from formula_torch.families import BERNOULLI, GAUSSIAN, POISSON, Density
from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.compress import UnitRows, compressed
from formula_torch.models.mixture.elementwise import component_of
from formula_torch.models.mixture.expectation import em_step, maximised
from formula_torch.numerics.threads import threads_for

FAMILIES = [GAUSSIAN, POISSON, BERNOULLI]
GROUPS = 3


@pytest.fixture(autouse=True)
def one_thread():
    """Small sums in several threads, beside other workers, wait for one another."""
    with threads_for(0.0):
        yield


def simulated(family, balanced: bool, offset: bool = False) -> UnitRows:
    draw = np.random.default_rng(4)
    n, times = 40, np.arange(6.0)
    unit, t = np.repeat(np.arange(n), 6), np.tile(times, n)
    kept = np.ones(len(t), dtype=bool) if balanced else draw.random(len(t)) > 0.25
    kept[::6] = True
    unit, t = unit[kept], t[kept]
    x = torch.from_numpy(np.column_stack([np.ones_like(t), t / 3 - 1, (t / 3 - 1) ** 2]))
    eta = 0.5 + 0.6 * (unit % 3) + 0.3 * t / 6
    y = {"gaussian": lambda: eta + draw.normal(size=len(t)), "poisson": lambda: draw.poisson(np.exp(eta))}.get(
        family.name, lambda: draw.random(len(t)) < 1 / (1 + np.exp(-eta))
    )()
    shift = torch.from_numpy(draw.normal(size=len(t)) * 0.3) if offset else None
    cells = torch.from_numpy(t.astype(np.int64)) if not offset else torch.arange(len(t))
    return UnitRows(x, torch.from_numpy(np.asarray(y, float)), torch.from_numpy(unit), n, cells, shift)


def mixture_of(family, rows: UnitRows, m: int = 1, prior: float = 0.0) -> Mixture:
    draw = torch.Generator().manual_seed(2)
    weights = torch.rand(rows.n_units, generator=draw, dtype=torch.float64) + 0.5
    z = torch.cat([torch.ones(1, rows.n_units), torch.randn(m - 1, rows.n_units, generator=draw)]).double()
    units, _ = compressed(rows, family, weights, z)
    free = torch.eye(GROUPS * (3 + int(family.dispersed) + m), dtype=torch.float64)
    return Mixture(units, component_of(family, common=False), GROUPS, free, prior, float(weights.sum()))


def somewhere(mixture: Mixture, seed: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(1, GROUPS, mixture.size, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("kind", ["balanced", "unbalanced", "offset"])
def test_value_equals_the_sum_over_rows(family, kind) -> None:
    rows = simulated(family, kind == "balanced", kind == "offset")
    mixture = mixture_of(family, rows)
    theta = somewhere(mixture)
    x, y, unit = rows.x.numpy(), rows.y.numpy(), rows.unit.numpy()
    shift = 0.0 if rows.offset is None else rows.offset.numpy()
    weights = torch.rand(rows.n_units, generator=torch.Generator().manual_seed(2), dtype=torch.float64).numpy() + 0.5
    parts = theta[0].numpy()
    share = np.exp(parts[:, -1]) / np.exp(parts[:, -1]).sum()
    density = np.zeros((GROUPS, rows.n_units))
    for g in range(GROUPS):
        eta = x @ parts[g, :3] + shift
        if family is GAUSSIAN:
            sigma = math.exp(parts[g, 3])
            each = -0.5 * math.log(2 * math.pi) - math.log(sigma) - (y - eta) ** 2 / (2 * sigma**2)
        elif family is POISSON:
            each = y * eta - np.exp(eta) - np.array([math.lgamma(v + 1) for v in y])
        else:
            each = y * eta - np.logaddexp(0, eta)
        density[g] = np.bincount(unit, each, rows.n_units)
    expected = weights @ np.log(share @ np.exp(density))
    np.testing.assert_allclose(float(mixture(theta).value), expected, rtol=1e-11)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("prior", [0.0, 0.7])
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_derivatives_equal_automatic_ones(family, balanced, m, prior) -> None:
    mixture = mixture_of(family, simulated(family, balanced), m, prior)
    theta = somewhere(mixture)

    def value(flat: torch.Tensor) -> torch.Tensor:
        at = mixture(flat.reshape(theta.shape))
        return (at.value + at.penalty)[0]

    found, gradient, second = mixture.derivatives(theta)
    flat = theta.flatten()
    exact, curvature = grad(value)(flat), hessian(value)(flat)
    np.testing.assert_allclose(float(found), float(value(flat)), rtol=1e-13)
    np.testing.assert_allclose(gradient[0], exact, rtol=1e-11, atol=1e-11 * exact.abs().max())
    np.testing.assert_allclose(second[0], curvature, rtol=1e-10, atol=1e-11 * curvature.abs().max())
    summed = (mixture.unit_scores(theta)[0] * mixture.units.weights).sum(-1)
    np.testing.assert_allclose(summed, exact, rtol=1e-11, atol=1e-11 * exact.abs().max())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("prior", [0.0, 0.7])
def test_em_never_falls(family, m, prior) -> None:
    mixture = mixture_of(family, simulated(family, balanced=False), m, prior)
    theta = torch.cat([somewhere(mixture, seed) for seed in range(20)])
    theta[:, 0, mixture.size - m :] = 0.0
    before = mixture.objective(theta)
    for _ in range(20):
        theta = em_step(mixture, theta)
        after = mixture.objective(theta)
        assert (after >= before - 1e-9 * before.abs()).all()
        before = after


@pytest.mark.parametrize("family", [POISSON, BERNOULLI], ids=lambda f: f.name)
@pytest.mark.parametrize("balanced", [True, False])
def test_joined_units_count_as_themselves(family, balanced) -> None:
    rows = simulated(family, balanced)
    repeated = UnitRows(
        torch.cat([rows.x, rows.x]),
        torch.cat([rows.y, rows.y]),
        torch.cat([rows.unit, rows.unit + rows.n_units]),
        2 * rows.n_units,
        torch.cat([rows.cells, rows.cells]),
    )
    ones = torch.ones(2 * rows.n_units, dtype=torch.float64)
    units, profile = compressed(repeated, family, ones, ones[None])
    assert units.n <= rows.n_units
    assert len(profile) == 2 * rows.n_units
    single, _ = compressed(rows, family, ones[: rows.n_units], ones[None, : rows.n_units])
    free, component = torch.eye(GROUPS * 4, dtype=torch.float64), component_of(family, common=True)
    twice, once = (Mixture(u, component, GROUPS, free, 0.0, float(u.weights.sum())) for u in (units, single))
    theta = somewhere(once)
    np.testing.assert_allclose(twice(theta).value, 2 * once(theta).value, rtol=1e-12)
    own = twice(theta).posterior[0][:, profile]
    np.testing.assert_allclose(own[:, : rows.n_units], own[:, rows.n_units :], rtol=1e-12)


def as_density(family) -> Density:
    """The same distribution with nothing known but its log-density."""
    if family.dispersed:
        return Density(family.name, family.row_loglik, family.mean, positive="sigma")
    return Density(family.name, lambda y, eta: family.row_loglik(y, eta, torch.ones_like(eta)), family.mean)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("prior", [0.0, 0.7])
def test_a_density_alone_gives_what_the_closed_forms_give(family, offset, prior) -> None:
    rows = simulated(family, balanced=False, offset=offset)
    closed, own = mixture_of(family, rows, 2, prior), mixture_of(as_density(family), rows, 2, prior)
    theta = torch.cat([somewhere(closed, seed) for seed in range(3)])
    for a, b in zip(closed.derivatives(theta), own.derivatives(theta), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * float(a.abs().max()))
    np.testing.assert_allclose(closed.unit_scores(theta), own.unit_scores(theta), rtol=1e-9, atol=1e-9)
    if family is not GAUSSIAN:
        # Membership is not free of a common shift here: only trajectories are determined.
        a, b = (mixture.beta(maximised(mixture, theta)) for mixture in (closed, own))
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("family", [*FAMILIES, as_density(POISSON)], ids=["normal", "poisson", "logit", "density"])
@pytest.mark.parametrize("offset", [False, True])
@pytest.mark.parametrize("m", [1, 2])
def test_parts_of_units_and_starts_sum_to_the_whole(family, offset, m, monkeypatch) -> None:
    rows = simulated(family, balanced=False, offset=offset)
    whole = mixture_of(family, rows, m, 0.5)
    theta = torch.cat([somewhere(whole, seed) for seed in range(5)])
    once = [*whole.derivatives(theta), whole.objective(theta), whole.psi(maximised(whole, theta))]
    monkeypatch.setattr("formula_torch.models.mixture.likelihood.CELLS_AT_ONCE", 150)
    parted = mixture_of(family, rows, m, 0.5)
    assert len(parted.parts) > 2
    assert len({starts.start for starts, _, _ in parted.pieces(5)}) > 1
    again = [*parted.derivatives(theta), parted.objective(theta), parted.psi(maximised(parted, theta))]
    for a, b in zip(once, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11 * float(a.abs().max()))
