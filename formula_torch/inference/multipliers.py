"""The auxiliary variables of a wild bootstrap, of mean 0 and variance 1: one a unit and draw."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from formula_torch.errors import InferenceWarning, check_known
from formula_torch.numerics.arrays import slices
from formula_torch.numerics.random import generator_of

__all__ = ["WEIGHTS", "Multipliers"]

# Two-point weights of fewer units give fewer than 1 / 0.05 values of |t|.
FEW_UNITS = 5


def _rademacher(generator: Generator, shape: tuple[int, int]) -> Tensor:
    """-1 and 1 with probability one half."""
    return torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8).to(torch.float64).mul_(2).sub_(1)


def _webb(generator: Generator, shape: tuple[int, int]) -> Tensor:
    """Six points, for few clusters (Webb 2014)."""
    points = torch.tensor([-1.5, -1.0, -0.5, 0.5, 1.0, 1.5], dtype=torch.float64)
    return (points.sign() * points.abs().sqrt())[torch.randint(0, 6, shape, generator=generator)]


def _mammen(generator: Generator, shape: tuple[int, int]) -> Tensor:
    """Two points with third moment 1 (Mammen 1993, Ann. Statist. 21:255-285)."""
    root = math.sqrt(5)
    low = torch.rand(shape, generator=generator, dtype=torch.float64) < (root + 1) / (2 * root)
    return torch.where(low, (1 - root) / 2, (1 + root) / 2).to(torch.float64)


def _normal(generator: Generator, shape: tuple[int, int]) -> Tensor:
    """Normal; by the inverse of its distribution, as torch.randn depends on the size of the batch."""
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    return torch.special.ndtri(uniform.clamp_(min=2.0**-54))


WEIGHTS: dict[str, Callable[[Generator, tuple[int, int]], Tensor]] = {
    "rademacher": _rademacher,
    "webb": _webb,
    "mammen": _mammen,
    "normal": _normal,
}


@dataclass(frozen=True)
class Multipliers:
    """Draws of the auxiliary variables.

    Parameters
    ----------
    kind : {"rademacher", "webb", "mammen", "normal"}
    units : int
    draws : int
    seed : int or None
        None: all 2^units combinations of signs.
    """

    kind: str
    units: int
    draws: int
    seed: int | None

    @staticmethod
    def of(kind: str, units: int, draws: int, seed: int) -> Multipliers:
        """Choose between drawing and, where there are no more than `draws`, all combinations of signs.

        Raises
        ------
        ValueError
            Unknown weights, or no draws.
        """
        check_known("weights", kind, WEIGHTS)
        if draws < 1:
            raise ValueError(f"draws={draws} must be at least 1.")
        if kind in ("rademacher", "mammen") and units <= FEW_UNITS:
            warnings.warn(
                f"{units} clusters or rows with two-point weights give only {2 ** (units - 1)} values of |t|, too "
                "few for a test at 5%; use weights='webb'.",
                InferenceWarning,
                stacklevel=4,
            )
        if kind == "rademacher" and 2**units <= draws:
            return Multipliers(kind, units, 2**units, None)
        return Multipliers(kind, units, draws, seed)

    @property
    def enumerated(self) -> bool:
        """Whether these are all combinations, the first of which is the sample."""
        return self.seed is None

    def batches(self, size: int) -> Iterator[tuple[slice, Tensor]]:
        """Draw batch after batch, each float64 of shape (at most `size`, units)."""
        generator = None if self.seed is None else generator_of(self.seed)
        for rows in slices(self.draws, size):
            if generator is None:
                yield rows, _signs(rows, self.units)
            else:
                yield rows, WEIGHTS[self.kind](generator, (rows.stop - rows.start, self.units))


def _signs(rows: slice, units: int) -> Tensor:
    """Combinations of signs by the digits of their binary numbers; a 1 stands for -1."""
    digits = torch.arange(rows.start, rows.stop)[:, None] >> torch.arange(units)
    return 1 - 2 * (digits & 1).to(torch.float64)
