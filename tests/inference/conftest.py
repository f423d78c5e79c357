"""Data that the tests of the wild bootstrap share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def crossed() -> pd.DataFrame:
    """200 rows in 12 unequal clusters, crossed with 7 periods."""
    draw = np.random.default_rng(11)
    n = 200
    g = np.sqrt(draw.integers(0, 144, n)).astype(int)
    t = draw.integers(0, 7, n)
    x = draw.normal(size=n) + draw.normal(size=12)[g]
    frame = pd.DataFrame({"g": g, "t": t, "x": x, "year": 2000 + 3 * t, "h": draw.choice(["a", "b", "c"], n)})
    noise = draw.normal(size=n) * (1 + np.abs(x)) + draw.normal(size=12)[g] + 0.5 * draw.normal(size=7)[t]
    return frame.assign(y=0.5 * x + noise, a=draw.uniform(0.5, 2, n), f=draw.integers(1, 4, n))
