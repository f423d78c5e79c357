"""The wild bootstrap of one linear hypothesis in least squares, from sums by cluster alone.

A draw multiplies the residuals of each unit (cluster, or row) by a variable v of mean 0 and
variance 1 and fits again. In orthonormal coordinates q, with b the unit vector along which the
hypothesis r'beta = c is measured, everything is a sum over units (Roodman, MacKinnon, Nielsen
and Webb 2019, Stata Journal 19:4-60). Residuals that obey a null whose t statistic is t have the
scores S_j + t H_j, measured in standard errors, with S_j those of the fit and H_j = A_j b from the
unit's share A_j of the information. A draw moves the estimates by u = sum_j v_j (S_j + t H_j), and

    t*(t) = b'u / (sum_g f_g (sum_{j in g} v_j b'(S_j + t H_j) - H_g'u)^2)^1/2.

Numerator and residual sums are linear in t: five numbers a draw give t* for every null value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.inference.clustered import inclusion_exclusion
from formula_torch.inference.moments import Labels, Moments
from formula_torch.inference.multipliers import Multipliers
from formula_torch.inference.progress import progress_bar
from formula_torch.inference.small_sample import CLUSTER_FACTORS, by_parameters
from formula_torch.inference.wild_distribution import WildDistribution
from formula_torch.numerics.arrays import as_tensor, segment_sum
from formula_torch.numerics.threads import threads_for

__all__ = ["Units", "Way", "clusters_as_units", "rows_as_units", "wild_distribution"]

# Numbers in one intermediate array of a batch of draws: they stay in the cache.
BLOCK = 50_000
# Where units are many, so many draws share one reading of the scores.
FEWEST_DRAWS = 8


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over sets of rows, all in q coordinates.

    Parameters
    ----------
    scores : array, shape (n_sets, rank)
        S, of the scores.
    shares : array, shape (n_sets, rank)
        H, of the information times b.
    """

    scores: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, eq=False)
class Way:
    """Clusters of one way of the variance.

    Parameters
    ----------
    factor : float
        Small-sample factor; negative for a way that is subtracted.
    clusters : Sums
    cells : Sums
        Of the non-empty combinations of a unit and a cluster.
    origin : tuple of int arrays, shape (n_cells,) each, or None
        Unit and cluster of each cell; None where units, clusters and cells are the same.
    """

    factor: float
    clusters: Sums
    cells: Sums
    origin: tuple[np.ndarray, np.ndarray] | None


@dataclass(frozen=True, eq=False)
class Units:
    """What is resampled, and the clusters by which the variance of each draw is computed.

    Parameters
    ----------
    name : str
    sums : Sums
        Of each unit.
    direction : array, shape (rank,)
        b.
    length : float
        Change of r'beta for a step of length 1 along b.
    ways : tuple of Way
    """

    name: str
    sums: Sums
    direction: np.ndarray
    length: float
    ways: tuple[Way, ...]

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.sums.scores)

    def std_error(self) -> float:
        """Return the standard error of r'beta in the sample.

        Raises
        ------
        DataError
            The variance is not positive.
        """
        squares = [way.factor * float(np.sum((way.clusters.scores @ self.direction) ** 2)) for way in self.ways]
        if not sum(squares) > 0:
            raise DataError(
                "the variance of the hypothesis is zero or negative in the sample itself (a perfect fit, or several "
                "ways of clustering that leave nothing), so that there is no t statistic to bootstrap."
            )
        return self.length * math.sqrt(sum(squares))


# -- sums -----------------------------------------------------------------------------------------


def rows_as_units(moments: Moments, row: np.ndarray) -> Units:
    """Resample rows; the variance is HC1.

    Parameters
    ----------
    moments : Moments
    row : array, shape (k,)
        r of the hypothesis r'beta = c.
    """
    scores = moments.scores()
    direction, length = _direction(moments, row)
    q = scores.orthonormal()
    sums = Sums(scores.dense(), q * (q @ direction)[:, None])
    way = Way(by_parameters(moments.n_obs, moments.n_params), sums, sums, None)
    return Units("rows", sums, direction, length, (way,))


def clusters_as_units(moments: Moments, row: np.ndarray, ways: Sequence[Labels], units: Labels) -> Units:
    """Resample clusters; the variance is CRV1, of one or several ways.

    Parameters
    ----------
    moments : Moments
    row : array, shape (k,)
    ways : sequence of Labels
        Clusters of the variance.
    units : Labels
        Clusters to resample: one of `ways`, or others.
    """
    scores = moments.scores()
    direction, length = _direction(moments, row)
    fall = scores.along(direction)

    def sums_by(labels: Labels) -> Sums:
        return Sums(scores.by(labels.codes, labels.count, None), scores.by(labels.codes, labels.count, fall))

    def way(sign: int, labels: Labels) -> Way:
        factor = sign * CLUSTER_FACTORS["both"].value(moments.n_obs, moments.n_params, labels.count)
        if labels is units:
            return Way(factor, own, own, None)
        cells = units.crossed(labels)
        first = np.unique(cells.codes, return_index=True)[1]
        return Way(factor, sums_by(labels), sums_by(cells), (units.codes[first], labels.codes[first]))

    own = sums_by(units)
    made = tuple(way(sign, labels) for sign, labels in inclusion_exclusion(list(ways)))
    return Units(units.name, own, direction, length, made)


def _direction(moments: Moments, row: np.ndarray) -> tuple[np.ndarray, float]:
    a = row @ np.nan_to_num(moments.lift)
    length = float(np.linalg.norm(a))
    return a / length, length


# -- draws ----------------------------------------------------------------------------------------


def wild_distribution(
    units: Units,
    at: float,
    multipliers: Multipliers,
    *,
    impose_null: bool = True,
    device: torch.device | None = None,
    progress: bool | None = False,
) -> WildDistribution:
    """Draw, in batches of bounded memory.

    Parameters
    ----------
    units : Units
    at : float
        t statistic of the sample for the null value.
    multipliers : Multipliers
    impose_null : bool
        Resample residuals that obey the null; else those of the fit, whatever the null.
    device : torch.device, optional
        By default the CPU.
    progress : bool or None
    """
    kernel = _Kernel(units, at, float(impose_null), device or torch.device("cpu"))
    out = torch.empty(5, multipliers.draws, dtype=torch.float64)
    work = float(multipliers.draws) * kernel.width * len(units.direction)
    with threads_for(work), progress_bar(multipliers.draws, "wild bootstrap", progress) as advance:
        for draws, v in multipliers.batches(max(BLOCK // kernel.width, FEWEST_DRAWS)):
            out[:, draws] = kernel(v).cpu()
            advance(len(v))
    return WildDistribution(at, out[:2].numpy(), out[2:].numpy())


class _Kernel:
    """From a batch of multipliers to the five numbers of each draw.

    Parameters
    ----------
    units : Units
    at : float
    slope : float
        1 where the residuals follow the null, else 0.
    device : torch.device
    """

    def __init__(self, units: Units, at: float, slope: float, device: torch.device) -> None:
        scale = units.length / units.std_error()

        def path(sums: Sums) -> tuple[Tensor, Tensor]:
            """Scores at the null, and their change with t."""
            null = scale * sums.scores + slope * at * sums.shares
            return as_tensor(null, device), as_tensor(slope * sums.shares, device)

        def term(way: Way) -> _Term:
            values = tuple(part @ self.direction for part in path(way.cells))
            origin = None if way.origin is None else tuple(as_tensor(codes, device) for codes in way.origin)
            return _Term(way.factor, values, as_tensor(way.clusters.shares, device), origin)

        self.device = device
        self.direction = as_tensor(units.direction, device)
        self.scores = torch.cat(path(units.sums), dim=1)
        self.terms = [term(way) for way in units.ways]
        self.width = max(units.count, *(len(way.cells.scores) for way in units.ways))

    def __call__(self, v: Tensor) -> Tensor:
        """Return numerators and variances, shape (5, draws), of multipliers of shape (draws, n_units)."""
        v = v.to(self.device)
        moves = (v @ self.scores).chunk(2, dim=1)
        numerators = torch.stack([move @ self.direction for move in moves])
        variances = torch.stack([term.squares(v, moves) for term in self.terms]).sum(0)
        return torch.cat([numerators, variances])


@dataclass(frozen=True, eq=False)
class _Term:
    """One way of the variance of the draws.

    Parameters
    ----------
    factor : float
    values : tuple of two Tensors, shape (n_cells,)
        Scores of the cells along b: at the null, and their change with t.
    shares : Tensor, shape (n_clusters, rank)
    origin : tuple of two Tensors, shape (n_cells,), or None
        Unit and cluster of each cell.
    """

    factor: float
    values: tuple[Tensor, ...]
    shares: Tensor
    origin: tuple[Tensor, ...] | None

    def squares(self, v: Tensor, moves: Sequence[Tensor]) -> Tensor:
        """Coefficients v0, v1, v2 of the variance, shape (3, draws)."""
        a, b = (self._rest(v, value, move) for value, move in zip(self.values, moves, strict=True))
        return self.factor * torch.stack([torch.linalg.vecdot(x, y) for x, y in ((a, a), (a, b), (b, b))])

    def _rest(self, v: Tensor, value: Tensor, move: Tensor) -> Tensor:
        """Scores of the clusters along b after the fit to a draw, shape (draws, n_clusters)."""
        if self.origin is None:
            drawn = v * value
        else:
            unit, cluster = self.origin
            drawn = segment_sum(v[:, unit] * value, cluster, len(self.shares))
        return drawn.addmm_(move, self.shares.mT, alpha=-1)
