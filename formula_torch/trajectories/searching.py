"""From starts to the best maximum, its groups in order of their share."""

from __future__ import annotations

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
from formula_torch.solvers.multistart import MOST_CANDIDATES, Found, distinct, margin, search
from formula_torch.solvers.newton import climb
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.constraints import Constraints

__all__ = ["ORDERS", "SAMPLED_UNITS", "Starts", "mixture_of", "order_of", "pooled_start", "screened", "searched"]

# Above so many distinct units starts are climbed on a sample of them.
MANY_UNITS = 3_000
SAMPLED_UNITS = 2_000
SETTLING_STEPS = 3
# Steps of Newton after which a candidate is left behind that so many times its decrement would not bring up.
FIRST_CLIMB = 4
HOPE = 20.0
# One group of all units is where starts begin; its climb is short.
POOLED_STEPS = 3
# A group whose sigma is this share of the pooled one has collapsed onto its units.
COLLAPSED = 1e-4
# And one sigma of all groups, where these lie far apart, only at this.
VANISHED = 1e-7
# Orders in which the groups of an unconstrained solution are tried, and EM steps of each.
MOST_ORDERS = 60
KEPT_ORDERS = 2
TRIAL_STEPS = 5


@dataclass(frozen=True, eq=False)
class Starts:
    """Where the search begins.

    Parameters
    ----------
    pooled : Tensor, shape (D,)
        One group of all units.
    features : callable
        From some of the distinct units to what partitions of them are made of, shape (n, f).
    given : Tensor, shape (B, K, D)
        Those of the user.
    """

    pooled: Tensor
    features: Callable[[Tensor], Tensor]
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


def unit_features(asked: Asked, n: int, rows: UnitRows, profile: Tensor, of: Tensor) -> Tensor:
    """What partitions of some of the n distinct units are made of, one row each."""
    first = torch.zeros(n, dtype=torch.int64)
    first[profile.flip(0)] = torch.arange(len(profile)).flip(0)
    return features(rows.take(first[of]), asked.family)


def least_sigma(asked: Asked, pooled: Tensor, p: int) -> float:
    """Sigma below which a group has collapsed; zero where there is none, or a prior."""
    if not asked.family.dispersed or asked.prior:
        return 0.0
    return (VANISHED if asked.sigmas == 1 else COLLAPSED) * math.exp(float(pooled[p]))


def screened(asked: Asked, mixture: Mixture) -> bool:
    """Whether starts are climbed on a sample of the units first."""
    return mixture.units.n > MANY_UNITS and asked.starts > 0 and asked.groups > 1


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
    if not screened(asked, mixture):
        return _from_starts(asked, mixture, constraints, plain, starts, generator, tick)
    drawn = torch.multinomial(mixture.units.weights, SAMPLED_UNITS, replacement=True, generator=generator)
    chosen, counts = torch.unique(drawn, return_counts=True)
    units = replace(mixture.units.take(chosen), weights=counts.to(torch.float64))
    sample = replace(mixture, units=units, total=float(SAMPLED_UNITS))
    few = replace(starts, features=lambda of: starts.features(chosen[of]))
    near = _from_starts(asked, sample, constraints, plain, few, generator, tick)
    ascent = Ascent(mixture, tick)
    again = torch.cat([near.candidates, constraints.project(starts.given)])
    some = climb(ascent, ascent.improved(again, SETTLING_STEPS), FIRST_CLIMB)
    # What lies further below the best than steps of this size could bring it up is left behind.
    value = some.value.nan_to_num(nan=-math.inf)
    top = float(value.max())
    hopeful = (value + HOPE * some.decrement.clamp(min=0) >= top - margin(top)).nonzero()[:, 0]
    whole = climb(ascent, some.theta[hopeful])
    best = int(whole.value.nan_to_num(nan=-math.inf).argmax())
    # Starts that came to an end which was not climbed to its top on all units are not known to have reached a value.
    tops = torch.full_like(value, math.nan).index_copy(0, hopeful, whole.value)
    ends = min(int(near.which.max()) + 1, MOST_CANDIDATES)
    reached = torch.where(near.which < ends, tops[near.which.clamp(max=ends - 1)], math.nan)
    return replace(
        near,
        theta=whole.theta[best],
        value=float(whole.value[best]),
        decrement=float(whole.decrement[best]),
        curvature=float(whole.curvature[best]),
        reached=torch.where(near.reached == -math.inf, -math.inf, reached),
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
    partitions = memberships(
        starts.features(torch.arange(mixture.units.n)), mixture.units.weights, asked.groups, asked.starts, generator
    )
    free = replace(mixture, free=plain.free)
    begun = started(free, starts.pooled, partitions)
    if constraints is plain:
        return search(ascent, torch.cat([given, begun]), generator)
    begun, owner, kept = _constrained(ascent, Ascent(free, tick), constraints, begun, generator)
    found = search(ascent, torch.cat([given, begun]), generator)
    # A start reached the best of what its orders reached.
    orders = torch.arange(len(given), len(found.reached)).reshape(len(found.reached[len(given) :]) // kept, kept)
    best = orders.gather(1, found.reached[orders].argmax(1, keepdim=True))[:, 0]
    own = torch.cat([torch.arange(len(given)), best[owner]])
    return replace(found, reached=found.reached[own], which=found.which[own], ends=found.ends[own])


def _constrained(
    ascent: Ascent, free: Ascent, constraints: Constraints, begun: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, int]:
    """Solutions without the constraints, their groups in many orders, moved to where the constraints hold.

    Which group is to have which degree is not known: every order that the constraints tell apart is tried for a few
    steps, and the best go on, as many of each solution as are returned. Also, from which solution each start came.
    """
    ends, owner = distinct(climb(free, free.improved(begun, TRIAL_STEPS)))
    orders = torch.tensor(constraints.different_orders(MOST_ORDERS, generator))
    tried = ascent.improved(constraints.project(ends[:, orders].flatten(0, 1)), TRIAL_STEPS)
    value = ascent.value(tried).nan_to_num(nan=-math.inf).reshape(len(ends), -1)
    kept = min(KEPT_ORDERS, len(orders))
    best = torch.argsort(value, dim=1, descending=True, stable=True)[:, :kept]
    own = torch.arange(len(ends))[:, None] * value.shape[1] + best
    return tried[own.flatten()], owner, kept


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
