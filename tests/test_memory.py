"""Peak memory of large fits: run with -m slow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CLEAR = Path("/proc/self/clear_refs")
SCRIPT = """
import sys
from pathlib import Path
import numpy as np, pandas as pd
import formula_torch as ft

def peak():
    return int(next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM")).split()[1])

draw, n = np.random.default_rng(0), 1_000_000
data = pd.DataFrame({f"x{i}": draw.normal(size=n) for i in range(1, 6)})
data["y"] = data.sum(axis=1) + draw.normal(size=n)
data["h"] = draw.integers(0, 1000, n)
ft.fit(sys.argv[1], data.iloc[:5000]).summary()
Path("/proc/self/clear_refs").write_text("5")
before = peak()
fit = ft.fit(sys.argv[1], data)
assert np.isfinite(fit.bse).all()
print((peak() - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not CLEAR.exists(), reason="the peak of the resident memory can be reset on Linux only")
@pytest.mark.parametrize(
    ("formula", "megabytes"),
    [("y ~ x1 + x2 + x3 + x4 + x5", 100), ("y ~ x1 + x2 + C(h)", 300), ("y ~ x1*x2 + I(x3^2)", 100)],
)
def test_memory_over_the_data_at_a_million_rows(formula: str, megabytes: int) -> None:
    command = [sys.executable, "-c", SCRIPT, formula]
    extra = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert extra < megabytes
