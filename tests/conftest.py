"""Data that several rooms test on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft


@pytest.fixture(scope="session")
def visits() -> pd.DataFrame:
    return ft.datasets.visits()


@pytest.fixture
def messy() -> pd.DataFrame:
    """Sixty rows with every common type and two missing values."""
    draw = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "y": draw.normal(size=60),
            "x": draw.normal(size=60),
            "z": draw.uniform(1, 5, size=60),
            "g": draw.choice(["a", "b", "c"], 60),
            "b": draw.random(60) > 0.5,
            "k": draw.integers(0, 4, 60),
        },
        index=[f"r{i}" for i in range(60)],
    )
    frame.loc["r3", "x"] = np.nan
    frame.loc["r5", "y"] = np.nan
    return frame
