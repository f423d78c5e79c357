"""How a result was asked for, so that it can be asked for again."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Call", "table_reference"]


def _nothing() -> None:
    """Return None: there is no table to refer to."""


@dataclass(frozen=True, eq=False)
class Call:
    """How a result was asked for.

    Parameters
    ----------
    text : str
        The call as one would write it.
    engine : str
    device : str
        Where the arrays lay: ``cpu``, ``cuda``.
    refit : callable or None
        From a formula and data to a new fit with the same options; not pickled.
    find_table : callable
        Returns the table the user passed while that still exists, else None.
    """

    text: str
    engine: str
    device: str = "cpu"
    refit: Callable[[str, Any], Any] | None = None
    find_table: Callable[[], Any] = _nothing

    def without_data(self) -> Call:
        """Forget the data and how to fit them again."""
        return replace(self, refit=None, find_table=_nothing)


def table_reference(table: Any) -> Callable[[], Any]:
    """Refer to the user's table without keeping it alive; a dict cannot be referred to so, and is kept."""
    try:
        return weakref.ref(table)
    except TypeError:
        return lambda: table
