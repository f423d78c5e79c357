"""Random numbers that depend on the seed alone: not on the size of batches, threads or the device.

A generator fills integers and uniform numbers one after the other, on the CPU; drawing ten rows
gives the same numbers as drawing four and then six.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

__all__ = ["generator_of", "resampled_counts"]


def generator_of(seed: int) -> Generator:
    """Return a generator of its own; the global seed of torch stays as it is."""
    return torch.Generator().manual_seed(int(seed))


def resampled_counts(generator: Generator, draws: int, n: int) -> Tensor:
    """How often each of n units is drawn, n times with replacement, float64 of shape (draws, n).

    Examples
    --------
    >>> resampled_counts(generator_of(0), 2, 5).sum(1).tolist()
    [5.0, 5.0]
    """
    drawn = torch.randint(0, n, (draws, n), generator=generator)
    drawn += n * torch.arange(draws)[:, None]
    return torch.bincount(drawn.view(-1), minlength=draws * n).view(draws, n).to(torch.float64)
