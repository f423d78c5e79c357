"""Views, devices and threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import formula_torch as ft
from formula_torch.numerics.arrays import as_tensor, resolve_device, segment_sum
from formula_torch.numerics.threads import threads_for


def test_read_only_memory_is_viewed_without_a_copy() -> None:
    array = np.arange(5.0)
    array.setflags(write=False)
    tensor = as_tensor(array)
    assert tensor.data_ptr() == array.__array_interface__["data"][0]
    assert tensor.tolist() == array.tolist()


@pytest.mark.parametrize("step", [-1, 2, -3])
def test_strided_memory_is_read_right(step: int) -> None:
    array = np.arange(12.0)[::step]
    assert as_tensor(array).tolist() == array.tolist()


def test_segment_sum() -> None:
    values, codes = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.tensor([2, 0, 2])
    assert segment_sum(values, codes, 4).tolist() == [[2.0, 0.0, 4.0, 0.0], [5.0, 0.0, 10.0, 0.0]]


def test_devices() -> None:
    assert resolve_device("auto", 10).type == "cpu"
    assert resolve_device("cpu", 10**9).type == "cpu"
    for bad in ("gpu", None, 3):
        with pytest.raises(ValueError, match="'auto', 'cpu' or 'cuda'"):
            resolve_device(bad, 10)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="finds no CUDA device"):
        resolve_device("cuda", 10)


def test_threads_are_given_back(visits) -> None:
    before = torch.get_num_threads()
    with threads_for(1.0):
        assert torch.get_num_threads() == 1
    ft.fit("drvisits ~ age", visits)
    assert torch.get_num_threads() == before
