"""The wild bootstrap against refits draw by draw, and against pyfixest over all combinations of signs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.inference.multipliers import WEIGHTS, Multipliers

REFERENCE = Path(__file__).parents[1] / "reference" / "inference"
RECORDS = json.loads((REFERENCE / "wild_pyfixest.json").read_text())["records"]
FORMULA = "y ~ x + year + C(h)"
# A linear hypothesis, and R and q in the order of `dense`.
HYPOTHESES = [
    ("x = 0", [0, 1, 0, 0, 0], 0.0),
    ("x = 0.8", [0, 1, 0, 0, 0], 0.8),
    ("year", [0, 0, 1, 0, 0], 0.0),
    ("x + 2*C(h)[T.b] = 1", [0, 1, 0, 2, 0], 1.0),
]


@pytest.fixture(scope="module")
def data(crossed):
    return crossed


def dense(frame):
    h = frame["h"].to_numpy()[:, None] == np.array(["b", "c"])
    return np.column_stack([np.ones(len(frame)), frame["x"], frame["year"] - 2000, h])


def squared_error(x, weights, e, r, ways):
    """r'V r with V of clusters, summed with their signs, each with its factor; rows alone are HC1."""
    (n, k), bread = x.shape, np.linalg.inv(x.T @ (x * weights[:, None]))
    scores = (x * (weights * e)[:, None]) @ (bread @ r)
    total = 0.0
    for sign, codes in ways:
        clusters = codes.max() + 1
        factor = n / (n - k) if clusters == n else clusters / (clusters - 1) * (n - 1) / (n - k)
        total += sign * factor * float(np.sum(np.bincount(codes, scores) ** 2))
    return total


def brute_force(frame, r, q, units, ways, v, impose_null=True, weights=None):
    """Fit, restrict, draw and fit again; every draw from all rows."""
    x, y, r = dense(frame), frame["y"].to_numpy(), np.array(r, float)
    w = np.ones(len(y)) if weights is None else frame[weights].to_numpy()
    bread = np.linalg.inv(x.T @ (x * w[:, None]))

    def fit(y):
        return bread @ (x.T @ (w * y))

    b = fit(y)
    t = (r @ b - q) / math.sqrt(squared_error(x, w, y - x @ b, r, ways))
    null = b - bread @ r * (r @ b - q) / (r @ bread @ r) if impose_null else b
    stars = []
    for draw in v:
        fresh = x @ null + draw[units] * (y - x @ null)
        star = fit(fresh)
        stars.append(r @ (star - null) / np.sqrt(squared_error(x, w, fresh - x @ star, r, ways)))
    return t, np.array(stars)


def multipliers(kind, units, draws, seed):
    made = Multipliers.of(kind, int(units), draws, seed)
    return np.concatenate([v.numpy() for _, v in made.batches(64)])


def codes_of(frame, *columns):
    return frame.groupby(list(columns)).ngroup().to_numpy()


def check(test, expected):
    t, stars = expected
    assert test.statistic == pytest.approx(t, rel=1e-10)
    np.testing.assert_allclose(test.t_stats, stars, rtol=1e-10, atol=1e-10)
    stars = stars[~np.isnan(stars)]
    below, above = np.mean(np.abs(stars) > abs(t) * (1 + 1e-9)), np.mean(np.abs(stars) > abs(t) * (1 - 1e-9))
    assert test.p_value_bounds == (pytest.approx(below), pytest.approx(above))


# -- draws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("impose_null", [True, False])
@pytest.mark.parametrize(("text", "r", "q"), HYPOTHESES)
def test_clusters_equal_refits_draw_by_draw(data, text, r, q, impose_null):
    fit, codes = ft.fit(FORMULA, data), codes_of(data, "g")
    test = fit.wild_bootstrap(text, cluster="g", draws=150, seed=3, impose_null=impose_null)
    v = multipliers("rademacher", codes.max() + 1, 150, 3)
    check(test, brute_force(data, r, q, codes, [(1, codes)], v, impose_null))


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weighted_fits_and_all_multipliers(data, kind):
    fit, codes = ft.fit(FORMULA, data, weights="a"), codes_of(data, "g")
    test = fit.wild_bootstrap("x = 0.2", cluster="g", draws=100, seed=1, weights=kind)
    v = multipliers(kind, codes.max() + 1, 100, 1)
    check(test, brute_force(data, [0, 1, 0, 0, 0], 0.2, codes, [(1, codes)], v, weights="a"))


@pytest.mark.parametrize("impose_null", [True, False])
def test_rows_equal_refits_draw_by_draw(data, impose_null):
    test = ft.fit(FORMULA, data).wild_bootstrap("x = 0.3", draws=100, seed=8, impose_null=impose_null)
    rows = np.arange(len(data))
    v = multipliers("rademacher", len(data), 100, 8)
    check(test, brute_force(data, [0, 1, 0, 0, 0], 0.3, rows, [(1, rows)], v, impose_null))
    assert test.units == "rows"


@pytest.mark.parametrize("bootcluster", [None, "g", "t", "gt"])
@pytest.mark.filterwarnings("ignore:.*no t statistic", "ignore:.*variances came out negative")
def test_two_ways_equal_refits_draw_by_draw(data, bootcluster):
    frame = data.assign(gt=codes_of(data, "g", "t"))
    test = ft.fit(FORMULA, frame).wild_bootstrap("x", cluster=["g", "t"], bootcluster=bootcluster, draws=100, seed=2)
    units = codes_of(frame, bootcluster or "t")
    v = multipliers("rademacher", units.max() + 1, 100, 2)
    ways = [(1, codes_of(data, "g")), (1, codes_of(data, "t")), (-1, codes_of(data, "g", "t"))]
    with np.errstate(invalid="ignore"):
        check(test, brute_force(frame, [0, 1, 0, 0, 0], 0.0, units, ways, v))
    se = ft.fit(FORMULA, data).with_vcov({"cluster": ["g", "t"]}).bse["x"]
    assert test.std_error == pytest.approx(se, rel=1e-10)


def test_finer_units_than_clusters(data):
    test = ft.fit(FORMULA, data).wild_bootstrap("x", cluster="g", bootcluster=data.index.to_numpy(), draws=80)
    codes, rows = codes_of(data, "g"), np.arange(len(data))
    v = multipliers("rademacher", len(data), 80, 0)
    check(test, brute_force(data, [0, 1, 0, 0, 0], 0.0, rows, [(1, codes)], v))


def test_all_combinations_of_signs(data):
    codes = codes_of(data, "t")
    test = ft.fit(FORMULA, data).wild_bootstrap("x = 0.1", cluster="t", draws=999)
    signs = np.array([[1 - 2 * (i >> j & 1) for j in range(7)] for i in range(128)])
    check(test, brute_force(data, [0, 1, 0, 0, 0], 0.1, codes, [(1, codes)], signs))
    assert (test.draws, test.seed) == (128, None)
    assert "all combinations of signs" in repr(test)
    assert test.t_stats[0] == pytest.approx(test.statistic)
    assert test.p_value_bounds[1] >= test.p_value + 2 / 128


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r['param']}-{r['cluster']}-{r['impose_null']}")
def test_all_combinations_equal_those_of_pyfixest(record):
    frame = pd.read_csv(REFERENCE / record["data"])
    fit = ft.fit(record["formula"], frame)
    test = fit.wild_bootstrap(record["param"], cluster=record["cluster"], impose_null=record["impose_null"])
    assert test.statistic == pytest.approx(record["t"], rel=1e-8)
    assert test.draws == record["draws"]
    ours = np.sort(np.abs(test.t_stats))[:: record["step"]]
    np.testing.assert_allclose(ours, record["ordered"], rtol=1e-8, atol=1e-10)
    # Draws equal to the sample count for pyfixest by their rounding.
    low, high = test.p_value_bounds
    assert low <= record["p"] <= high


def test_frequency_weights_are_repeated_rows(data):
    repeated = data.loc[data.index.repeat(data["f"])].reset_index(drop=True)
    counted, long = ft.fit(FORMULA, data, weights="f", weights_type="frequency"), ft.fit(FORMULA, repeated)
    for cluster in ("g", None):
        first = counted.wild_bootstrap("x", cluster=cluster, draws=60)
        second = long.wild_bootstrap("x", cluster=cluster, draws=60)
        assert first.statistic == pytest.approx(second.statistic, rel=1e-9)
        np.testing.assert_allclose(first.t_stats, second.t_stats, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_multipliers_have_mean_0_and_variance_1(kind):
    v = multipliers(kind, 200, 1000, 0)
    # Five standard errors of 200,000 draws; the fourth moments are at most 3.
    assert abs(v.mean()) < 5 / math.sqrt(v.size)
    assert abs((v**2).mean() - 1) < 5 * math.sqrt(2 / v.size)
    points = {"rademacher": 2, "webb": 6, "mammen": 2, "normal": v.size}
    assert len(np.unique(v)) == points[kind]
    third = {"mammen": 1.0}.get(kind, 0.0)
    assert (v**3).mean() == pytest.approx(third, abs=5 * math.sqrt(15 / v.size))
