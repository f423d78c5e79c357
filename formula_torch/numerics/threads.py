"""How many cores to work on: one for small problems, torch's for large products, ranges of rows for long data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from itertools import pairwise
from typing import TypeVar

import torch

__all__ = ["over_rows", "threads_for"]

T = TypeVar("T")

# Row blocks are cheap and many: below this many products (n k^2) a second thread of torch's, spinning between
# them, slows the whole by up to a half on two cores; above it gains (equal at 9e9, a quarter less at 2e10).
PRODUCTS_WORTH_A_THREAD = 10_000_000_000
# A range of rows of its own takes a thread some 0.1 ms to begin, and a pass over as many rows some 5 ms.
ROWS_WORTH_A_THREAD = 131_072

# Threads that the user's setting allows, while torch itself is held to one.
_allowed: ContextVar[int] = ContextVar("allowed", default=1)


@contextmanager
def threads_for(products: float) -> Iterator[None]:
    """Hold torch to one thread for all but large problems, and give the caller's setting back.

    Parameters
    ----------
    products : float
        The work, n k^2.
    """
    before = torch.get_num_threads()
    if products >= PRODUCTS_WORTH_A_THREAD or before == 1:
        yield
        return
    torch.set_num_threads(1)
    allowed = _allowed.set(before)
    try:
        yield
    finally:
        _allowed.reset(allowed)
        torch.set_num_threads(before)


def over_rows(n_rows: int, each: Callable[[slice], T], device: torch.device | None = None) -> list[T]:
    """Call a function with consecutive ranges of rows, one a core, and list what it returns in their order.

    Parameters
    ----------
    n_rows : int
    each : callable
        From a slice of rows to any value; called at once from several threads.
    device : torch.device, optional
        Of the rows: a GPU takes them all in one.

    Examples
    --------
    >>> over_rows(3, lambda rows: rows.stop - rows.start)
    [3]
    """
    ways = min(_allowed.get(), n_rows // ROWS_WORTH_A_THREAD)
    if ways < 2 or (device is not None and device.type != "cpu"):
        return [each(slice(0, n_rows))]
    edges = [n_rows * i // ways for i in range(ways + 1)]
    ranges = [slice(start, stop) for start, stop in pairwise(edges)]
    # The caller takes a range itself; a pool kept for the next call would not survive a fork.
    with ThreadPoolExecutor(ways - 1) as pool:
        others = [pool.submit(copy_context().run, each, rows) for rows in ranges[1:]]
        return [each(ranges[0]), *(other.result() for other in others)]
