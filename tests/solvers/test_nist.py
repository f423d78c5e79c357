"""NIST's reference sets: as many digits as exact arithmetic on float64 data leaves, less half a digit."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import CollinearityWarning

FOLDER = Path(__file__).parents[1] / "reference" / "nist"
CERTIFIED = json.loads((FOLDER / "certified.json").read_text())
POWERS = {"Pontius": 2, "Filip": 10, **{f"Wampler{i}": 5 for i in range(1, 6)}}
FORMULAS = {
    "Norris": "y ~ x",
    "NoInt1": "y ~ x - 1",
    "NoInt2": "y ~ x - 1",
    "Longley": "y ~ x1 + x2 + x3 + x4 + x5 + x6",
    **{name: "y ~ x" + "".join(f" + I(x**{d})" for d in range(2, top + 1)) for name, top in POWERS.items()},
}
MAX_DIGITS = 15.9


def digits(ours, exact) -> float:
    """Log relative error of the worst number."""
    errors = [
        abs(float((Fraction(float(a)) - Fraction(b)) / (Fraction(b) or 1))) for a, b in zip(ours, exact, strict=True)
    ]
    return min(MAX_DIGITS, -np.log10(max(errors)) if max(errors) else MAX_DIGITS)


def exact_fit(name: str, data: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Coefficients and standard errors by rational arithmetic on the float64 data."""
    x = {column: [Fraction(float(v)) for v in data[column]] for column in data}
    y = x.pop("y")
    if name in POWERS:
        columns = [[v**d for v in x["x"]] for d in range(POWERS[name] + 1)]
    else:
        columns = ([] if name.startswith("NoInt") else [[Fraction(1)] * len(y)]) + list(x.values())
    k = len(columns)
    identity = [[Fraction(int(i == j)) for j in range(k)] for i in range(k)]
    rows = [
        [sum(a * b for a, b in zip(p, q, strict=True)) for q in [*columns, y]] + identity[i]
        for i, p in enumerate(columns)
    ]
    for i in range(k):
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for j in range(k):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    beta = [row[k] for row in rows]
    residuals = [v - sum(b * c[i] for b, c in zip(beta, columns, strict=True)) for i, v in enumerate(y)]
    scale = sum(r * r for r in residuals) / (len(y) - k)
    return [float(b) for b in beta], [float(scale * rows[i][k + 1 + i]) ** 0.5 for i in range(k)]


@pytest.mark.parametrize("name", FORMULAS)
def test_digits_reach_the_ceiling(name: str) -> None:
    data = pd.read_csv(FOLDER / f"{name}.csv").astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)  # Filip's powers deserve it
        fit = ft.fit(FORMULAS[name], data)
    certified = CERTIFIED[name]["exact"]
    for ours, ceiling, exact in zip(
        (fit.params, fit.bse), exact_fit(name, data), (certified["coef"], certified["se"]), strict=True
    ):
        assert digits(ours, exact) >= digits(ceiling, exact) - 0.5


@pytest.mark.parametrize("name", ["SiRstv", "AtmWtAg", "SmLs07"])
def test_analysis_of_variance(name: str) -> None:
    """Means near 1e12 leave few digits in the data themselves; the rest must not be lost on top."""
    data = pd.read_csv(FOLDER / f"{name}.csv").astype({"y": float})
    fit = ft.fit("y ~ C(g)", data)
    groups = {g: [Fraction(float(v)) for v in part] for g, part in data.groupby("g")["y"]}
    within = sum(sum((v - sum(vs) / len(vs)) ** 2 for v in vs) for vs in groups.values())
    assert fit.ssr == pytest.approx(float(within), rel=1e-12)
    assert fit.rsquared == pytest.approx(
        float(CERTIFIED[name]["certified"]["r2"]), rel=1e-3 if name == "SmLs07" else 1e-9
    )
