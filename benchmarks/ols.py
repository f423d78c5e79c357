"""Least squares beside statsmodels and pyfixest: seconds, ratios and peak memory, in one go.

    python benchmarks/ols.py                # all cases, prints Markdown tables
    python benchmarks/ols.py --most 100000  # smaller data only

Every measurement runs in a process of its own: the data are made, the tool is
warmed up on a few rows, the peak of the resident memory is reset, and the call
is timed; the best of the repetitions counts. "Extra" is the peak over the
memory that the data and the imported libraries take.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = {1_000: 20, 10_000: 10, 100_000: 5, 1_000_000: 3}
LIMIT_SECONDS = 300


def numeric_data(n: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    data = pd.DataFrame({f"x{i}": draw.normal(size=n) for i in range(1, 6)})
    return data.assign(y=data.sum(axis=1) + draw.normal(size=n))


def factor_data(n: int) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    data = numeric_data(n)[["x1", "x2", "y"]]
    levels = {"a": 10, "b": 12, "h": 1000}
    codes = {name: draw.integers(0, count, n) for name, count in levels.items()}
    return data.assign(**codes)


NUMERIC = "y ~ x1 + x2 + x3 + x4 + x5"
# name: (data, formula, fewest rows, most rows for the peers that make dummies)
CASES: dict[str, tuple[Callable[[int], pd.DataFrame], str, int, int]] = {
    "5 numeric columns": (numeric_data, NUMERIC, 0, 10**9),
    "120 dummies (10 x 12)": (factor_data, "y ~ x1 + C(a) * C(b)", 10_000, 100_000),
    "1,000 levels beside 2 numeric columns": (factor_data, "y ~ x1 + x2 + C(h)", 100_000, 0),
}


def ours(formula: str, data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(formula, data).bse


def ours_with_summary(formula: str, data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(formula, data).summary().as_text()


def statsmodels(formula: str, data: pd.DataFrame) -> object:
    import statsmodels.formula.api as smf

    return smf.ols(formula, data).fit().bse


def statsmodels_with_summary(formula: str, data: pd.DataFrame) -> object:
    import statsmodels.formula.api as smf

    return smf.ols(formula, data).fit().summary().as_text()


def pyfixest(formula: str, data: pd.DataFrame) -> object:
    import pyfixest

    return pyfixest.feols(formula, data=data, vcov="iid").se()


TOOLS = {
    "formula_torch": ours,
    "statsmodels": statsmodels,
    "pyfixest": pyfixest,
    "formula_torch + summary": ours_with_summary,
    "statsmodels + summary": statsmodels_with_summary,
}


def peak_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise RuntimeError("the peak of the resident memory can be read on Linux only")


def measure(tool: str, case: str, n: int) -> dict[str, float]:
    make, formula, *_ = CASES[case]
    call, data = TOOLS[tool], make(n)
    call(formula, make(2000 if "C(" in formula else 200))
    Path("/proc/self/clear_refs").write_text("5")
    before, best = peak_kilobytes(), float("inf")
    for _ in range(REPEATS[n]):
        start = time.perf_counter()
        call(formula, data)
        best = min(best, time.perf_counter() - start)
    return {"seconds": best, "extra_mb": (peak_kilobytes() - before) / 1024}


def in_a_process(tool: str, case: str, n: int) -> dict[str, float] | None:
    command = [sys.executable, __file__, "--one", tool, case, str(n)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return json.loads(done.stdout.splitlines()[-1])


def skipped(tool: str, case: str, n: int) -> bool:
    return "formula_torch" not in tool and n > CASES[case][3]


def cell(result: dict[str, float] | None, base: dict[str, float] | None) -> str:
    if result is None:
        return "failed or over 5 minutes"
    ratio = "" if base is None or result is base else f", {result['seconds'] / base['seconds']:.1f}x"
    return f"{result['seconds'] * 1e3:.1f} ms{ratio}, {result['extra_mb']:.0f} MB"


def table(case: str, sizes: tuple[int, ...]) -> None:
    print(f"\n### {case}\n\n`{CASES[case][1]}`\n")
    print("| rows | " + " | ".join(TOOLS) + " |\n|---" * 1 + "|---" * len(TOOLS) + "|")
    for n in (size for size in sizes if size >= CASES[case][2]):
        results = {t: None if skipped(t, case, n) else in_a_process(t, case, n) for t in TOOLS}
        row = []
        for tool, result in results.items():
            base = results["formula_torch + summary" if "summary" in tool else "formula_torch"]
            row.append("not run (dense dummies)" if skipped(tool, case, n) else cell(result, base))
        print(f"| {n:,} | " + " | ".join(row) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "CASE", "N"), help="measure one call, print JSON")
    parser.add_argument("--most", type=int, default=max(SIZES), help="largest number of rows")
    options = parser.parse_args()
    if options.one:
        tool, case, n = options.one
        print(json.dumps(measure(tool, case, int(n))))
        return
    print(f"{os.cpu_count()} cores; best of {REPEATS}; x: times ours")
    for case in CASES:
        table(case, tuple(size for size in SIZES if size <= options.most))


if __name__ == "__main__":
    main()
