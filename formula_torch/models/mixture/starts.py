"""Where a mixture search begins: partitions of the units by what their rows look like.

Groups that a mixture can find differ in the regressions of their units, so each unit's own regression (of a
response whose variance hardly depends on its mean) is what partitions are made of: by k-means, by the
quantiles of random directions, and at random.
"""

from __future__ import annotations

import torch
from torch import Tensor

from formula_torch.families import AnyFamily
from formula_torch.models.mixture.compress import UnitRows
from formula_torch.models.mixture.expectation import maximised
from formula_torch.models.mixture.likelihood import Mixture
from formula_torch.numerics.arrays import segment_sum

__all__ = ["features", "memberships", "started"]

LLOYD_STEPS = 5
# Of units with many coefficients only the sums of products are taken.
MOST_COEFFICIENTS = 8
# How far a start leaves every unit in every group: nothing is ruled out before the first step.
SPREAD = 0.1


def features(rows: UnitRows, family: AnyFamily) -> Tensor:
    """Each unit's own regression, drawn a little to zero, of a response of stable variance, shape (n, f).

    Parameters
    ----------
    rows : UnitRows
    family : Family
    """
    y, n, p = family.stabilise(rows.y), rows.n_units, rows.x.shape[1]
    # The unit's mean first, so that one direction of the features is the level.
    count = torch.bincount(rows.unit, minlength=n).clamp(min=1).to(y.dtype)
    level = segment_sum(y, rows.unit, n) / count
    if p > MOST_COEFFICIENTS:
        return torch.stack([level, *(segment_sum(rows.x.mT * y, rows.unit, n) / count)], 1)
    products = (rows.x[:, :, None] * rows.x[:, None, :]).flatten(1)
    gram = segment_sum(products.mT, rows.unit, n).mT.reshape(n, p, p)
    xy = segment_sum(rows.x.mT * y, rows.unit, n).mT
    ridge = torch.eye(p, dtype=y.dtype, device=y.device)
    own = torch.linalg.solve(gram + ridge, xy[..., None])[..., 0]
    return torch.cat([level[:, None], own], 1)


def memberships(features: Tensor, weights: Tensor, groups: int, starts: int, generator: torch.Generator) -> Tensor:
    """Partitions of the units as posterior probabilities, shape (starts, groups, n).

    Parameters
    ----------
    features : Tensor, shape (n, f)
    weights : Tensor, shape (n,)
    groups, starts : int
    generator : torch.Generator
    """
    scaled = _standardised(features, weights)
    quantiles, random = (starts + 1) // 3, starts // 6
    means = starts - quantiles - random
    labels = torch.cat(
        [
            _by_means(scaled, weights, groups, means, generator),
            _by_quantiles(scaled, groups, quantiles, generator),
            torch.randint(0, groups, (random, len(scaled)), generator=generator),
        ]
    )
    hard = torch.nn.functional.one_hot(labels, groups).to(features.dtype).mT
    return (1 - SPREAD) * hard + SPREAD / groups


def _standardised(features: Tensor, weights: Tensor) -> Tensor:
    share = weights / weights.sum()
    centred = features - share @ features
    return centred / (share @ centred**2).sqrt().clamp(min=1e-12)


def _by_quantiles(features: Tensor, groups: int, starts: int, generator: torch.Generator) -> Tensor:
    """Cut random directions of the features into equal parts, the first direction being the level."""
    n, f = features.shape
    directions = torch.randn(f, starts, generator=generator, dtype=features.dtype)
    if starts:
        directions[:, 0] = 0.0
        directions[0, 0] = 1.0
    ranks = (features @ directions).argsort(0).argsort(0)
    return (ranks * groups // n).mT


def _by_means(features: Tensor, weights: Tensor, groups: int, starts: int, generator: torch.Generator) -> Tensor:
    """k-means from seeds drawn far from one another (Arthur and Vassilvitskii 2007), all starts at once."""
    centres = _seeds(features, weights, groups, starts, generator)
    labels = torch.zeros(starts, len(features), dtype=torch.int64)
    for _ in range(LLOYD_STEPS):
        labels = torch.cdist(features.expand(starts, -1, -1), centres).argmin(-1)
        hard = torch.nn.functional.one_hot(labels, groups).to(features.dtype) * weights[:, None]
        mass = hard.sum(1)
        moved = hard.mT @ features / mass.clamp(min=1e-300)[..., None]
        centres = torch.where(mass[..., None] > 0, moved, centres)
    return labels


def _seeds(features: Tensor, weights: Tensor, groups: int, starts: int, generator: torch.Generator) -> Tensor:
    chosen = torch.multinomial(weights.expand(starts, -1), 1, generator=generator)
    for _ in range(1, groups):
        distance = torch.cdist(features.expand(starts, -1, -1), features[chosen]).amin(-1) ** 2 * weights
        following = torch.multinomial(distance + 1e-12 * weights, 1, generator=generator)
        chosen = torch.cat([chosen, following], 1)
    return features[chosen]


def started(mixture: Mixture, pooled: Tensor, posterior: Tensor) -> Tensor:
    """Parameters of each start: the M-step of its partition, from the pooled fit, shape (B, K, D).

    Parameters
    ----------
    pooled : Tensor, shape (D,)
        Parameters of one group of all units.
    posterior : Tensor, shape (B, K, n)
    """
    theta = pooled.expand(posterior.shape[0], mixture.groups, -1).clone()
    return maximised(mixture, theta, posterior)
