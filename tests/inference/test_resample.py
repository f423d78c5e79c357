"""Bootstrap and jackknife against refits to the very same units, and intervals against R's boot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import DataError, InferenceWarning
from formula_torch.inference.resample import INTERVALS, Sample, acceleration
from formula_torch.numerics.random import generator_of, resampled_counts

REFERENCE = Path(__file__).parents[1] / "reference" / "inference"
FORMULA = "y ~ x + year + C(h)"


@pytest.fixture(scope="module")
def data():
    """90 rows in 11 unequal clusters, with a calendar year, a factor and two kinds of weights."""
    draw = np.random.default_rng(5)
    n = 90
    g = np.sort(draw.integers(0, 11, n) * draw.integers(0, 2, n))
    x = draw.normal(size=n) + draw.normal(size=11)[g]
    frame = pd.DataFrame({"g": g, "x": x, "year": draw.integers(1990, 2020, n), "h": draw.choice(["a", "b", "c"], n)})
    return frame.assign(
        y=x + 0.01 * frame["year"] + draw.normal(size=n) + draw.normal(size=11)[g],
        a=draw.uniform(0.5, 2, n),
        f=draw.integers(1, 4, n),
    )


def refitted(frame, counts, weights=None):
    """Weighted least squares by numpy's own solver, year about 2000 for its conditioning."""
    h = pd.get_dummies(frame["h"]).to_numpy(float)
    dense = np.column_stack([np.ones(len(frame)), h[:, 1:], frame["x"], frame["year"] - 2000])
    root = np.sqrt(np.asarray(counts if weights is None else counts * weights, dtype=float))
    b = np.linalg.lstsq(dense * root[:, None], frame["y"] * root, rcond=None)[0]
    b[0] -= 2000 * b[-1]
    return b


def named(fit, values):
    return pd.DataFrame(values, columns=["Intercept", "C(h)[T.b]", "C(h)[T.c]", "x", "year"])[list(fit.names)]


def close(got, expected, tolerance=1e-10):
    spread = np.asarray(expected).std(axis=0)
    np.testing.assert_allclose(np.asarray(got) / spread, np.asarray(expected) / spread, rtol=1e-10, atol=tolerance)


@pytest.mark.parametrize("weights", [None, "a"])
def test_pairs_are_refits_to_the_rows_drawn(data, weights):
    fit = ft.fit(FORMULA, data, weights=weights)
    counts = resampled_counts(generator_of(3), 40, len(data)).numpy()
    expected = named(fit, [refitted(data, c, None if weights is None else data["a"]) for c in counts])
    close(fit.bootstrap(draws=40, seed=3).draws, expected)


@pytest.mark.filterwarnings("ignore:.*draws do not determine")
def test_clusters_are_refits_to_the_clusters_drawn(data):
    fit = ft.fit(FORMULA, data)
    codes = np.unique(data["g"], return_inverse=True)[1]
    counts = resampled_counts(generator_of(4), 40, codes.max() + 1).numpy()
    found = fit.bootstrap(cluster="g", draws=40, seed=4)
    determined = [len(set(data["h"][c[codes] > 0])) == 3 for c in counts]
    kept = ~np.isnan(found.values).any(axis=1)
    assert kept.sum() >= 30
    assert not (kept & ~np.array(determined)).any()
    expected = named(fit, [refitted(data, c[codes]) for c in counts[kept]])
    close(found.draws[kept], expected)
    np.testing.assert_allclose(found.cov_params(), np.cov(expected, rowvar=False), rtol=1e-8)


@pytest.mark.parametrize("weights", [None, "a"])
def test_jackknives_are_refits_without_a_unit(data, weights):
    fit = ft.fit(FORMULA, data, weights=weights)
    w = None if weights is None else data["a"]
    rows = named(fit, [refitted(data, (data.index != i).astype(float), w) for i in data.index])
    close(fit.jackknife().left_out, rows)
    clusters = named(fit, [refitted(data, (data["g"] != g).astype(float), w) for g in sorted(set(data["g"]))])
    close(fit.jackknife(cluster="g").left_out, clusters)


def test_jackknives_are_crv3_and_hc3(data):
    fit = ft.fit(FORMULA, data)
    clusters, rows = fit.jackknife(cluster="g"), fit.jackknife()
    np.testing.assert_allclose(clusters.cov_params(), fit.with_vcov({"CRV3": "g"}).cov_params(), rtol=1e-8)
    n = len(data)
    # n / (n - 1) HC3 about the estimate: Davidson and MacKinnon's approximation is exact but for this factor.
    np.testing.assert_allclose(rows.cov_params(), (n - 1) / n * fit.with_vcov("HC3").cov_params(), rtol=1e-8)
    assert clusters.df == len(set(data["g"])) - 1
    pd.testing.assert_frame_equal(clusters.conf_int(), fit.with_vcov(clusters.vcov).conf_int())
    assert list(clusters.summary_frame().columns) == ["coef", "std err", "bias", "Conf. Int. Low", "Conf. Int. Upp."]


def test_frequency_weights_are_repeated_rows(data):
    repeated = data.loc[data.index.repeat(data["f"])].reset_index(drop=True)
    counted, long = ft.fit(FORMULA, data, weights="f", weights_type="frequency"), ft.fit(FORMULA, repeated)
    close(counted.bootstrap(draws=30, seed=2).draws, long.bootstrap(draws=30, seed=2).draws, 1e-9)
    np.testing.assert_allclose(counted.jackknife().bse, long.jackknife().bse, rtol=1e-9)
    np.testing.assert_allclose(counted.jackknife(cluster="g").bse, long.jackknife(cluster="g").bse, rtol=1e-9)


# -- intervals ------------------------------------------------------------------------------------


def test_intervals_equal_those_of_boot():
    r = json.loads((REFERENCE / "resampling_r.json").read_text())
    draws, influence = np.array(r["draws"])[:, None], np.array(r["influence"])[:, None]
    sample = Sample(np.array([r["estimate"]]), draws, draws.std(0, ddof=1), np.inf, acceleration(influence))
    for method in ("basic", "percentile", "bca"):
        np.testing.assert_allclose(np.ravel(INTERVALS[method](sample, 0.05)), r[method], rtol=1e-8)
    # R differentiates in steps of 1e-6.
    states = pd.read_csv(REFERENCE / "public_schools.csv")
    ours = ft.fit("expenditure ~ income", states).bootstrap(draws=20)
    np.testing.assert_allclose(ours.acceleration[1], acceleration(influence)[0], rtol=1e-3)


def test_intervals_by_name(data):
    fit = ft.fit(FORMULA, data)
    found = fit.bootstrap(draws=999, seed=1)
    sd, centre = found.bse, fit.params
    np.testing.assert_allclose(found.conf_int(method="normal")[1], centre + 1.959963984540054 * sd)
    np.testing.assert_allclose(found.conf_int(method="t")[0], fit.with_vcov(found.vcov).conf_int()[0])
    np.testing.assert_allclose(found.conf_int()[0], np.sort(found.draws, axis=0)[24])
    np.testing.assert_allclose(found.conf_int(method="basic")[1], 2 * centre - np.sort(found.draws, axis=0)[24])
    for method in INTERVALS:
        interval = found.conf_int(method=method)
        assert (interval[0] < centre).all()
        assert (centre < interval[1]).all()
        assert found.summary_frame(method=method)["Conf. Int. Low"].equals(interval[0].rename("Conf. Int. Low"))
    np.testing.assert_allclose(found.bias, found.draws.mean() - centre)


def test_intervals_refuse_what_they_cannot_tell(data):
    found = ft.fit(FORMULA, data).bootstrap(draws=20)
    with pytest.raises(DataError, match=r"20 draws have no quantile 0\.025"):
        found.conf_int()
    with pytest.raises(ValueError, match="'percentile', 'basic', 'normal', 't', 'bca'"):
        found.conf_int(method="studentised")
    with pytest.raises(ValueError, match="alpha"):
        found.conf_int(95)


# -- seeds and edges ------------------------------------------------------------------------------


def test_the_seed_alone_decides(data, monkeypatch):
    fit = ft.fit(FORMULA, data)
    before = torch.random.get_rng_state()
    first = fit.bootstrap(draws=50, seed=9)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.allclose(first.draws, fit.bootstrap(draws=50, seed=10).draws)
    monkeypatch.setattr("formula_torch.inference.resample.CELLS_AT_ONCE", 7 * len(data))
    monkeypatch.setattr("formula_torch.inference.reweighted.CELLS_AT_ONCE", 500)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    close(fit.bootstrap(draws=50, seed=9).draws, first.draws, 1e-12)
    torch.set_num_threads(threads)


def test_units_do_not_matter(data):
    plain = ft.fit(FORMULA, data).bootstrap(draws=50, cluster="x", seed=1)
    scaled = ft.fit(FORMULA, data.assign(x=data["x"] * 1e8, y=data["y"] * 1e-6)).bootstrap(
        draws=50, cluster="x", seed=1
    )
    np.testing.assert_allclose(scaled.draws["x"] * 1e14, plain.draws["x"], rtol=1e-9)
    np.testing.assert_allclose(scaled.draws["year"] * 1e6, plain.draws["year"], rtol=1e-9)


def test_draws_that_lose_a_level_are_left_out(data):
    rare = data.assign(h=np.where(np.arange(len(data)) < 4, "z", "a"))
    fit = ft.fit("y ~ x + h", rare)
    with pytest.warns(InferenceWarning, match=r"of 200 draws do not determine all coefficients"):
        found = fit.bootstrap(draws=200)
    assert 0 < found.failed < 12  # exp(-4) of 200 are expected
    assert found.cov_params().notna().all(axis=None)
    assert "failed" in repr(found)
    alone = ft.fit("y ~ x + h", data.assign(h=np.where(data.index == 5, "z", "a")))
    with pytest.warns(InferenceWarning, match="1 coefficients are determined by one alone"):
        left = alone.jackknife()
    assert list(left.bse.index[left.bse.isna()]) == ["h[T.z]"]
    np.testing.assert_allclose(left.bse["x"], ft.fit("y ~ x", data.drop(5)).jackknife().bse["x"], rtol=2e-2)


def test_a_selection_of_draws_is_no_sample(data):
    rare = data.assign(h=np.where(np.arange(len(data)) < 2, "z", "a"))
    with pytest.raises(ft.errors.DataError, match=r"of 200 draws do not determine .* wild_bootstrap"):
        ft.fit("y ~ x + h", rare).bootstrap(draws=200)  # exp(-2) of them would be lost


def test_aliased_coefficients_stay_unknown(data):
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.fit("y ~ x + I(2*x) + year", data)
    alone = ft.fit("y ~ x + year", data)
    found, expected = fit.bootstrap(draws=99, seed=1), alone.bootstrap(draws=99, seed=1)
    assert np.isnan(found.bse["I(2 * x)"])
    np.testing.assert_allclose(found.bse.dropna(), expected.bse, rtol=1e-9)
    np.testing.assert_allclose(found.conf_int(method="bca").dropna(), expected.conf_int(method="bca"), rtol=1e-9)
    np.testing.assert_allclose(fit.jackknife().bse.dropna(), alone.jackknife().bse, rtol=1e-9)


def test_what_cannot_be_resampled_is_refused(data):
    fit = ft.fit("y ~ x", data)
    with pytest.raises(DataError, match="at least 2 clusters"):
        fit.bootstrap(cluster=np.ones(len(data)))
    with pytest.raises(DataError, match="cluster"):
        fit.jackknife(cluster=data["g"].where(data["g"] > 0))
    with pytest.raises(ValueError, match="draws=1"):
        fit.bootstrap(draws=1)
    with pytest.raises(ft.errors.DataRemovedError):
        fit.remove_data().bootstrap()
    with pytest.warns(ft.errors.DesignWarning), pytest.raises(DataError, match="no degrees of freedom"):
        ft.fit("y ~ x", data.iloc[:2]).jackknife()


def test_a_bar_is_shown_when_asked_for(data, capsys):
    fit = ft.fit("y ~ x", data)
    fit.bootstrap(draws=20, progress=True)
    assert "20/20" in capsys.readouterr().err
    fit.bootstrap(draws=20)
    assert capsys.readouterr().err == ""
