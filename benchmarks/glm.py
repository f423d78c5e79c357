"""Generalised linear models beside statsmodels, pyfixest, glum and R: seconds, ratios and peak memory.

    python benchmarks/glm.py                # all cases, prints Markdown tables
    python benchmarks/glm.py --most 100000  # smaller data only

From the data frame to coefficients with HC1 errors, in a process of its own each, warmed up on few rows, the best
of the repetitions. R's part is in glm.R: the fit and, by sandwich, its HC1 errors; without R its cells say so. glum
has no HC1 as statsmodels has it, and is asked for its own robust errors. "Extra" is the peak of the memory over that
of the data and the loaded libraries.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import cell, elsewhere, this_script, timed

SIZES = (10_000, 100_000, 1_000_000)
REPEATS = {10_000: 10, 100_000: 5, 1_000_000: 3}
DENSE_MOST = 100_000


def numeric_data(n: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    data = pd.DataFrame({f"x{i}": draw.normal(size=n) for i in range(1, 6)})
    return _with_responses(data, 0.3 * data["x1"] - 0.2 * data["x2"] + 0.1 * data["x3"] + 0.4 * data["x4"] - 0.5, draw)


def factor_data(n: int) -> pd.DataFrame:
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"x1": draw.normal(size=n), "a": draw.integers(0, 10, n), "b": draw.integers(0, 12, n)})
    return _with_responses(data, 0.3 * data["x1"] + 0.05 * data["a"] - 0.03 * data["b"] - 0.2, draw)


def _with_responses(data: pd.DataFrame, eta: pd.Series, draw: np.random.Generator) -> pd.DataFrame:
    won = (draw.random(len(data)) < 1 / (1 + np.exp(-eta))).astype(float)
    return data.assign(binomial=won, poisson=draw.poisson(np.exp(eta)).astype(float))


NUMERIC = "x1 + x2 + x3 + x4 + x5"
# name: (data, right-hand side)
CASES: dict[str, tuple[Callable[[int], pd.DataFrame], str]] = {
    "5 numeric columns": (numeric_data, NUMERIC),
    "120 dummies (10 x 12)": (factor_data, "x1 + C(a) * C(b)"),
}


def ours(family: str, right: str, data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(f"{family} ~ {right}", data, family=family, vcov="HC1").bse


def ours_with_summary(family: str, right: str, data: pd.DataFrame) -> object:
    import formula_torch as ft

    return ft.fit(f"{family} ~ {right}", data, family=family, vcov="HC1").summary().as_text()


def statsmodels(family: str, right: str, data: pd.DataFrame) -> object:
    import statsmodels.formula.api as smf

    model = smf.logit if family == "binomial" else smf.poisson
    return model(f"{family} ~ {right}", data).fit(disp=0, cov_type="HC1").bse


def statsmodels_glm(family: str, right: str, data: pd.DataFrame) -> object:
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    known = sm.families.Binomial() if family == "binomial" else sm.families.Poisson()
    return smf.glm(f"{family} ~ {right}", data, family=known).fit(cov_type="HC1").bse


def pyfixest(family: str, right: str, data: pd.DataFrame) -> object:
    import pyfixest

    if family == "poisson":
        return pyfixest.fepois(f"{family} ~ {right}", data, vcov="HC1").se()
    return pyfixest.feglm(f"{family} ~ {right}", data, family="logit", vcov="HC1").se()


def glum(family: str, right: str, data: pd.DataFrame) -> object:
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(family=family, alpha=0, formula=right, gradient_tol=1e-9)
    model.fit(data, data[family])
    return model.std_errors(data, data[family], robust=True)


TOOLS = {
    "formula_torch": ours,
    "statsmodels": statsmodels,
    "statsmodels GLM": statsmodels_glm,
    "pyfixest": pyfixest,
    "glum": glum,
}


def measure(tool: str, family: str, case: str, n: int) -> dict[str, float]:
    make, right = CASES[case]
    call, data = TOOLS[tool], make(n)
    call(family, right, make(5_000))
    return timed(lambda: call(family, right, data), REPEATS[n])


def results(family: str, case: str, n: int) -> list[str]:
    base, cells = None, []
    for tool in TOOLS:
        if tool != "formula_torch" and "C(" in CASES[case][1] and n > DENSE_MOST:
            cells.append("not run (dense dummies)")
            continue
        found = elsewhere(this_script(__file__, "--one", tool, family, case, str(n)))
        base = base or found
        cells.append(cell(found, base))
    if "C(" in CASES[case][1] and n > DENSE_MOST:
        return [*cells, "not run (dense dummies)"]
    script = str(Path(__file__).with_suffix(".R"))
    found = elsewhere(["Rscript", script, family, "factor" if "C(" in CASES[case][1] else "numeric", str(n)])
    return [*cells, cell(found, base)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=4, metavar=("TOOL", "FAMILY", "CASE", "N"), help="measure one, print JSON")
    parser.add_argument("--most", type=int, default=max(SIZES), help="largest number of rows")
    options = parser.parse_args()
    if options.one:
        tool, family, case, n = options.one
        print(json.dumps(measure(tool, family, case, int(n))))
        return
    print(f"{os.cpu_count()} cores; best of {REPEATS}; x: times ours")
    for case in CASES:
        print(f"\n### {case}\n\n`{CASES[case][1]}`, HC1 errors\n")
        print("| family | rows | " + " | ".join(TOOLS) + " | R |\n|---|---" + "|---" * (len(TOOLS) + 1) + "|")
        for family in ("binomial", "poisson"):
            for n in (size for size in SIZES if size <= options.most):
                print(f"| {family} | {n:,} | " + " | ".join(results(family, case, n)) + " |", flush=True)


if __name__ == "__main__":
    main()
