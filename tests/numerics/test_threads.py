"""Ranges of rows on several cores: in order, as one range would be, and with the caller's setting given back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.numerics import threads
from formula_torch.numerics.threads import over_rows, threads_for


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, and ranges of as few as 100 rows."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(threads, "ROWS_WORTH_A_THREAD", 100)
    yield
    torch.set_num_threads(before)


def ends(rows: slice) -> tuple[int, int]:
    return rows.start, rows.stop


@pytest.mark.usefixtures("two_cores")
def test_ranges_come_back_in_order_and_cover_the_rows() -> None:
    with threads_for(1.0):
        assert over_rows(1_001, ends) == [(0, 500), (500, 1_001)]
        assert over_rows(150, ends) == [(0, 150)]
    assert over_rows(1_001, ends) == [(0, 1_001)], "torch's own threads are at work"


@pytest.mark.usefixtures("two_cores")
def test_an_error_in_another_thread_reaches_the_caller() -> None:
    def fails(rows: slice) -> int:
        if rows.start:
            raise ValueError("in the second range")
        return 1

    with threads_for(1.0), pytest.raises(ValueError, match="in the second range"):
        over_rows(1_000, fails)
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_cores")
def test_numpy_is_as_silent_in_another_thread() -> None:
    with threads_for(1.0), np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        over_rows(1_000, lambda rows: np.ones(1) / (0.0 if rows.start else 1.0))


@pytest.mark.parametrize("family", [None, "poisson", "binomial", "gamma"])
@pytest.mark.parametrize("vcov", ["HC1", {"cluster": "g"}])
@pytest.mark.usefixtures("two_cores")
def test_two_ranges_are_one(monkeypatch: pytest.MonkeyPatch, family: str | None, vcov: object) -> None:
    draw = np.random.default_rng(3)
    data = pd.DataFrame({"x": draw.normal(size=900), "g": draw.integers(0, 30, 900), "w": draw.random(900) + 0.5})
    means = np.exp(0.3 * data["x"])
    y = {"binomial": means > 1 + draw.normal(size=900), "gamma": draw.gamma(2, means / 2)}
    data["y"] = y.get(str(family), draw.poisson(means)).astype(float)

    data["k"] = data["g"] % 4
    both = ft.fit("y ~ x + C(k)", data, family=family, vcov=vcov, weights=None if family == "binomial" else "w")
    monkeypatch.setattr(threads, "ROWS_WORTH_A_THREAD", 10_000)
    one = ft.fit("y ~ x + C(k)", data, family=family, vcov=vcov, weights=None if family == "binomial" else "w")
    np.testing.assert_allclose(both.params, one.params, rtol=1e-10)
    np.testing.assert_allclose(both.bse, one.bse, rtol=1e-10)
    assert both.llf == pytest.approx(one.llf, rel=1e-13)
