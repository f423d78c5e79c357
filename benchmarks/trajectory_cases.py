"""Simulated units for trajectories.py: plain ones for its speed, and hard ones for its reliability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

FORMULA, LINE = "y ~ t + I(t^2) | id", "y ~ t | id"
GROUPS = (2, 3, 4, 5)


@dataclass(frozen=True)
class Case:
    """Units to simulate, and how they are fitted.

    Parameters
    ----------
    family : str
    curves : list of tuple
        Coefficients of 1, t, t^2, ... of each group.
    shares : list of float
    formula : str
    options : tuple of pairs
        Of the call.
    times : int
    """

    family: str
    curves: tuple
    shares: tuple
    formula: str = FORMULA
    options: tuple = ()
    times: int = 10

    @property
    def arguments(self) -> dict:
        return {"groups": len(self.curves), "family": self.family, **dict(self.options)}

    def data(self, units: int, seed: int = 0) -> pd.DataFrame:
        draw = np.random.default_rng(seed)
        group = draw.choice(len(self.curves), units, p=self.shares)
        t, unit = np.tile(np.arange(float(self.times)), units), np.repeat(np.arange(units), self.times)
        eta = sum(np.array([c[j] for c in self.curves])[group[unit]] * t**j for j in range(len(self.curves[0])))
        y = {
            "gaussian": lambda: eta + draw.normal(size=len(t)),
            "poisson": lambda: draw.poisson(np.exp(eta)).astype(float),
            "logit": lambda: (draw.random(len(t)) < 1 / (1 + np.exp(-eta))).astype(float),
        }[self.family]()
        return pd.DataFrame({"id": unit, "t": t, "y": y})


PLAIN = ((1, 0.4, 0), (4, -0.8, 0.1), (6, 0.5, -0.1), (0, -0.3, 0.02), (9, 0, -0.05))
SPEED = {f"gaussian {k}": Case("gaussian", PLAIN[:k], (1 / k,) * k) for k in GROUPS}
SPEED["poisson 3"] = Case("poisson", ((0.1, 0.2, -0.02), (1.5, -0.3, 0.02), (1.8, 0.1, 0.0)), (0.5, 0.3, 0.2))
SPEED["logit 3"] = Case("logit", ((-2.5, 0.1, 0), (-1, 0.6, -0.03), (2.5, -0.6, 0)), (0.5, 0.3, 0.2))

FIVE = ((0, 0), (0.8, 0.15), (1.6, -0.15), (2.4, 0.1), (3.2, -0.1))
FIVE_COUNTS = ((-1, 0.1), (-0.2, 0.15), (0.6, 0), (1.2, -0.1), (1.6, 0.05))
UNEQUAL = ((1.0, 0, 0, 0), (3.0, -0.3, 0, 0), (1.5, 1.2, -0.35, 0.025))
# name: (case, units)
HARD = {
    "3% group, normal": (Case("gaussian", ((1, 0.2), (2, -0.1), (3.2, -0.5)), (0.62, 0.35, 0.03), LINE, times=6), 600),
    "3% group, Poisson": (Case("poisson", ((0, 0.1), (0.8, 0), (1.6, -0.15)), (0.62, 0.35, 0.03), LINE, times=6), 600),
    "five overlapping, normal": (Case("gaussian", FIVE, (0.3, 0.25, 0.2, 0.15, 0.1), LINE, times=7), 500),
    "five overlapping, Poisson": (Case("poisson", FIVE_COUNTS, (0.3, 0.25, 0.2, 0.15, 0.1), LINE, times=7), 500),
    "degrees 0, 1, 3, normal": (
        Case("gaussian", UNEQUAL, (0.5, 0.3, 0.2), "y ~ poly(t, 3) | id", (("degrees", (0, 1, 3)),), 9),
        300,
    ),
}
