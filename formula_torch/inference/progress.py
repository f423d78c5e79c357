"""A progress bar for what takes long."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Advance", "progress_bar"]


class Advance(Protocol):
    """What moves a bar."""

    def __call__(self, done: int, text: str = "") -> object:
        """Count what was done, and show a text."""
        ...


# Without being asked for, the bar appears after this time, and in a terminal only.
QUIET_SECONDS = 2.0


@contextmanager
def progress_bar(total: int | None, what: str, progress: bool | None, unit: str = " draws") -> Iterator[Advance]:
    """Count under a bar.

    Parameters
    ----------
    total : int or None
        How many are to come; None where that is not known.
    what : str
    progress : bool or None
        None shows the bar in a terminal, once it takes more than two seconds.
    unit : str
        What is counted.

    Yields
    ------
    callable
        To be called with the number just done, and perhaps a text to show behind the bar.
    """
    if progress is False or (progress is None and not sys.stderr.isatty()):
        yield lambda done, text="": None  # noqa: ARG005 - one signature
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=what, unit=unit, delay=0 if progress else QUIET_SECONDS) as bar:

        def advance(done: int, text: str = "") -> None:
            if text:
                bar.set_postfix_str(text, refresh=False)
            bar.update(done)

        yield advance
