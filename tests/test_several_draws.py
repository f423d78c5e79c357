"""Bootstrap, jackknife and influence of models of several predictors, against fits of each draw and logits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import ConvergenceWarning, DataError, DataRemovedError, InferenceWarning
from formula_torch.numerics.random import generator_of, resampled_counts

N, CLUSTERS = 120, 12


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=N), rng.normal(size=N)
    counts = rng.negative_binomial(1 / 0.8, 1 / (1 + 0.8 * np.exp(0.8 + 0.4 * x))).astype(float)
    latent = 0.7 * x - 0.4 * z + rng.logistic(size=N)
    share = 1 / (1 + np.exp(-0.3 - 0.6 * x))
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": rng.choice(list("ab"), N),
            "counts": counts,
            "plain": rng.binomial(8, 0.25, N).astype(float),
            "inflated": np.where(rng.random(N) < 0.35, 0.0, counts),
            "level": pd.Categorical.from_codes(np.digitize(latent, [-0.6, 0.8]), ["low", "mid", "high"], True),
            "yes": (latent > 0).astype(float),
            "share": rng.beta(8 * share, 8 * (1 - share)),
            "w": rng.uniform(0.5, 2.0, N),
            "f": rng.integers(1, 4, N),
            "t": rng.uniform(0.5, 3.0, N),
            "firm": rng.integers(0, CLUSTERS, N),
        },
        index=np.arange(N) + 100,
    )


# formula, family, further options
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nb2": ("counts ~ x + g", "negative_binomial", {}),
    "nb1, exposure": ("counts ~ x", "nb1", {"exposure": "t"}),
    "nb2, a formula for alpha": ("counts ~ x", "nb2", {"dispersion": "~ z"}),
    "zip": ("inflated ~ x", "zip", {"inflation": "~ g"}),
    "hurdle": ("inflated ~ x", "hurdle_poisson", {"inflation": "~ z"}),
    "beta": ("share ~ x + g", "beta", {}),
    "multinomial": ("level ~ x + z", "multinomial", {}),
    "ordered probit": ("level ~ x + g", "ordered_probit", {}),
    "nb2 at its boundary": ("plain ~ x", "nb2", {}),
}


def fitted(name: str, data: pd.DataFrame, **more: Any) -> Any:
    formula, family, options = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ft.fit(formula, data, family=family, **{**options, **more})


def same(found: np.ndarray, fit: Any, rtol: float = 1e-8) -> bool:
    return np.allclose(found, fit.params, rtol=rtol, atol=1e-9)


# -- draws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_draw_is_the_fit_with_its_counts_as_weights(name: str, data: pd.DataFrame) -> None:
    found = fitted(name, data).bootstrap(draws=6, seed=3)
    counts = resampled_counts(generator_of(3), 6, N).numpy()
    for draw, own in zip(found.draws.to_numpy(), counts, strict=True):
        assert same(draw, fitted(name, data, weights=own))


@pytest.mark.parametrize("name", CASES)
def test_leaving_out_is_the_fit_of_the_other_rows(name: str, data: pd.DataFrame) -> None:
    found = fitted(name, data).jackknife()
    for i in (0, 41, N - 1):
        assert same(found.left_out.to_numpy()[i], fitted(name, data.drop(data.index[i])))
    moves = found.left_out.to_numpy() - found.params.to_numpy()
    assert np.allclose(found.cov_params(), (N - 1) / N * moves.T @ moves, rtol=1e-12)


@pytest.mark.parametrize("name", ["zip", "multinomial", "beta"])
def test_clusters(name: str, data: pd.DataFrame) -> None:
    fit = fitted(name, data, weights="w")
    left = fit.jackknife(cluster="firm").left_out.to_numpy()
    assert same(left[3], fitted(name, data[data.firm != 3], weights="w"))
    resamples = fit.bootstrap(cluster="firm", draws=4, seed=8)
    counts = resampled_counts(generator_of(8), 4, CLUSTERS).numpy()
    for draw, own in zip(resamples.draws.to_numpy(), counts, strict=True):
        assert same(draw, fitted(name, data, weights=own[data.firm] * data.w.to_numpy()))
    assert resamples.df == CLUSTERS - 1
    assert fit.with_vcov(resamples.vcov).bse.equals(resamples.bse)


def test_frequency_weights_are_rows(data: pd.DataFrame) -> None:
    whole = fitted("nb2", data.loc[data.index.repeat(data.f)])
    counted = fitted("nb2", data, weights="f", weights_type="frequency")
    for one, other in (
        (counted.bootstrap(draws=3), whole.bootstrap(draws=3)),
        (counted.jackknife(), whole.jackknife()),
    ):
        assert np.allclose(one.values, other.values, rtol=1e-9)
    assert counted.jackknife(cluster="firm").values.shape == (CLUSTERS, 4)


def test_errors_of_draws_are_near_the_robust_ones(data: pd.DataFrame) -> None:
    fit = fitted("multinomial", data, vcov="HC0")
    found = fit.bootstrap(draws=300, seed=1)
    assert np.allclose(found.bse / fit.bse, 1, atol=0.2)
    assert (found.conf_int(method="bca")[0] < fit.params).all()


def test_draws_at_a_boundary(data: pd.DataFrame) -> None:
    """Where the sample has no overdispersion some draws have, and the others are Poisson."""
    fit = fitted("nb2 at its boundary", data)
    draws = fit.bootstrap(draws=40, seed=2).draws
    assert fit.params["alpha"] == 0
    assert (draws["alpha"] == 0).any()
    assert (draws["alpha"] > 0).any()


def test_draws_that_do_not_determine_are_left_out(data: pd.DataFrame) -> None:
    rare = data.assign(rare=np.isin(np.arange(N), [3, 50, 51, 90]).astype(float))
    rare.loc[rare.index[[3, 50, 51, 90]], "level"] = ["low", "mid", "high", "low"]
    fit = ft.fit("level ~ x + rare", rare, family="multinomial")
    with pytest.raises(DataError, match="of 60 draws do not determine all coefficients"):
        fit.bootstrap(draws=60)
    with pytest.warns(InferenceWarning, match=r"coefficients are determined by one alone of the 120 rows"):
        left = fit.jackknife().left_out
    assert left["mid:rare"].isna().sum() == 1
    assert not left["mid:x"].isna().any()


def test_resampling_needs_the_rows(data: pd.DataFrame) -> None:
    bare = fitted("beta", data).remove_data()
    for method in (bare.bootstrap, bare.jackknife, bare.get_influence):
        with pytest.raises(DataRemovedError):
            method()


# -- influence ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"weights": "f", "weights_type": "frequency"}])
def test_influence_of_two_levels_is_that_of_a_logit(options: dict[str, Any], data: pd.DataFrame) -> None:
    peer = ft.fit("yes ~ x + g", data, family="binomial", **options).get_influence()
    levels = data.assign(yes=pd.Categorical(np.where(data.yes == 1, "yes", "no"), ["no", "yes"], ordered=True))
    for family, take in (("multinomial", [0, 1, 2]), ("ordered_logit", [1, 2])):
        own = ft.fit("yes ~ x + g", levels, family=family, **options).get_influence()
        assert np.allclose(own.dfbetas[:, : len(take)], peer.dfbetas[:, take], rtol=1e-9, atol=1e-12)
        for one, other in zip(own.cooks_distance, peer.cooks_distance, strict=True):
            assert np.allclose(one, other, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", [name for name in CASES if "boundary" not in name])
def test_influence_is_one_newton_step(name: str, data: pd.DataFrame) -> None:
    """By the gradient and the Hessian without a row, and near the fit without it."""
    fit = fitted(name, data)
    found = fit.get_influence()
    left = fit.jackknife().left_out.to_numpy()
    errors = fit.bse.to_numpy()
    step, whole = found.d_params / errors, (fit.params.to_numpy() - left) / errors
    assert np.abs(step - whole).max() < 0.25 * np.abs(whole).max()
    # What a step leaves is of the second order.
    assert np.abs(step - whole).mean() < 0.06 * np.abs(whole).mean()
    cooks = np.einsum("ij,jk,ik->i", found.d_params, np.linalg.inv(fit.cov_params()), found.d_params) / len(errors)
    assert np.allclose(found.cooks_distance[0], cooks, rtol=1e-7)
    frame = found.summary_frame()
    assert frame.index.equals(data.index)
    assert np.allclose(frame["cooks_d"], cooks, rtol=1e-7)


def test_a_step_is_exact_where_the_likelihood_is_known(data: pd.DataFrame) -> None:
    """Poisson counts above zero and a logit of them are apart: the hurdle's influence is that of either."""
    own = ft.fit("inflated ~ 1", data, family="hurdle_poisson", inflation="~ x").get_influence()
    above = data.assign(above=(data.inflated > 0).astype(float))
    peer = ft.fit("above ~ x", above, family="binomial").get_influence()
    assert np.allclose(own.dfbetas[:, 1:], peer.dfbetas, rtol=1e-8, atol=1e-12)


def test_a_row_that_determines_something_alone(data: pd.DataFrame) -> None:
    alone = data.assign(alone=(np.arange(N) == 7).astype(float))
    found = ft.fit("share ~ x + alone", alone, family="beta").get_influence()
    assert np.isnan(found.dfbetas[7]).all()
    assert np.isfinite(np.delete(found.dfbetas, 7, axis=0)).all()
