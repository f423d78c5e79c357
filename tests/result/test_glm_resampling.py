"""Bootstrap and jackknife of generalised linear models against fits of the very same units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataError, InferenceWarning
from formula_torch.inference import rescored
from formula_torch.numerics.random import generator_of, resampled_counts


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(8)
    n = 120
    g = np.sort(draw.integers(0, 9, n))
    x, h = draw.normal(size=n), draw.choice(["a", "b", "c"], n)
    eta = 0.5 + 0.4 * x + 0.3 * (h == "b") + draw.normal(size=9)[g] / 4
    mean = np.exp(eta)
    return pd.DataFrame(
        {
            "x": x,
            "h": h,
            "g": g,
            "count": draw.poisson(mean),
            "amount": draw.gamma(2, mean / 2),
            "any": (draw.random(n) < 1 / (1 + np.exp(-eta))).astype(int),
            "trials": draw.integers(1, 9, n),
            "a": draw.uniform(0.5, 2, n),
            "f": draw.integers(1, 4, n),
            "time": draw.uniform(1, 5, n),
        }
    ).assign(share=lambda d: draw.binomial(d["trials"], 0.4) / d["trials"])


MODELS = {
    "poisson": ("count ~ x + h", {"family": "poisson"}),
    "exposure": ("count ~ x", {"family": "poisson", "exposure": "time"}),
    "logit": ("any ~ x + h", {"family": "binomial"}),
    "probit": ("any ~ x", {"family": "binomial", "link": "probit"}),
    "trials": ("share ~ x", {"family": "binomial", "weights": "trials"}),
    "gamma": ("amount ~ x + h", {"family": "gamma", "link": "log"}),
    "inverse": ("amount ~ x", {"family": "gamma"}),
    "quasi": ("count ~ x", {"family": "quasipoisson", "weights": "a"}),
}


def counted(formula, data, counts, options):
    """A fit to rows as often as they were drawn: analytic weights multiply, as coefficients do not tell them apart."""
    weights = counts * (data[options["weights"]] if "weights" in options else 1.0)
    options = {**options, "weights": "drawn"}
    return ft.fit(formula, data.assign(drawn=weights)[counts > 0], **options).params.to_numpy()


def close(got, expected, errors, tolerance=1e-7):
    np.testing.assert_allclose((got - expected) / errors, 0, atol=tolerance)


@pytest.mark.parametrize("name", MODELS)
def test_draws_are_fits_of_the_rows_drawn(name, data):
    formula, options = MODELS[name]
    fit = ft.fit(formula, data, **options)
    found = fit.bootstrap(draws=6, seed=3)
    counts = resampled_counts(generator_of(3), 6, len(data)).numpy()
    expected = [counted(formula, data, c, options) for c in counts]
    close(found.draws.to_numpy(), expected, fit.bse.to_numpy())
    assert found.failed == 0
    np.testing.assert_array_equal(found.draws, fit.bootstrap(draws=6, seed=3).draws)
    assert not found.draws.equals(fit.bootstrap(draws=6, seed=4).draws)


@pytest.mark.parametrize("name", ["poisson", "probit", "trials"])
def test_draws_of_clusters(name, data):
    formula, options = MODELS[name]
    fit = ft.fit(formula, data, **options)
    found = fit.bootstrap(cluster="g", draws=5, seed=1)
    counts = resampled_counts(generator_of(1), 5, 9).numpy()[:, data["g"]]
    close(found.draws.to_numpy(), [counted(formula, data, c, options) for c in counts], fit.bse.to_numpy())
    assert (found.df, found.units, found.n_units) == (8, "g", 9)


@pytest.mark.parametrize("cluster", [None, "g"])
@pytest.mark.parametrize("name", ["poisson", "probit", "inverse"])
def test_jackknife_is_fits_without_each_unit(name, cluster, data):
    formula, options = MODELS[name]
    fit = ft.fit(formula, data, **options)
    found = fit.jackknife(cluster=cluster)
    unit = np.arange(len(data)) if cluster is None else data[cluster].to_numpy()
    for i in (0, 3, unit.max()):
        without = ft.fit(formula, data[unit != i], **options).params
        close(found.left_out.iloc[i], without, fit.bse)
    assert found.n_units == unit.max() + 1
    if name == "poisson":
        # To the first order HC3, and CRV3.
        near = fit.with_vcov("HC3" if cluster is None else {"CRV3": "g"}).bse
        np.testing.assert_allclose(found.bse, near, rtol=0.1)


def test_frequency_weights_are_repeated_rows(data):
    fit = ft.fit("count ~ x", data, family="poisson", weights="f", weights_type="frequency")
    unfolded = data.loc[data.index.repeat(data["f"])]
    repeated = ft.fit("count ~ x", unfolded, family="poisson")
    for ours, theirs in (
        (fit.bootstrap(draws=20, seed=2).draws, repeated.bootstrap(draws=20, seed=2).draws),
        (fit.bootstrap(draws=20, seed=2, cluster="g").draws, repeated.bootstrap(draws=20, seed=2, cluster="g").draws),
        (fit.jackknife().left_out, repeated.jackknife().left_out),
        (fit.jackknife(cluster="g").left_out, repeated.jackknife(cluster="g").left_out),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_draws_do_not_depend_on_blocks(data, monkeypatch):
    fit = ft.fit("any ~ x + h", data, family="binomial")
    whole = fit.bootstrap(draws=30, seed=5).draws, fit.jackknife().left_out
    monkeypatch.setattr(rescored, "CELLS_AT_ONCE", 500)
    np.testing.assert_allclose(fit.bootstrap(draws=30, seed=5).draws, whole[0], rtol=1e-12)
    np.testing.assert_allclose(fit.jackknife().left_out, whole[1], rtol=1e-12)


def test_intervals_and_errors(data):
    fit = ft.fit("count ~ x", data, family="poisson")
    found = fit.bootstrap(draws=999, seed=0)
    np.testing.assert_allclose(found.bse, fit.with_vcov("HC0").bse, rtol=0.15)
    for method in ("percentile", "basic", "normal", "t", "bca"):
        interval = found.conf_int(method=method)
        assert (interval[0] < fit.params).all()
        assert (interval[1] > fit.params).all()
    influence = fit.get_influence()
    # Derivatives in the count of a row are the steps without it, but for the leverage.
    steps = influence.d_params * (1 - influence.hat_matrix_diag)[:, None]
    expected = (steps**3).sum(0) / (6 * (steps**2).sum(0) ** 1.5)
    np.testing.assert_allclose(found.acceleration, expected, rtol=1e-6)
    assert fit.with_vcov(found.vcov).bse.equals(found.bse)


def test_separated_draws_are_left_out_and_said():
    # With few events some draws have none of the exposed ones among them.
    data = pd.DataFrame({"y": [1, 1, 1, 0, 0, 0, 0, 0] * 4, "x": [1, 0, 1, 1, 0, 0, 1, 0] * 4})
    data["rare"] = 0
    data.loc[[0, 3, 8, 11, 16, 19, 24, 27], "rare"] = 1
    fit = ft.fit("y ~ x + rare", data, family="binomial")
    with pytest.warns(InferenceWarning, match="outcomes are separated coefficients run to infinity") as caught:
        found = fit.bootstrap(draws=400, seed=1)
    assert caught[0].filename == __file__
    assert 0 < found.failed < 40
    assert f"{found.failed} of 400 draws" in str(caught[0].message)
    counts = resampled_counts(generator_of(1), 400, len(data)).numpy()
    cells = [np.bincount(2 * data["rare"] + data["y"], c, 4) for c in counts]
    crossed = [np.bincount(2 * data["x"] + data["y"], c, 4) for c in counts]
    # A cell without events, or without others, is separated.
    separated = np.array([(a == 0).any() or (b == 0).any() for a, b in zip(cells, crossed, strict=True)])
    lost = np.isnan(found.values).any(axis=1)
    assert lost[separated].all()
    assert np.isfinite(found.bse).all()
    assert np.abs(found.values[~lost]).max() < 20


def test_too_many_separated_draws_are_an_error():
    data = pd.DataFrame({"y": [1, 0, 0, 1, 0, 1, 0, 0, 1, 1], "x": range(10), "g": list("abababaabb")})
    fit = ft.fit("y ~ x + g", data, family="binomial")
    with pytest.raises(DataError, match="draws do not determine all coefficients"):
        fit.bootstrap(draws=200)


def test_a_coefficient_of_one_unit_has_no_jackknife(data):
    data = data.assign(one=lambda d: (d["g"] == 3).astype(float))
    fit = ft.fit("count ~ x + one", data, family="poisson")
    with pytest.warns(InferenceWarning, match="1 coefficients are determined by one alone of the 9 clusters of `g`"):
        found = fit.jackknife(cluster="g")
    assert np.isnan(found.bse["one"])
    without = ft.fit("count ~ x", data[data["g"] != 3], family="poisson").params
    close(found.left_out.iloc[3][["Intercept", "x"]], without, fit.bse[["Intercept", "x"]])


@pytest.mark.filterwarnings("ignore::formula_torch.errors.DesignWarning")
def test_what_cannot_be_resampled(data, monkeypatch):
    fit = ft.fit("count ~ x", data, family="poisson")
    with pytest.raises(DataError, match="at least 2 clusters"):
        fit.bootstrap(cluster=np.zeros(len(data)))
    with pytest.raises(ValueError, match="at least 2"):
        fit.bootstrap(draws=1)
    exact = ft.fit("count ~ x", data.iloc[:2], family="poisson")
    with pytest.raises(DataError, match="leave no degrees of freedom"):
        exact.bootstrap()
    monkeypatch.setattr(rescored, "MOST_CELLS", 100)
    with pytest.raises(DataError, match="takes too long"):
        fit.jackknife()
    assert fit.bootstrap(draws=3).draws.shape == (3, 2)


def test_aliased_columns_stay_nan(data):
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.fit("count ~ x + I(2 * x)", data, family="poisson")
    found, plain = fit.bootstrap(draws=10), ft.fit("count ~ x", data, family="poisson").bootstrap(draws=10)
    np.testing.assert_allclose(found.draws[["Intercept", "x"]], plain.draws, rtol=1e-9)
    assert found.draws.iloc[:, 2].isna().all()
