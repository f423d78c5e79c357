"""From starts to the best maximum, its groups in order of their share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from formula_torch.models.mixture import Mixture
from formula_torch.models.mixture.ascent import Ascent
from formula_torch.models.mixture.compress import UnitRows
from formula_torch.models.mixture.starts import features, memberships, started
from formula_torch.models.mixture.units import Units
from formula_torch.solvers.multistart import Found, search
from formula_torch.solvers.newton import climb
from formula_torch.trajectories.asked import Asked

__all__ = ["ORDERS", "in_order", "mixture_of", "searched"]

# Above so many distinct units starts are climbed on a sample of them.
MANY_UNITS = 3_000
SAMPLED_UNITS = 2_000
SETTLING_STEPS = 3
# One group of all units is where starts begin; its climb is short.
POOLED_STEPS = 30


def mixture_of(asked: Asked, statistics: Units) -> Mixture:
    """The likelihood, with the directions in which its parameters are free."""
    p, dispersed, groups = statistics.p, asked.family.dispersed, asked.groups
    m = statistics.z.shape[0]
    size = p + int(dispersed) + m
    eye = torch.eye(groups * size, dtype=torch.float64)
    common = asked.dispersion == "common"
    columns = [eye[g * size + j] for g in range(groups) for j in range(p)]
    if dispersed:
        sigmas = [eye[g * size + p] for g in range(groups)]
        columns += [torch.stack(sigmas).sum(0) / math.sqrt(groups)] if common else sigmas
    columns += [eye[g * size + size - m + j] for g in range(1, groups) for j in range(m)]
    return Mixture(statistics, asked.family, groups, torch.stack(columns, 1), common)


def searched(asked: Asked, mixture: Mixture, rows: UnitRows, profile: Tensor) -> Found:
    """Find the best maximum from many starts; above some thousand units, by way of a sample of them."""
    generator = torch.Generator().manual_seed(asked.seed)
    alone = mixture_of(replace(asked, groups=1), mixture.units)
    pooled = Ascent(alone).improved(torch.zeros(1, 1, alone.size, dtype=torch.float64), POOLED_STEPS)
    if asked.groups == 1:
        return search(Ascent(alone), pooled, generator, patience=0)
    first = torch.zeros(mixture.units.n, dtype=torch.int64)
    first[profile.flip(0)] = torch.arange(len(profile)).flip(0)
    found = features(rows, asked.family)[first]
    if mixture.units.n > MANY_UNITS:
        return _screened(asked, mixture, found, pooled[0, 0], generator)
    partitions = memberships(found, mixture.units.weights, asked.groups, asked.starts, generator)
    return search(Ascent(mixture), started(mixture, pooled[0, 0], partitions), generator)


def _screened(asked: Asked, mixture: Mixture, found: Tensor, pooled: Tensor, generator: torch.Generator) -> Found:
    """Search on a sample of the units, and climb on all from the few places that it leaves."""
    drawn = torch.multinomial(mixture.units.weights, SAMPLED_UNITS, replacement=True, generator=generator)
    chosen, counts = torch.unique(drawn, return_counts=True)
    units = replace(mixture.units.take(chosen), weights=counts.to(torch.float64))
    sample = replace(mixture, units=units)
    partitions = memberships(found[chosen], units.weights, asked.groups, asked.starts, generator)
    near = search(Ascent(sample), started(sample, pooled, partitions), generator)
    whole = climb(Ascent(mixture), Ascent(mixture).improved(near.candidates, SETTLING_STEPS))
    best = int(whole.value.nan_to_num(nan=-math.inf).argmax())
    reached = near.values - near.value + float(whole.value[best])
    return replace(
        near,
        theta=whole.theta[best],
        value=float(whole.value[best]),
        decrement=float(whole.decrement[best]),
        curvature=float(whole.curvature[best]),
        values=reached,
    )


def _shares(mixture: Mixture, theta: Tensor) -> Tensor:
    return -mixture(theta[None]).posterior[0] @ mixture.units.weights


def _levels(mixture: Mixture, theta: Tensor) -> Tensor:
    units = mixture.units
    eta = units.layout.predictor(mixture.beta(theta[None]))
    everyone = units.weights.expand(1, mixture.groups, -1)
    return (mixture.family.mean(eta) * units.layout.cell_sums(everyone))[0].sum(-1)


# By what the groups are numbered, smallest first.
ORDERS: dict[str, Callable[[Mixture, Tensor], Tensor]] = {"share": _shares, "mean": _levels}


def in_order(asked: Asked, mixture: Mixture, theta: Tensor) -> Tensor:
    """Put the groups in the order asked for, membership against the first."""
    moved = theta[torch.argsort(ORDERS[asked.order](mixture, theta), stable=True)].clone()
    moved[:, -mixture.m :] -= moved[0, -mixture.m :].clone()
    return moved
