"""Clustered errors and the wild bootstrap beside statsmodels and pyfixest: seconds, ratios and peak memory.

    python benchmarks/inference.py                # all cases, prints Markdown tables
    python benchmarks/inference.py --most 100000  # smaller data only

Measured as in ols.py: every call in a process of its own, warmed up on few rows, the best of the
repetitions. The first table gives the fit alone and the fit with errors by 1,000 clusters, so that
their difference is what the errors cost. pyfixest runs its wild bootstrap through its optional
dependency wildboottest, and compiles it in the warm-up; without that its cell says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

FORMULA = "y ~ x1 + x2 + x3 + x4 + x5"
REPEATS = 3
DRAWS = 9_999
LIMIT_SECONDS = 600
# Data and clusters to warm up on.
WARM = (2_000, 20)


def clustered_data(n: int, clusters: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    g = draw.integers(0, clusters, n)
    data = pd.DataFrame({f"x{i}": draw.normal(size=n) + draw.normal(size=clusters)[g] for i in range(1, 6)})
    return data.assign(g=g, y=0.01 * data.sum(axis=1) + draw.normal(size=n) + 0.3 * draw.normal(size=clusters)[g])


# -- clustered errors -----------------------------------------------------------------------------


def ours(data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(FORMULA, data).bse


def ours_clustered(data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(FORMULA, data, vcov={"cluster": "g"}).bse


def ours_jackknife(data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(FORMULA, data, vcov={"CRV3": "g"}).bse


def statsmodels(data: pd.DataFrame) -> object:
    import statsmodels.formula.api as smf

    return smf.ols(FORMULA, data).fit().bse


def statsmodels_clustered(data: pd.DataFrame) -> object:
    import statsmodels.formula.api as smf

    return smf.ols(FORMULA, data).fit(cov_type="cluster", cov_kwds={"groups": data["g"]}).bse


def pyfixest(data: pd.DataFrame) -> object:
    import pyfixest

    return pyfixest.feols(FORMULA, data, vcov="iid").se()


def pyfixest_clustered(data: pd.DataFrame) -> object:
    import pyfixest

    return pyfixest.feols(FORMULA, data, vcov={"CRV1": "g"}).se()


# -- wild bootstrap: the fit is made before -------------------------------------------------------


def ours_wild(data: pd.DataFrame) -> Callable[[], object]:
    import formula_torch as ft

    fit = ft.fit(FORMULA, data)
    return lambda: fit.wild_bootstrap("x1", cluster=data["g"], draws=DRAWS).p_value


def ours_wild_interval(data: pd.DataFrame) -> Callable[[], object]:
    import formula_torch as ft

    fit = ft.fit(FORMULA, data)
    return lambda: fit.wild_bootstrap("x1", cluster=data["g"], draws=DRAWS).conf_int()


def pyfixest_wild(data: pd.DataFrame) -> Callable[[], object]:
    import pyfixest

    fit = pyfixest.feols(FORMULA, data, vcov={"CRV1": "g"})
    return lambda: fit.wildboottest(reps=DRAWS, cluster="g", param="x1", seed=1)["Pr(>|t|)"]


def fitting(call: Callable[[pd.DataFrame], object]) -> Callable[[pd.DataFrame], Callable[[], object]]:
    return lambda data: lambda: call(data)


ERRORS = {
    "formula_torch": fitting(ours),
    "+ 1,000 clusters": fitting(ours_clustered),
    "+ jackknife of clusters": fitting(ours_jackknife),
    "statsmodels": fitting(statsmodels),
    "statsmodels + clusters": fitting(statsmodels_clustered),
    "pyfixest": fitting(pyfixest),
    "pyfixest + clusters": fitting(pyfixest_clustered),
}
WILD = {"formula_torch": ours_wild, "formula_torch, interval": ours_wild_interval, "pyfixest": pyfixest_wild}
TOOLS = {"errors": ERRORS, "wild": WILD}
NEEDS = {("wild", "pyfixest"): "wildboottest"}


# -- measuring ------------------------------------------------------------------------------------


def peak_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise RuntimeError("the peak of the resident memory can be read on Linux only")


def measure(case: str, tool: str, n: int, clusters: int) -> dict[str, float]:
    prepare = TOOLS[case][tool]
    prepare(clustered_data(*WARM))()
    run = prepare(clustered_data(n, clusters))
    Path("/proc/self/clear_refs").write_text("5")
    before, best = peak_kilobytes(), float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return {"seconds": best, "extra_mb": (peak_kilobytes() - before) / 1024}


def in_a_process(case: str, tool: str, n: int, clusters: int) -> dict[str, float] | None:
    command = [sys.executable, __file__, "--one", case, tool, str(n), str(clusters)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return json.loads(done.stdout.splitlines()[-1])


def cell(case: str, tool: str, n: int, clusters: int, base: float | None) -> tuple[str, float | None]:
    needed = NEEDS.get((case, tool))
    if needed and importlib.util.find_spec(needed) is None:
        return f"not run: pip install {needed}", base
    result = in_a_process(case, tool, n, clusters)
    if result is None:
        return "failed, or over 10 minutes", base
    ratio = "" if base is None else f", {result['seconds'] / base:.2f}x"
    return f"{result['seconds'] * 1e3:.1f} ms{ratio}, {result['extra_mb']:.0f} MB", base or result["seconds"]


def table(title: str, case: str, sizes: list[tuple[int, int]]) -> None:
    print(f"\n### {title}\n\n`{FORMULA}`\n")
    print("| rows | clusters | " + " | ".join(TOOLS[case]) + " |\n|---|---" + "|---" * len(TOOLS[case]) + "|")
    for n, clusters in sizes:
        cells, base = [], None
        for tool in TOOLS[case]:
            text, base = cell(case, tool, n, clusters, base)
            cells.append(text)
        print(f"| {n:,} | {clusters:,} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=4, metavar=("CASE", "TOOL", "N", "CLUSTERS"), help="measure one, print JSON")
    parser.add_argument("--most", type=int, default=1_000_000, help="largest number of rows")
    options = parser.parse_args()
    if options.one:
        case, tool, n, clusters = options.one
        print(json.dumps(measure(case, tool, int(n), int(clusters))))
        return
    print(f"{os.cpu_count()} cores; best of {REPEATS}; x: times the first column")
    sizes = [(n, 1_000) for n in (100_000, 1_000_000) if n <= options.most]
    table("Clustered errors", "errors", sizes)
    table(f"Wild cluster bootstrap, {DRAWS:,} draws (the fit not counted)", "wild", [(10_000, 50), (10_000, 1_000)])


if __name__ == "__main__":
    main()
