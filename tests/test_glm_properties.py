"""What must hold of every generalised linear model: families x links x weights x covariances."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import DataError
from formula_torch.families import tweedie

MODELS = [
    ("binomial", "logit", "won"),
    ("binomial", "probit", "won"),
    ("binomial", "cloglog", "won"),
    ("binomial", "loglog", "won"),
    ("binomial", "cauchit", "won"),
    ("poisson", "log", "count"),
    ("poisson", "sqrt", "count"),
    ("quasipoisson", "log", "count"),
    ("quasibinomial", "logit", "won"),
    ("gamma", "log", "amount"),
    ("gamma", "inverse", "amount"),
    ("inverse_gaussian", "log", "amount"),
    ("gaussian", "log", "amount"),
    ("gaussian", "inverse", "amount"),
    (tweedie(1.5), "log", "rain"),
]
IDS = [f"{getattr(f, 'name', f)}-{link}" for f, link, _ in MODELS]
each_model = pytest.mark.parametrize(("family", "link", "y"), MODELS, ids=IDS)
RIGHT = "x + g + x:g + z"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    n = 240
    x, z, g = draw.normal(size=n), draw.uniform(1990, 2020, n), draw.choice(["a", "b", "c"], n)
    eta = 0.2 + 0.3 * x + 0.02 * (z - 2005) + 0.2 * (g == "b")
    mean = np.exp(0.5 * eta)
    amount = draw.gamma(8, mean / 8) + 0.05
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "won": (draw.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
            "count": draw.poisson(2 * mean).astype(float),
            "amount": amount,
            "rain": np.where(draw.random(n) < 0.3, 0.0, amount),
            "times": draw.integers(1, 4, n).astype(float),
            "w": draw.uniform(0.5, 2, n),
            "o": draw.normal(size=n) * 0.05,
            "firm": draw.integers(0, 12, n),
        }
    )


def fitted(data: pd.DataFrame, family: Any, link: str, y: str, right: str = RIGHT, **options: Any) -> Any:
    return ft.fit(f"{y} ~ {right}", data, family=family, link=link, **options)


def same(one: Any, other: Any, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(one.params, other.params[one.params.index], rtol=rtol)
    np.testing.assert_allclose(one.bse, other.bse[one.params.index], rtol=rtol)
    np.testing.assert_allclose(one.deviance, other.deviance, rtol=rtol)


@each_model
def test_the_score_is_zero_at_the_solution(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    fit = fitted(data, family, link, y, weights="w", offset="o")
    scores = fit.row_scores("this test")
    total = scores.by(np.zeros(len(data), dtype=np.int64), 1)[0]
    # In orthonormal coordinates: of an error's size where 1.
    assert np.abs(total).max() < 1e-9 * np.sqrt(max(fit.scale, 1))
    assert fit.converged


@each_model
def test_row_order_is_without_effect(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    same(fitted(data, family, link, y), fitted(data.sample(frac=1, random_state=1), family, link, y))


@each_model
def test_units_of_a_column_are_without_effect(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    plain, moved = fitted(data, family, link, y), fitted(data.assign(x=data["x"] * 1e9), family, link, y)
    np.testing.assert_allclose(plain.tvalues, moved.tvalues, rtol=1e-7)
    np.testing.assert_allclose(plain.params["x"], moved.params["x"] * 1e9, rtol=1e-8)
    np.testing.assert_allclose(plain.llf, moved.llf, rtol=1e-11)


@each_model
@pytest.mark.parametrize("vcov", ["iid", "HC0", "HC1", "HC2", "HC3"])
def test_frequency_weights_are_repeated_rows(data: pd.DataFrame, family: Any, link: str, y: str, vcov: str) -> None:
    weighted = fitted(data, family, link, y, weights="times", weights_type="frequency", vcov=vcov)
    repeated = fitted(data.loc[data.index.repeat(data["times"].astype(int))], family, link, y, vcov=vcov)
    same(weighted, repeated, 1e-7)
    for name in ("nobs", "llf", "llnull", "null_deviance", "pearson_chi2", "scale", "df_resid"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-9)


@each_model
def test_analytic_weights_have_no_unit_but_for_a_known_dispersion(
    data: pd.DataFrame, family: Any, link: str, y: str
) -> None:
    one, many = (fitted(data, family, link, y, weights=data["w"] * unit) for unit in (1, 7))
    np.testing.assert_allclose(one.params, many.params, rtol=1e-8)
    factor = 1.0 if one.family.dispersed else np.sqrt(7)
    np.testing.assert_allclose(one.bse, many.bse * factor, rtol=1e-8)
    np.testing.assert_allclose(one.with_vcov("HC1").bse, many.with_vcov("HC1").bse, rtol=1e-8)


@each_model
def test_an_offset_moves_its_coefficient(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    plain, moved = fitted(data, family, link, y), fitted(data, family, link, y, offset=0.1 * data["x"])
    np.testing.assert_allclose(moved.params["x"], plain.params["x"] - 0.1, rtol=1e-7)
    np.testing.assert_allclose(moved.bse, plain.bse, rtol=1e-8)
    np.testing.assert_allclose(moved.deviance, plain.deviance, rtol=1e-10)


@each_model
def test_dependent_columns_are_dropped_as_in_least_squares(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    wide = data.assign(twice=2 * data["x"] - data["z"])
    with pytest.warns(ft.errors.CollinearityWarning, match="`twice` depends on"):
        fit = fitted(wide, family, link, y, "x + g + z + twice")
    plain = fitted(data, family, link, y, "x + g + z")
    assert np.isnan(fit.params["twice"])
    np.testing.assert_allclose(fit.params.drop("twice"), plain.params, rtol=1e-8)
    np.testing.assert_allclose(fit.bse.drop("twice"), plain.bse, rtol=1e-8)
    np.testing.assert_allclose(fit.fittedvalues, plain.fittedvalues, rtol=1e-9)


@each_model
@pytest.mark.parametrize("vcov", ["iid", "HC0", "HC1", "HC2", "HC3", "OPG", {"cluster": "firm"}, {"HAC": 2}], ids=str)
def test_covariances_from_dense_scores(data: pd.DataFrame, family: Any, link: str, y: str, vcov: Any) -> None:
    fit = fitted(data, family, link, y, weights="w", vcov=vcov)
    design = fit.rows.design(fit.recipe)
    x, w = design.dense(), data["w"].to_numpy()
    eta = design.linear_predictor(fit.params.to_numpy())
    d = w * fit.family.score(design.y, eta).numpy() / fit.scale
    information = (x.T * (w * fit.family.information(eta).numpy() / fit.scale)) @ x
    scores = x * d[:, None]
    bread, n, k = np.linalg.inv(information), len(x), x.shape[1]
    root = np.sqrt(w * fit.family.information(eta).numpy() / fit.scale)[:, None] * x
    h = np.einsum("ij,jk,ik->i", root, bread, root)
    groups = np.stack([scores[data["firm"] == f].sum(0) for f in range(12)])
    lagged = sum(
        (2 - abs(lag) + 1) / 3 * scores[max(lag, 0) : n + min(lag, 0)].T @ scores[max(-lag, 0) : n + min(-lag, 0)]
        for lag in range(-2, 3)
    )
    meats = {
        "HC0": scores.T @ scores,
        "HC1": scores.T @ scores * n / (n - k),
        "HC2": (scores.T / (1 - h)) @ scores,
        "HC3": (scores.T / (1 - h) ** 2) @ scores,
        "{'cluster': 'firm'}": groups.T @ groups * 12 / 11 * (n - 1) / (n - k),
        "{'HAC': 2}": lagged,
    }
    if vcov == "iid":
        expected = bread
    elif vcov == "OPG":
        expected = np.linalg.inv(scores.T @ scores)
    else:
        expected = bread @ meats[str(vcov)] @ bread
    np.testing.assert_allclose(fit.cov_params(), expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


@each_model
def test_a_pickle_keeps_what_is_known(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    fit = fitted(data, family, link, y, vcov="HC1")
    packed = pickle.dumps(fit)
    again = pickle.loads(packed)
    assert len(packed) < 50_000
    assert str(again) == str(fit)
    new = {"x": [0.1, -0.2], "z": [2000, 2010], "g": ["a", "c"]}
    pd.testing.assert_series_equal(again.predict(new), fit.predict(new))
    pd.testing.assert_frame_equal(again.get_prediction(new).summary_frame(), fit.get_prediction(new).summary_frame())


@each_model
def test_prediction_errors_are_those_of_finite_differences(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    fit = fitted(data, family, link, y, vcov="HC1")
    new = {"x": [0.1, -0.2], "z": [2000.0, 2010.0], "g": ["a", "c"]}
    x = fit.recipe.apply(new).dense()
    found = fit.get_prediction(new)
    b, v = fit.params.to_numpy(), fit.cov_params().to_numpy()
    mean = lambda at: fit.family.mean(torch.from_numpy(x @ at)).numpy()  # noqa: E731
    steps = 1e-6 * np.diag(fit.bse.to_numpy())
    jacobian = np.stack([(mean(b + s) - mean(b - s)) / (2 * s.sum()) for s in steps], axis=1)
    np.testing.assert_allclose(found.predicted_mean, mean(b), rtol=1e-11)
    np.testing.assert_allclose(found.se_mean, np.sqrt(np.diag(jacobian @ v @ jacobian.T)), rtol=1e-6)
    bounds = found.conf_int()
    assert ((bounds[:, 0] < mean(b)) & (mean(b) < bounds[:, 1])).all()


@each_model
def test_a_factor_is_its_dummies(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    dummies = data.assign(b=(data["g"] == "b") * 1.0, c=(data["g"] == "c") * 1.0)
    one, other = fitted(data, family, link, y, "x + g"), fitted(dummies, family, link, y, "x + b + c")
    np.testing.assert_allclose(one.params, other.params[["Intercept", "b", "c", "x"]].reindex(_renamed(one)), rtol=1e-8)


def _renamed(fit: Any) -> list[str]:
    return [name.removeprefix("g[T.").removesuffix("]") for name in fit.params.index]


@each_model
def test_data_are_neither_changed_nor_needed_again(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    before = data.copy()
    fit = fitted(data, family, link, y)
    fit.summary(), fit.with_vcov("HC3"), fit.marginal_effects()
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize(
    ("family", "y", "told"),
    [
        ("binomial", [0, 2, 0, 2, 0, 2], "outside 0 to 1 in 3 rows"),
        ("poisson", [1, -2, 3, 0, 1, 2], "negative in 1 rows"),
        ("gamma", [1, 0, 3, 1, 1, 2], "zero or negative in 1 rows"),
        ("inverse_gaussian", [1, -1, 3, 1, 1, 2], "zero or negative in 1 rows"),
        (tweedie(1.5), [1, -1, 3, 1, 1, 2], "negative in 1 rows"),
    ],
)
def test_a_response_out_of_range_is_an_error(family: Any, y: list[float], told: str) -> None:
    with pytest.raises(DataError, match=told):
        ft.fit("y ~ x", {"y": y, "x": [1, 2, 3, 4, 5, 7]}, family=family)


def test_exposure_is_an_offset_of_its_logarithm(data: pd.DataFrame) -> None:
    one = fitted(data, "poisson", "log", "count", "x + g", exposure="w")
    other = fitted(data, "poisson", "log", "count", "x + g", offset=np.log(data["w"]))
    same(one, other, 1e-12)
    new = pd.DataFrame({"x": [0.0, 1.0], "g": ["a", "b"], "w": [1.0, 3.0]})
    np.testing.assert_allclose(one.predict(new), other.predict(new, offset=np.log(new["w"])), rtol=1e-12)
    with pytest.raises(ValueError, match="needs a log link"):
        fitted(data, "binomial", "logit", "won", exposure="w")
    with pytest.raises(DataError, match="exposure is zero or negative in 1 rows"):
        fitted(data, "poisson", "log", "count", exposure=np.r_[0.0, np.ones(len(data) - 1)])


def test_proportions_are_trials() -> None:
    cells = pd.DataFrame({"s": [3, 5, 0, 8], "f": [4, 1, 6, 2], "x": [0.1, 1.4, -2.0, 1.1]})
    one = ft.fit("cbind(s, f) ~ x", cells, family="binomial")
    share = cells.assign(p=cells.s / (cells.s + cells.f), n=cells.s + cells.f)
    other = ft.fit("p ~ x", share, family="binomial", weights="n")
    rows = pd.concat(
        [cells.loc[cells.index.repeat(cells.s)].assign(y=1), cells.loc[cells.index.repeat(cells.f)].assign(y=0)]
    )
    third = ft.fit("y ~ x", rows, family="binomial")
    same(one, other, 1e-12)
    assert one.llf == pytest.approx(other.llf, rel=1e-12)
    np.testing.assert_allclose(one.params, third.params, rtol=1e-10)
    np.testing.assert_allclose(one.bse, third.bse, rtol=1e-10)


@each_model
def test_one_group_of_trajectories_is_the_model(data: pd.DataFrame, family: Any, link: str, y: str) -> None:
    known = ft.families.resolve_generalized(family, link)
    if known.distribution.saturated is None or not known.everywhere:
        with pytest.raises(ValueError, match=r"has no likelihood|is not defined for every linear predictor"):
            ft.traj(f"{y} ~ x + g | firm", data, groups=1, family=known)
        return
    fit = fitted(data, family, link, y, "x + g")
    one = ft.traj(f"{y} ~ x + g | firm", data, groups=1, family=known)
    found = one.params[[f"g1:{name}" for name in fit.params.index]]
    np.testing.assert_allclose(found, fit.params, rtol=1e-7)
    # The dispersion of a mixture is at its maximum, Pearson's is not.
    assert one.llf >= fit.llf - 1e-9
    if not known.dispersed:
        assert one.llf == pytest.approx(fit.llf, rel=1e-10)
