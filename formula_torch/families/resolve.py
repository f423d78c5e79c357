"""Families by their spellings, and whether a response lies in their support."""

from __future__ import annotations

from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.families.density import Density
from formula_torch.families.exponential import FAMILIES, Family

__all__ = ["AnyFamily", "check_support", "resolve_family"]

AnyFamily = Family | Density


def resolve_family(given: AnyFamily | str) -> AnyFamily:
    """Read a family: a value, or one of its spellings.

    Raises
    ------
    ValueError
        Not known; the known ones are listed.
    """
    if isinstance(given, (Family, Density)):
        return given
    if given not in FAMILIES:
        raise ValueError(
            f"family={given!r} is not known; use one of {', '.join(map(repr, FAMILIES))}, or write one of your own: "
            "ft.families.Density."
        )
    return FAMILIES[given]


def check_support(family: AnyFamily, y: Tensor, name: str) -> None:
    """Raise where the response lies outside the support.

    Raises
    ------
    DataError
        Says what is wrong and in how many rows.
    """
    if message := family.refuse(y):
        raise DataError(f"`{name}` {message}")
