"""Between numpy and torch: zero-copy views, devices, sums by segment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["CELLS_AT_ONCE", "as_tensor", "resolve_device", "segment_sum", "slices"]

# Numbers in one intermediate array, where its length is ours to choose.
CELLS_AT_ONCE = 4_000_000

# Below this many numbers the transfer to a GPU should cost more than the work saved there: an
# estimate from bytes moved, not yet measured on a device.
CELLS_WORTH_A_GPU = 5_000_000


class _Alias:
    """The memory of a read-only array under a writable flag; keeps its owner alive."""

    def __init__(self, owner: np.ndarray) -> None:
        interface = dict(owner.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self.owner = owner


def as_tensor(array: np.ndarray, device: torch.device | None = None) -> Tensor:
    """View a numpy array as a tensor, without a copy on the CPU.

    A pandas column is a read-only view, and torch warns about those although we
    never write; the alias is cheaper and safer than silencing a global warning.
    """
    if array.strides != (array.itemsize,):
        # Reversed, strided or packed columns: torch has no negative strides, and walks others slowly.
        array = np.ascontiguousarray(array)
    if not array.flags.writeable:
        array = np.asarray(_Alias(array))
    tensor = torch.from_numpy(array)
    return tensor if device is None or device.type == "cpu" else tensor.to(device)


def resolve_device(device: str, cells: int) -> torch.device:
    """Turn the spelling ``"auto"``, ``"cpu"`` or ``"cuda"`` into a torch device.

    Raises
    ------
    ValueError
        Unknown spelling, or CUDA asked for where there is none.
    """
    if not isinstance(device, str):
        raise ValueError(f"device={device!r} is not known; use 'auto', 'cpu' or 'cuda'.")
    if device == "auto":
        worth = cells >= CELLS_WORTH_A_GPU and torch.cuda.is_available()
        return torch.device("cuda" if worth else "cpu")
    if device.split(":")[0] not in ("cpu", "cuda"):
        raise ValueError(f"device={device!r} is not known; use 'auto', 'cpu' or 'cuda'.")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError("device='cuda' was asked for, but torch finds no CUDA device; use device='cpu'.")
    return torch.device(device)


def segment_sum(values: Tensor, codes: Tensor, n_segments: int, onto: Tensor | None = None) -> Tensor:
    """Sum the last axis of `values` by segment: shape (..., n) to (..., n_segments); in place `onto` earlier sums."""
    if onto is None:
        onto = torch.zeros((*values.shape[:-1], n_segments), dtype=values.dtype, device=values.device)
    # torch adds by 64-bit positions ten times as fast as by 32-bit ones.
    return onto.index_add_(-1, codes.long(), values)


def slices(total: int, size: int) -> Iterator[slice]:
    """Cut ``range(total)`` into consecutive slices of at most `size`, at least 1."""
    size = max(size, 1)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
