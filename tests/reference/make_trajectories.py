"""Simulate the panels of trajectories.R, unbalanced and with missing responses; run in this folder."""

import numpy as np
import pandas as pd

CURVES = {
    "normal": [[1.0, 0.4, 0.0], [4.0, -0.8, 0.1], [6.0, 0.5, -0.1]],
    "poisson": [[0.1, 0.2, -0.03], [1.5, -0.3, 0.02], [1.8, 0.1, 0.0]],
    "logit": [[-1.8, 0.1, 0.0], [0.2, 0.9, -0.08]],
}

for seed, (name, curves) in enumerate(CURVES.items()):
    draw = np.random.default_rng(seed)
    n = 160
    group = draw.choice(len(curves), n, p=[0.5, 0.3, 0.2] if len(curves) == 3 else [0.6, 0.4])
    times = draw.integers(4, 9, n)
    unit = np.repeat(np.arange(n), times)
    t = np.concatenate([np.sort(draw.choice(8, k, replace=False)) for k in times]).astype(float)
    b = np.array(curves)[group[unit]]
    eta = b[:, 0] + b[:, 1] * t + b[:, 2] * t**2
    if name == "normal":
        y = (eta + draw.normal(size=len(t))).round(4)
    elif name == "poisson":
        y = draw.poisson(np.exp(eta)).astype(float)
    else:
        y = (draw.random(len(t)) < 1 / (1 + np.exp(-eta))).astype(float)
    y[draw.random(len(y)) < 0.05] = np.nan
    pd.DataFrame({"id": unit + 1, "t": t.astype(int), "y": y}).to_csv(f"trajectories/{name}.csv", index=False)
