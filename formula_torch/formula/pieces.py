"""Terms and the pieces that code them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Piece", "Term"]


@dataclass(frozen=True)
class Piece:
    """A product of factors whose columns stand together.

    Parameters
    ----------
    factors : tuple of (placeholder, reduced)
        `reduced`: a categorical factor loses the column that others already span.
    """

    factors: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Term:
    """A term of the formula: its factors, and the pieces that code it.

    The intercept has no factors and one empty piece.
    """

    factors: tuple[str, ...]
    pieces: tuple[Piece, ...]
