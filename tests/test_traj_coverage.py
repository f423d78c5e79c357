"""Whether intervals of trajectory models hold the truth as often as they say: simulations, run with -m slow.

-s prints the share of the intervals that held it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft

REPETITIONS = 200
UNITS, TIMES = 150, 6
SHARES = (0.6, 0.4)
# Groups are numbered by their mean, the smaller first.
CURVES = {
    "gaussian": [[1.0, 0.3], [3.0, -0.1]],
    "poisson": [[0.2, 0.1], [1.4, -0.05]],
    "logit": [[-1.8, 0.2], [0.6, 0.35]],
}


def panel(family: str, draw: np.random.Generator, units: int = UNITS, spread: float = 0.0) -> pd.DataFrame:
    """Units of two groups; `spread` is the standard deviation of their own intercepts within a group."""
    t = np.tile(np.arange(float(TIMES)), units)
    unit = np.repeat(np.arange(units), TIMES)
    b = np.array(CURVES[family])[draw.choice(2, units, p=SHARES)[unit]]
    eta = b[:, 0] + b[:, 1] * t + spread * draw.normal(size=units)[unit]
    if family == "gaussian":
        y = eta + draw.normal(size=len(t))
    elif family == "poisson":
        y = draw.poisson(np.exp(eta)).astype(float)
    else:
        y = (draw.random(len(t)) < 1 / (1 + np.exp(-eta))).astype(float)
    return pd.DataFrame({"id": unit, "t": t, "y": y})


def fitted(family: str, data: pd.DataFrame) -> ft.TrajectoryFit:
    return ft.traj("y ~ t | id", data, groups=2, family=family, order="mean", starts=4)


def intervals(fit: ft.TrajectoryFit) -> np.ndarray:
    """Of the parameters and then of the shares, shape (P + K, 2)."""
    return np.concatenate([fit.conf_int().to_numpy(), fit.shares[["conf_low", "conf_high"]].to_numpy()])


def coverage(covers: list[np.ndarray], names: list[str]) -> pd.Series:
    return pd.Series(np.mean(covers, axis=0), index=names)


def names_of(family: str) -> list[str]:
    dispersed = ["sigma"] if family == "gaussian" else []
    return ["g1:Intercept", "g1:t", "g2:Intercept", "g2:t", *dispersed, "membership", "share 1", "share 2"]


def margin(rate: float) -> float:
    """Three standard errors of a share of the repetitions."""
    return 3 * (rate * (1 - rate) / REPETITIONS) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("family", list(CURVES))
def test_intervals_hold_the_truth(family) -> None:
    draw, covers = np.random.default_rng(1), []
    dispersed = [1.0] if family == "gaussian" else []
    truth = np.array([*np.ravel(CURVES[family]), *dispersed, np.log(SHARES[1] / SHARES[0]), *SHARES])
    for _ in range(REPETITIONS):
        low, high = intervals(fitted(family, panel(family, draw))).T
        covers.append((low <= truth) & (truth <= high))
    found = coverage(covers, names_of(family))
    print(f"\n{family}:\n{found}")
    assert (found > 0.95 - margin(0.95)).all()
    assert abs(found.mean() - 0.95) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_where_units_differ_within_groups_robust_intervals_hold(family) -> None:
    spread = {"gaussian": 0.7, "poisson": 0.35}[family]
    draw = np.random.default_rng(2)
    # What the model estimates where it is not true: its parameters in very many units, 16 times as exact.
    many = fitted(family, panel(family, draw, 256 * UNITS, spread))
    target = np.concatenate([many.coefficients, many.shares["share"]])
    covers: dict[str, list] = {"iid": [], "robust": []}
    for _ in range(REPETITIONS):
        fit = fitted(family, panel(family, draw, spread=spread))
        for vcov, held in covers.items():
            low, high = intervals(fit.with_vcov(vcov)).T
            held.append((low <= target) & (target <= high))
    found = pd.DataFrame({vcov: coverage(held, names_of(family)) for vcov, held in covers.items()})
    print(f"\n{family}:\n{found}")
    assert (found["robust"] > 0.95 - margin(0.95)).all()
    # The errors of the model take the rows of a unit for independent, and those of levels are too small.
    levels = ["g1:Intercept", "g2:Intercept"]
    assert (found.loc[levels, "iid"] < 0.95 - margin(0.95)).all()
    assert found["iid"].mean() < found["robust"].mean() - 0.03
