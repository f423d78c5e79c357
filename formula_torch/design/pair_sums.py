"""Blocks X_j' W_jl X_l of several designs of the same rows, accumulated over blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from formula_torch.design.batch import Batch
from formula_torch.design.design import Design
from formula_torch.design.gram import GramSums
from formula_torch.design.parts import Part, side_by_side

__all__ = ["Key", "PairSums", "Pairs", "design_of"]

# The Gram matrix of the standardised columns keeps 1e-16 times the square of their condition.
GRAM_CONDITION = 300.0

# Two parts, by their numbers: of the same part, that alone; of two, both side by side.
Key = tuple[int, int]
# From two predictors, j <= l, to the weights of rows, or None where they are zero.
Pairs = Callable[[int, int], Tensor | None]
Parts = tuple[Part, ...]


class _Gram:
    """X_j' W X_l as a block of a Gram matrix, that of one part, or of two side by side."""

    def __init__(self, parts: Parts, key: Key) -> None:
        left, right = (parts[p] for p in key)
        design = design_of(parts, key)
        self.key, self.left, self.right = key, left, right
        self.start = 0 if key[0] == key[1] else left.design.k
        self.sums = GramSums(design.k, design.numeric, design.factors, 0)

    def add(self, batches: dict[Key, Batch], weights: Tensor) -> None:
        self.sums.add(batches[self.key], weights)

    def assemble(self) -> np.ndarray:
        gram = torch.from_numpy(self.sums.assemble()[: self.left.design.k, self.start :])
        # torch's products keep to one thread where they are told to.
        return (torch.from_numpy(self.left.whiten).mT @ gram @ torch.from_numpy(self.right.whiten)).numpy()


class _Products:
    """X_j' W X_l by the coordinates of the rows, where the columns are ill conditioned."""

    def __init__(self, parts: Parts, key: Key) -> None:
        self.key, (self.left, self.right) = key, (parts[p] for p in key)
        self.total = np.zeros((self.left.rank, self.right.rank))

    def add(self, batches: dict[Key, Batch], weights: Tensor) -> None:
        one = batches[self.key[0], self.key[0]].matmat(self.left.whiten)
        other = one if self.left is self.right else batches[self.key[1], self.key[1]].matmat(self.right.whiten)
        self.total += ((one * weights) @ other.mT).cpu().numpy()

    def assemble(self) -> np.ndarray:
        return self.total


class _Margin:
    """X_j' W 1, where one of the two is the constant."""

    def __init__(self, parts: Parts, key: Key) -> None:
        self.flip = parts[key[0]].constant
        self.wide = key[1] if self.flip else key[0]
        self.whiten = parts[self.wide].whiten
        self.scale = float(parts[key[0] if self.flip else key[1]].whiten[0, 0])
        self.total = np.zeros(len(self.whiten))

    def add(self, batches: dict[Key, Batch], weights: Tensor) -> None:
        self.total += batches[self.wide, self.wide].rmatvec(weights)

    def assemble(self) -> np.ndarray:
        found = self.scale * (self.whiten.T @ self.total)[:, None]
        return found.T if self.flip else found


class PairSums:
    """Blocks of all pairs of predictors; absent weights are zero.

    Parameters
    ----------
    parts : tuple of Part
    owner : tuple of int
        The part of each predictor.
    blocks : sequence of slice
        Where the coordinates of each predictor lie.
    """

    def __init__(self, parts: Parts, owner: Sequence[int], blocks: Sequence[slice]) -> None:
        self.blocks = blocks
        places = range(len(owner))
        self.pairs = {(j, k): _sums(parts, (owner[j], owner[k])) for j in places for k in places if j <= k}
        self.met: set[tuple[int, int]] = set()

    @property
    def keys(self) -> list[Key]:
        """Parts that are to be formed side by side."""
        return list(dict.fromkeys(sums.key for sums in self.pairs.values() if isinstance(sums, _Gram)))

    def add(self, batches: dict[Key, Batch], weights: Pairs) -> None:
        """Add the sums of one block of rows."""
        for pair, sums in self.pairs.items():
            own = weights(*pair)
            if own is not None:
                sums.add(batches, own)
                self.met.add(pair)

    def assemble(self) -> np.ndarray:
        """Return the symmetric matrix of all blocks."""
        size = self.blocks[-1].stop
        out = np.zeros((size, size))
        for j, k in self.met:
            found = self.pairs[j, k].assemble()
            out[self.blocks[j], self.blocks[k]] = found
            out[self.blocks[k], self.blocks[j]] = found.T
        return out


def design_of(parts: Parts, key: Key) -> Design:
    """The columns of a part, or of two side by side."""
    one, other = (parts[p].design for p in key)
    return one if key[0] == key[1] else side_by_side(one, other)


def _sums(parts: Parts, key: Key) -> _Gram | _Products | _Margin:
    own = [parts[p] for p in key]
    if any(part.constant for part in own):
        return _Margin(parts, key)
    if max(part.condition for part in own) > GRAM_CONDITION:
        return _Products(parts, key)
    return _Gram(parts, key)
