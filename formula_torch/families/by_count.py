"""Functions of counts, evaluated once for each count."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["by_count", "counts_of", "log_factorial"]


def by_count(f: Callable[[Tensor], Tensor], y: Tensor) -> Tensor:
    """Evaluate a function of each row's y, shape (n,), by a table where these are few whole numbers.

    Examples
    --------
    >>> by_count(torch.exp, torch.tensor([0.0, 1.0, 0.0])).tolist() == torch.tensor([0.0, 1.0, 0.0]).exp().tolist()
    True
    """
    counts = counts_of(y)
    return f(y) if counts is None else f(counts).index_select(0, y.long())


def counts_of(y: Tensor) -> Tensor | None:
    """0, 1, ... up to the largest y, where that is a shorter list than y; None where it is not, or y are no counts."""
    if not len(y) or float(y.max()) >= len(y) or float(y.min()) < 0 or bool((y != y.round()).any()):
        return None
    return torch.arange(int(y.max()) + 1, dtype=y.dtype, device=y.device)


def log_factorial(y: Tensor) -> Tensor:
    """Logarithm of y!."""
    return by_count(lambda counts: torch.lgamma(counts + 1), y)
