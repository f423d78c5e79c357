"""From starts to the best maximum, its groups in order of their share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.ascent import Ascent
from formula_torch.models.mixture.compress import UnitRows
from formula_torch.models.mixture.elementwise import component_of
from formula_torch.models.mixture.starts import features, memberships, started
from formula_torch.models.mixture.units import Units
from formula_torch.solvers.multistart import Found, distinct, search
from formula_torch.solvers.newton import climb
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.constraints import Constraints

__all__ = ["ORDERS", "Starts", "mixture_of", "order_of", "pooled_start", "searched"]

# Above so many distinct units starts are climbed on a sample of them.
MANY_UNITS = 3_000
SAMPLED_UNITS = 2_000
SETTLING_STEPS = 3
# One group of all units is where starts begin; its climb is short.
POOLED_STEPS = 3
# A group whose sigma is this share of the pooled one has collapsed onto its units.
COLLAPSED = 1e-4
# Orders in which the groups of an unconstrained solution are tried, and EM steps of each.
MOST_ORDERS = 24
KEPT_ORDERS = 2
TRIAL_STEPS = 5


@dataclass(frozen=True, eq=False)
class Starts:
    """Where the search begins.

    Parameters
    ----------
    pooled : Tensor, shape (D,)
        One group of all units.
    features : Tensor, shape (n, f)
        Of the distinct units.
    given : Tensor, shape (B, K, D)
        Those of the user.
    """

    pooled: Tensor
    features: Tensor
    given: Tensor


def mixture_of(asked: Asked, statistics: Units, free: Tensor, groups: int, least_sigma: float = 0.0) -> Mixture:
    """The likelihood, with the directions in which its parameters are free."""
    component = component_of(asked.family, common=asked.dispersion == "common")
    total = float(statistics.weights.sum())
    return Mixture(statistics, component, groups, free, asked.prior, total, least_sigma)


def pooled_start(asked: Asked, statistics: Units, tick: Callable[[], object]) -> Tensor:
    """Climb to the maximum of one group, shape (D,)."""
    shape = (1, statistics.p, int(asked.family.dispersed), statistics.z.shape[0])
    width = sum(shape[1:])
    # Membership has nothing to say of one group.
    free = torch.eye(width, dtype=torch.float64)[:, : width - shape[3]]
    ascent = Ascent(mixture_of(asked, statistics, free, 1), tick)
    origin = torch.zeros(1, 1, width, dtype=torch.float64)
    return climb(ascent, ascent.improved(origin, POOLED_STEPS)).theta[0, 0]


def unit_features(asked: Asked, mixture: Mixture, rows: UnitRows, profile: Tensor) -> Tensor:
    """What the partitions are made of, one row a distinct unit."""
    first = torch.zeros(mixture.units.n, dtype=torch.int64)
    first[profile.flip(0)] = torch.arange(len(profile)).flip(0)
    return features(rows, asked.family)[first]


def least_sigma(asked: Asked, pooled: Tensor, p: int) -> float:
    """Sigma below which a group has collapsed; zero where the likelihood is bounded."""
    unbounded = asked.family.dispersed and asked.dispersion == "group" and not asked.prior
    return COLLAPSED * math.exp(float(pooled[p])) if unbounded else 0.0


def searched(
    asked: Asked,
    mixture: Mixture,
    constraints: Constraints,
    plain: Constraints,
    starts: Starts,
    generator: torch.Generator,
    tick: Callable[[], object],
) -> Found:
    """Find the best maximum from many starts; above some thousand units, by way of a sample of them.

    Parameters
    ----------
    asked : Asked
    mixture : Mixture
    constraints : Constraints
        All that the parameters obey.
    plain : Constraints
        Without what is asked of single groups.
    starts : Starts
    generator : torch.Generator
    tick : callable
        Called once a step.
    """
    if mixture.units.n <= MANY_UNITS or not asked.starts:
        return _from_starts(asked, mixture, constraints, plain, starts, generator, tick)
    drawn = torch.multinomial(mixture.units.weights, SAMPLED_UNITS, replacement=True, generator=generator)
    chosen, counts = torch.unique(drawn, return_counts=True)
    units = replace(mixture.units.take(chosen), weights=counts.to(torch.float64))
    sample = replace(mixture, units=units, total=float(SAMPLED_UNITS))
    few = replace(starts, features=starts.features[chosen])
    near = _from_starts(asked, sample, constraints, plain, few, generator, tick)
    ascent = Ascent(mixture, tick)
    whole = climb(ascent, ascent.improved(near.candidates, SETTLING_STEPS))
    best = int(whole.value.nan_to_num(nan=-math.inf).argmax())
    return replace(
        near,
        theta=whole.theta[best],
        value=float(whole.value[best]),
        decrement=float(whole.decrement[best]),
        curvature=float(whole.curvature[best]),
        reached=near.reached - near.value + float(whole.value[best]),
    )


def _from_starts(
    asked: Asked,
    mixture: Mixture,
    constraints: Constraints,
    plain: Constraints,
    starts: Starts,
    generator: torch.Generator,
    tick: Callable[[], object],
) -> Found:
    ascent = Ascent(mixture, tick)
    given = constraints.project(starts.given)
    if asked.groups == 1:
        one = constraints.project(starts.pooled[None, None])
        return search(ascent, torch.cat([one, given]), generator, patience=0)
    if not asked.starts:
        return search(ascent, given, generator, patience=0)
    partitions = memberships(starts.features, mixture.units.weights, asked.groups, asked.starts, generator)
    free = replace(mixture, free=plain.free)
    begun = started(free, starts.pooled, partitions)
    if constraints is plain:
        return search(ascent, torch.cat([given, begun]), generator)
    begun, owner = _constrained(ascent, Ascent(free, tick), constraints, begun, generator)
    found = search(ascent, torch.cat([given, begun]), generator)
    # A start reached the best of what its orders reached.
    orders = found.reached[len(given) :].reshape(-1, KEPT_ORDERS).amax(1)
    return replace(found, reached=torch.cat([found.reached[: len(given)], orders[owner]]))


def _constrained(
    ascent: Ascent, free: Ascent, constraints: Constraints, begun: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Solutions without the constraints, their groups in many orders, moved to where the constraints hold.

    Which group is to have which degree is not known: every order is tried for a few steps, and the best go on,
    KEPT_ORDERS of each solution. Also, from which solution each start came.
    """
    ends, owner = distinct(climb(free, free.improved(begun, TRIAL_STEPS)))
    groups = begun.shape[1]
    orders = (
        torch.tensor(list(itertools.permutations(range(groups))))
        if groups <= 4
        else torch.stack([torch.randperm(groups, generator=generator) for _ in range(MOST_ORDERS)])
    )
    tried = ascent.improved(constraints.project(ends[:, orders].flatten(0, 1)), TRIAL_STEPS)
    value = ascent.value(tried).nan_to_num(nan=-math.inf).reshape(len(ends), -1)
    best = torch.argsort(value, dim=1, descending=True, stable=True)[:, :KEPT_ORDERS]
    own = torch.arange(len(ends))[:, None] * value.shape[1] + best
    return tried[own.flatten()], owner


# -- order ----------------------------------------------------------------------------------------


def _shares(mixture: Mixture, theta: Tensor) -> Tensor:
    return -mixture(theta[None]).posterior[0] @ mixture.units.weights


def _levels(mixture: Mixture, theta: Tensor) -> Tensor:
    units = mixture.units
    eta = units.layout.predictor(mixture.beta(theta[None]))
    everyone = units.weights.expand(1, mixture.groups, -1)
    return (mixture.family.mean(eta) * units.layout.cell_sums(everyone))[0].sum(-1)


# By what the groups are numbered, smallest first.
ORDERS: dict[str, Callable[[Mixture, Tensor], Tensor]] = {"share": _shares, "mean": _levels}


def order_of(asked: Asked, mixture: Mixture, theta: Tensor) -> list[int]:
    """The order in which the groups are to be numbered."""
    return list(torch.argsort(ORDERS[asked.order](mixture, theta), stable=True).tolist())
