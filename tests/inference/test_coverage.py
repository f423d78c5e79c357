"""Which tests keep their level with few clusters: a simulation, run with -m slow (-s prints its table).

The truth is y = x + u with random effects of clusters in u (a share of 0.2 of its variance) and in x, or a treatment
of whole clusters without effect. Cluster g of G has a share of the 20 G rows in proportion to exp(2 g / G), so that the
largest is about seven times the smallest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft

REPETITIONS = 1000
LEVEL = 0.05
CLUSTERS = (6, 12, 30)
METHODS = ("z", "t(G-1)", "CRV3", "wild")


def sizes(clusters):
    shares = np.exp(2 * np.arange(clusters) / clusters)
    return np.maximum(np.round(20 * clusters * shares / shares.sum()), 4).astype(int)


def sample(clusters, draw):
    """One data set; a third of the clusters, drawn anew, are treated."""
    g = np.repeat(np.arange(clusters), sizes(clusters))
    treated = np.isin(g, draw.choice(clusters, clusters // 3, replace=False)).astype(float)
    x = np.sqrt(0.5) * (draw.normal(size=clusters)[g] + draw.normal(size=len(g)))
    u = np.sqrt(0.2) * draw.normal(size=clusters)[g] + np.sqrt(0.8) * draw.normal(size=len(g))
    return pd.DataFrame({"g": g, "x": x, "treated": treated, "y": x + u})


def p_values(data, name, null):
    crv1 = ft.fit("y ~ x + treated", data, vcov={"cluster": "g"})
    crv3 = crv1.with_vcov({"CRV3": "g"})
    hypothesis = f"{name} = {null}"
    weights = "webb" if data["g"].nunique() < 10 else "rademacher"
    wild = crv1.wild_bootstrap(hypothesis, cluster="g", draws=399, weights=weights)
    return [
        float(crv1.t_test(hypothesis, use_t=False).pvalue),
        float(crv1.t_test(hypothesis).pvalue),
        float(crv3.t_test(hypothesis).pvalue),
        wild.p_value,
    ]


def rejection_rates(clusters):
    """Share of true hypotheses that are rejected, by regressor and method."""
    draw, rejected = np.random.default_rng(clusters), {"x": [], "treated": []}
    for _ in range(REPETITIONS):
        data = sample(clusters, draw)
        for name, null in (("x", 1), ("treated", 0)):
            rejected[name].append(np.array(p_values(data, name, null)) < LEVEL)
    return pd.DataFrame({name: np.mean(rows, axis=0) for name, rows in rejected.items()}, index=METHODS)


def margin(rate):
    """Three standard errors of a rejection rate."""
    return 3 * (rate * (1 - rate) / REPETITIONS) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("clusters", CLUSTERS)
def test_what_keeps_its_level(clusters):
    rates = rejection_rates(clusters)
    print(f"\n{clusters} clusters, share of true hypotheses rejected at {LEVEL:.0%}:\n{rates.round(3)}")
    z, t, crv3, wild = rates.to_numpy()
    # The normal rejects too often, the more so the fewer the clusters; t(G-1) mends only part of that.
    excess = {6: 3.0, 12: 2.0, 30: 1.3}[clusters] * LEVEL
    assert (z > excess - margin(excess)).all()
    assert (z >= t).all()
    assert (t >= crv3).all()
    # The jackknife and the wild bootstrap come within 3 points of 5%.
    for rate in (*crv3, *wild):
        assert abs(rate - LEVEL) < 0.03 + margin(LEVEL)
