"""Tests and confidence sets by the wild bootstrap, and what it refuses; test_wild.py checks the draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import DataError, FormulaError, InferenceWarning
from formula_torch.inference.multipliers import WEIGHTS

FORMULA = "y ~ x + year + C(h)"


@pytest.fixture(scope="module")
def data(crossed):
    return crossed


# -- tests and intervals --------------------------------------------------------------------------


@pytest.mark.parametrize("impose_null", [True, False])
@pytest.mark.parametrize("cluster", ["g", None])
def test_every_null_value_is_tested_with_the_same_draws(data, cluster, impose_null):
    fit = ft.fit(FORMULA, data)
    test = fit.wild_bootstrap("x = 0.4", cluster=cluster, draws=499, impose_null=impose_null)
    for null in (-3.0, 0.0, 0.4, 0.9, 25.0):
        other = fit.wild_bootstrap(f"x = {null}", cluster=cluster, draws=499, impose_null=impose_null)
        assert test.p_value_of(null) == other.p_value
        np.testing.assert_allclose(test.distribution.t_stats(other.statistic), other.t_stats, rtol=1e-9, atol=1e-9)
        assert other.conf_int() == pytest.approx(test.conf_int(), rel=1e-8)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("cluster", ["g", None])
def test_intervals_end_where_p_crosses_alpha(data, cluster, alpha):
    test = ft.fit(FORMULA, data).wild_bootstrap("x", cluster=cluster, draws=999, weights="webb")
    low, high = test.conf_int(alpha)
    assert low < test.estimate < high
    step = 1e-6 * test.std_error
    for end, outward in ((low, -step), (high, step)):
        assert test.p_value_of(end - outward) > alpha >= test.p_value_of(end + outward)
        assert test.p_value_of(end) == pytest.approx(alpha, abs=2.1 / test.draws)
    assert test.p_value_of(test.estimate) == 1


def test_not_imposed_intervals_are_quantiles_of_t(data):
    test = ft.fit(FORMULA, data).wild_bootstrap("x", cluster="g", draws=999, impose_null=False)
    quantile = np.sort(np.abs(test.t_stats))[::-1][49]
    np.testing.assert_allclose(
        test.conf_int(),
        [test.estimate - quantile * test.std_error, test.estimate + quantile * test.std_error],
        rtol=1e-7,
    )


def test_tails(data):
    test = ft.fit(FORMULA, data).wild_bootstrap("x", cluster="g", draws=999, weights="mammen")
    stars = test.t_stats
    # Two-point draws that are all equal give the sample's own t, but for rounding.
    stars = stars[np.abs(np.abs(stars) - abs(test.statistic)) > 1e-9]
    assert test.p_value == np.sum(np.abs(stars) > abs(test.statistic)) / test.draws
    upper, lower = np.sum(stars > test.statistic), np.sum(stars < test.statistic)
    assert test.p_value_equal_tail == pytest.approx(2 * min(upper, lower) / test.draws)


def test_units_of_measurement_do_not_matter(data):
    plain = ft.fit(FORMULA, data).wild_bootstrap("x", cluster="g", draws=499)
    frame = data.assign(x=data["x"] * 1e8, y=data["y"] * 1e-6 + 50, g=data["g"].map(lambda g: f"{(7 * g) % 12:02d}"))
    # Other names sort the clusters otherwise, and give them other signs: all combinations do not care.
    scaled = ft.fit(FORMULA, frame).wild_bootstrap("x", cluster="g", draws=9999)
    both = ft.fit(FORMULA, data).wild_bootstrap("x", cluster="g", draws=9999)
    assert scaled.draws == both.draws < 9999
    np.testing.assert_allclose(np.sort(scaled.t_stats), np.sort(both.t_stats), rtol=1e-7, atol=1e-9)
    assert scaled.p_value == both.p_value
    np.testing.assert_allclose(np.array(scaled.conf_int()) * 1e14, both.conf_int(), rtol=1e-7)
    moved = ft.fit("y ~ I(x + 3) + year + C(h)", data).wild_bootstrap("I(x + 3)", cluster="g", draws=499)
    np.testing.assert_allclose(moved.t_stats, plain.t_stats, rtol=1e-9, atol=1e-10)
    rows = data.sample(frac=1, random_state=0)
    shuffled = ft.fit(FORMULA, rows).wild_bootstrap("x", cluster="g", draws=499)
    np.testing.assert_allclose(shuffled.t_stats, plain.t_stats, rtol=1e-9, atol=1e-10)


def test_dropped_rows_are_aligned(data):
    holes = data.assign(y=data["y"].where(data.index % 9 != 4))
    test = ft.fit(FORMULA, holes).wild_bootstrap("x", cluster=data["g"].to_numpy(), draws=50)
    complete = holes.dropna().reset_index(drop=True)
    whole = ft.fit(FORMULA, complete).wild_bootstrap("x", cluster="g", draws=50)
    np.testing.assert_allclose(test.t_stats, whole.t_stats, rtol=1e-10, atol=1e-10)


# -- seeds and edges ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("cluster", ["g", None])
def test_the_seed_alone_decides(data, kind, cluster, monkeypatch):
    fit = ft.fit(FORMULA, data)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first = fit.wild_bootstrap("x", cluster=cluster, draws=301, seed=4, weights=kind)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.allclose(first.t_stats, fit.wild_bootstrap("x", cluster=cluster, draws=301, weights=kind).t_stats)
    monkeypatch.setattr("formula_torch.inference.wild.BLOCK", 13 * 200)
    torch.set_num_threads(1)
    second = fit.wild_bootstrap("x", cluster=cluster, draws=301, seed=4, weights=kind)
    torch.set_num_threads(threads)
    np.testing.assert_allclose(first.t_stats, second.t_stats, rtol=1e-12, atol=1e-12)
    assert first.p_value == second.p_value


def test_what_is_no_hypothesis_is_refused(data):
    fit = ft.fit(FORMULA, data)
    for hypothesis in ("x = 0, year = 0", "x = year = 0", "exp(x) = 1"):
        with pytest.raises(FormulaError, match="one linear hypothesis"):
            fit.wild_bootstrap(hypothesis, cluster="g")
    with pytest.raises(FormulaError, match="is not a coefficient"):
        fit.wild_bootstrap("z", cluster="g")
    with pytest.raises(ValueError, match="'rademacher', 'webb', 'mammen', 'normal'"):
        fit.wild_bootstrap("x", cluster="g", weights="gamma")
    with pytest.raises(ValueError, match="draws=0"):
        fit.wild_bootstrap("x", cluster="g", draws=0)
    with pytest.raises(ValueError, match="bootcluster= needs cluster="):
        fit.wild_bootstrap("x", bootcluster="g")


def test_data_without_an_answer_are_refused(data):
    with pytest.raises(DataError, match="at least 2 clusters"):
        ft.fit(FORMULA, data).wild_bootstrap("x", cluster=np.zeros(len(data)))
    with pytest.raises(DataError, match="variance of the hypothesis is zero"):
        ft.fit("y ~ x", data.assign(y=3 * data["x"] + 1)).wild_bootstrap("x", cluster=data["g"])
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.fit("y ~ x + I(2*x)", data)
    with pytest.raises(DataError, match="dropped from the model"):
        fit.wild_bootstrap("I(2*x)", cluster="g")
    fit.wild_bootstrap("x", cluster="g", draws=10)


def test_few_clusters_are_told(data):
    frame = data.assign(s=data["g"] // 4, treated=data["g"] // 4 == 0)
    fit = ft.fit("y ~ treated", frame)
    with pytest.warns(InferenceWarning, match="3 clusters or rows with two-point weights give only 4 values"):
        fit.wild_bootstrap("treated[T.True]", cluster="s")
    # Where both controls draw the same, t* grows with t: no value is ever rejected.
    test = fit.wild_bootstrap("treated[T.True]", cluster="s", weights="webb")
    with pytest.warns(InferenceWarning, match="unbounded"):
        low, high = test.conf_int(alpha=0.01)
    assert (low, high) == (-math.inf, math.inf)


def test_result_reads_like_other_tests(data):
    fit = ft.fit(FORMULA, data)
    test = fit.wild_bootstrap("x = 0.2", cluster="g", draws=199, seed=7)
    frame = test.summary_frame()
    assert list(frame.columns) == ["coef", "std err", "t", "P>|t|", "Conf. Int. Low", "Conf. Int. Upp."]
    assert list(frame.index) == ["x = 0.2"]
    reference = fit.with_vcov({"cluster": "g"}).t_test("x = 0.2")
    assert frame["t"].iloc[0] == pytest.approx(float(reference.tvalue[0, 0]), rel=1e-10)
    assert repr(test).startswith("<WildBootstrap of `x = 0.2`: t = ")
    assert "199 draws of 12 clusters of `g`, rademacher weights, seed 7, null imposed" in repr(test)
    with pytest.raises(ValueError, match="alpha"):
        test.conf_int(95)
