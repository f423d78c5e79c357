"""Where the dialects of the formula language differ, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["OURS", "PATSY", "Conventions"]


@dataclass(frozen=True)
class Conventions:
    """How a formula becomes columns where R and patsy differ.

    Parameters
    ----------
    by_numeric_factors : bool
        Terms stand, and lose redundant columns, within groups of the same numeric factors, as in
        patsy; otherwise they stand by degree, as in R.
    contrasts_keep_mean : bool
        A factor that need not lose a column keeps its contrast and gains a constant one
        (``C(g, Sum)[mean]``), as in patsy; otherwise it gets dummies, as in R.
    unused_levels : bool
        Declared categories that no row has keep their (empty) column.
    objects_by_repr : bool
        Levels that are neither text nor numbers, such as intervals, are named by their ``repr``.
    zero_weights : bool
        Rows of zero weight stay, and count as observations.
    synonyms : tuple of (str, str)
        Functions that go by another's name: the name written, the function meant.
    """

    by_numeric_factors: bool = False
    contrasts_keep_mean: bool = False
    unused_levels: bool = False
    objects_by_repr: bool = False
    zero_weights: bool = False
    synonyms: tuple[tuple[str, str], ...] = ()

    def shown(self, levels: Iterable[Any]) -> tuple[Any, ...]:
        """Return levels as coefficient names show them."""
        if not self.objects_by_repr:
            return tuple(levels)
        return tuple(level if isinstance(level, (str, bool, int, float)) else repr(level) for level in levels)

    def meant(self, name: str) -> str:
        """Return the function that a name in a formula means."""
        return dict(self.synonyms).get(name, name)


OURS = Conventions()

# patsy's scale(x, center, rescale, ddof) is its standardize, and divides by n.
PATSY = Conventions(
    by_numeric_factors=True,
    contrasts_keep_mean=True,
    unused_levels=True,
    objects_by_repr=True,
    zero_weights=True,
    synonyms=(("scale", "standardize"),),
)
