"""Whether intervals of effects of networks hold the truth as often as they say: simulations, run with -m slow.

-s prints the share of the intervals that held it.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import ConvergenceWarning

REPETITIONS = 60
ROWS = 400
SLOPES = pd.Series({"x": 1.0, "z": -0.5})


def linear(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    data = pd.DataFrame({"x": draw.normal(size=ROWS), "z": draw.normal(size=ROWS)})
    return data.assign(y=1 + data @ SLOPES + draw.normal(size=ROWS))


def held(seed: int, network: ft.Network) -> pd.Series:
    """Whether each interval holds the slope; NaN where there is none."""
    with warnings.catch_warnings():
        # A network has more units than a line determines, and some fits end at no maximum.
        warnings.simplefilter("ignore", ConvergenceWarning)
        table = ft.fit("y ~ x + z", linear(seed), network=network, seed=seed).tidy().set_index("term")
    inside = (table.conf_low < SLOPES) & (table.conf_high > SLOPES)
    return inside.astype(float).where(table.std_error.notna())


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [ft.Network(hidden=(2,), starts=1), ft.Network(hidden=(3,), activation="sigmoid", starts=1)],
    ids=lambda network: network.described,
)
def test_effects_cover_the_slopes_of_a_line(network: ft.Network) -> None:
    found = pd.DataFrame([held(seed, network) for seed in range(REPETITIONS)])
    given, coverage = found.notna().to_numpy().mean(), np.nanmean(found.to_numpy())
    print(f"\n{network.described}: {coverage:.3f} of intervals held the slope; {given:.2f} of effects had one")
    assert given > 0.5
    # Three standard errors of a share.
    assert abs(coverage - 0.95) < 3 * (0.95 * 0.05 / found.notna().to_numpy().sum()) ** 0.5
