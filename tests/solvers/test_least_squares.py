"""Properties of least squares: routes agree, the score vanishes, and nothing hangs on units or order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.formula.learn import learn
from formula_torch.models.linear import LinearModel, unit_loglik
from formula_torch.solvers import least_squares as module
from formula_torch.solvers.least_squares import least_squares
from formula_torch.solvers.standardise import SAMPLE_ROWS

FORMULAS = [
    "y ~ x + z",
    "y ~ x * g",
    "y ~ g * h",
    "y ~ poly(z, 3) : g + h - 1",
    "y ~ C(g, Sum) * z",
    "y ~ x:z + I(x^2) + h",
]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")),
]


@pytest.fixture
def data() -> pd.DataFrame:
    draw = np.random.default_rng(11)
    n = 400
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "g": draw.choice(["a", "b", "c"], n),
            "h": draw.choice(["u", "v"], n),
            "w": draw.uniform(0.2, 3, n),
            "m": draw.integers(1, 5, n),
            "o": draw.normal(size=n),
        }
    )
    return frame.assign(y=1 + frame["x"] - frame["z"] ** 2 + (frame["g"] == "b") + draw.normal(size=n))


def same(a, b, rtol: float = 1e-9, scale: float = 1.0) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=rtol * 1e-2 * scale)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_routes_agree(formula: str, weights: str | None, data, monkeypatch) -> None:
    """Cholesky, QR and double-double solve the same problem."""
    design = learn(formula, data, weights=weights).design
    answers = {}
    for route, settings in {
        "cholesky": {"EXACT_TINY": 0, "CHOLESKY_CONDITION": 1e8},
        "qr": {"CHOLESKY_CONDITION": 0, "EXACT_SMALL": 0, "EXACT_BUDGET": 0},
        "double-double": {"CHOLESKY_CONDITION": 0},
    }.items():
        with monkeypatch.context() as patch:
            for name, value in settings.items():
                patch.setattr(module, name, value)
            answers[route] = least_squares(design)
        assert answers[route].method == route
    exact = answers["double-double"]
    for other in answers.values():
        same(other.params, exact.params, 1e-10, np.abs(exact.params).max())
        same(other.inverse_gram, exact.inverse_gram, 1e-9, np.abs(exact.inverse_gram).max())
        same(other.ssr, exact.ssr, 1e-12)
        same(other.singular_values, exact.singular_values, 1e-9)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_devices_agree_with_numpy(formula: str, device: str, data) -> None:
    fit = ft.fit(formula, data, device=device)
    x = learn(formula, data).design.dense()
    beta, *_ = np.linalg.lstsq(x, data["y"].to_numpy(), rcond=None)
    same(fit.params, beta, 1e-9, np.abs(beta).max())
    same(fit.cov_params() / fit.scale, np.linalg.inv(x.T @ x), 1e-8, np.abs(np.linalg.inv(x.T @ x)).max())


@pytest.mark.parametrize("weights_type", ["analytic", "frequency"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_score_is_zero_and_the_oracle_agrees(formula: str, weights_type: str, data) -> None:
    """Autograd on the sum of the rows' log-likelihoods: zero gradient, the same value."""
    fit = ft.fit(formula, data, weights="m", weights_type=weights_type, offset="o")
    design = learn(formula, data, weights="m", offset="o").design
    x = torch.from_numpy(design.dense())
    params = torch.tensor(fit.params.to_numpy(), requires_grad=True)
    log_scale = torch.tensor(np.log(fit.ssr / fit.nobs), requires_grad=True)
    total = unit_loglik(params, log_scale, x, design, weights_type).sum()
    total.backward()
    assert total.item() == pytest.approx(fit.llf, rel=1e-12)
    size = (x.abs().mT @ design.response.abs()).max().item() / np.exp(log_scale.item())
    assert params.grad.abs().max().item() < 1e-12 * size
    assert abs(log_scale.grad.item()) < 1e-9 * fit.nobs


def test_row_order_does_not_matter(data) -> None:
    shuffled = data.sample(frac=1, random_state=0)
    for formula in FORMULAS:
        one, two = ft.fit(formula, data), ft.fit(formula, shuffled)
        same(two.params, one.params, 1e-10)
        same(two.bse, one.bse, 1e-10)
        pd.testing.assert_series_equal(two.resid.sort_index(), one.resid, rtol=1e-8, atol=1e-10)


def test_relabelling_the_reference_moves_nothing_but_the_names(data) -> None:
    one = ft.fit("y ~ g * z", data)
    two = ft.fit("y ~ C(g, Treatment('b')) * z", data)
    same(two.fittedvalues, one.fittedvalues)
    same([two.rsquared, two.llf, two.fvalue], [one.rsquared, one.llf, one.fvalue], 1e-11)
    same(two.params.iloc[0], one.params["Intercept"] + one.params["g[T.b]"])


def test_shift_and_scale_of_x(data) -> None:
    one = ft.fit("y ~ x + z", data)
    two = ft.fit("y ~ x + z", data.assign(x=3 * data["x"] + 1000))
    same(two.params["x"], one.params["x"] / 3)
    same(two.tvalues[["x", "z"]], one.tvalues[["x", "z"]])
    same(two.bse["z"], one.bse["z"])


@pytest.mark.parametrize("formula", FORMULAS)
def test_frequency_weights_equal_repeated_rows(formula: str, data) -> None:
    weighted = ft.fit(formula, data, weights="m", weights_type="frequency")
    if "poly" in formula:  # its basis is learned from the rows as they are
        formula = formula.replace("poly(z, 3)", "bs(z, knots=[2], degree=2)")
        weighted = ft.fit(formula, data, weights="m", weights_type="frequency")
    repeated = ft.fit(formula, data.loc[data.index.repeat(data["m"])])
    for name in ("params", "bse", "tvalues", "pvalues", "conf_int", "cov_params"):
        a, b = (getattr(f, name)() if callable(getattr(f, name)) else getattr(f, name) for f in (weighted, repeated))
        same(a, b)
    for name in ("rsquared_adj", "fvalue", "llf", "aic", "bic", "nobs", "df_resid", "condition_number", "centered_tss"):
        same(getattr(weighted, name), getattr(repeated, name))
    one, two = weighted.residual_statistics, repeated.residual_statistics
    same(list(vars(one).values()), list(vars(two).values()), 1e-8)


def test_analytic_weights_are_scale_free(data) -> None:
    one, two = (ft.fit("y ~ x * g", data.assign(w=data["w"] * c), weights="w") for c in (1.0, 1e6))
    same(two.params, one.params)
    same(two.bse, one.bse)


def test_frequency_weights_must_be_whole(data) -> None:
    with pytest.raises(ft.errors.DataError, match="whole numbers"):
        ft.fit("y ~ x", data, weights="w", weights_type="frequency")


def test_offsets(data) -> None:
    fits = [
        ft.fit("y ~ x + z", data.assign(y=data["y"] - data["o"])),
        ft.fit("y ~ x + z", data, offset="o"),
        ft.fit("y ~ x + z", data, offset=data["o"].to_numpy()),
        ft.fit("y ~ x + z + offset(o)", data),
        ft.fit("y ~ x + z + offset(o / 2)", data, offset=data["o"] / 2),
    ]
    for fit in fits[1:]:
        same(fit.params, fits[0].params)
        same(fit.resid, fits[0].resid, 1e-8)
        same(fit.fittedvalues, fits[0].fittedvalues + data["o"])
    same(fits[1].predict(data), fits[1].fittedvalues)
    same(fits[3].predict(data), fits[1].fittedvalues)
    same(fits[2].predict(data, offset=data["o"]), fits[1].fittedvalues)
    with pytest.raises(ft.errors.DataError, match="array as offset"):
        fits[2].predict(data)
    with pytest.raises(ft.errors.UnknownNameError, match="`o`"):
        fits[1].predict(data.drop(columns="o"))


def test_implicit_constant(data) -> None:
    one, two = ft.fit("y ~ g + x", data), ft.fit("y ~ g + x - 1", data)
    assert two.k_constant == 1
    same([two.rsquared, two.fvalue, two.df_model], [one.rsquared, one.fvalue, one.df_model])
    assert ft.fit("y ~ x - 1", data).k_constant == 0


def test_many_levels_equal_dense_algebra() -> None:
    draw = np.random.default_rng(2)
    n = 6000
    data = pd.DataFrame({"x": draw.normal(size=n), "h": draw.integers(0, 300, n), "y": draw.normal(size=n)})
    fit = ft.fit("y ~ x + C(h)", data)
    x = np.column_stack([np.ones(n), pd.get_dummies(data["h"]).to_numpy(float)[:, 1:], data["x"]])
    beta, *_ = np.linalg.lstsq(x, data["y"].to_numpy(), rcond=None)
    same(fit.params[[*fit.params.index[:1], *fit.params.index[2:], "x"]], beta, 1e-9)


def test_wide_designs_drop_dependent_columns_too(monkeypatch) -> None:
    """Beyond the budget of a QR the Gram matrix decides."""
    monkeypatch.setattr(module, "QR_BUDGET", 0)
    monkeypatch.setattr(module, "QR_CHEAP", 0)
    draw = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.arange(300) % 7, "x": draw.normal(size=300), "y": draw.normal(size=300)})
    data["twice"] = 2 * data["x"] - 3
    with pytest.warns(ft.errors.CollinearityWarning, match="`twice` depends on `x`"):
        fit = ft.fit("y ~ C(g) + x + twice", data)
    same(fit.params.drop("twice"), ft.fit("y ~ C(g) + x", data).params)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6, 1e8])
def test_digits_at_any_condition(condition: float) -> None:
    """Against rational arithmetic, where a solver in float64 would keep 16 - log10(condition) digits at best."""
    from fractions import Fraction

    draw = np.random.default_rng(5)
    x = draw.normal(size=60)
    data = pd.DataFrame({"x": x, "z": x + draw.normal(size=60) / condition, "y": draw.normal(size=60)})
    exact_columns = [[Fraction(float(v)) for v in c] for c in (np.ones(60), data["x"], data["z"], data["y"])]
    gram = [[sum(a * b for a, b in zip(p, q, strict=True)) for q in exact_columns] for p in exact_columns[:3]]
    for i in range(3):
        gram[i] = [v / gram[i][i] for v in gram[i]]
        for j in range(3):
            if j != i:
                gram[j] = [a - gram[j][i] * b for a, b in zip(gram[j], gram[i], strict=True)]
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ft.errors.CollinearityWarning)
        fit = ft.fit("y ~ x + z", data)
    same(fit.params, [float(row[3]) for row in gram], 1e-14)


def test_counting_of_observations(data) -> None:
    design = learn("y ~ x", data, weights="m").design
    assert LinearModel.of(design, "frequency").n_obs == data["m"].sum()
    assert LinearModel.of(design, "analytic").n_obs == len(data)


def test_indicators_too_rare_for_the_sample() -> None:
    """Columns that are zero in every sampled row are scaled by all of theirs."""
    draw = np.random.default_rng(3)
    n = 3 * SAMPLE_ROWS
    rare = np.zeros(n)
    rare[[1, 4, 7]] = 1e6
    data = pd.DataFrame({"x": draw.normal(size=n), "rare": rare, "flat": 0.5, "y": draw.normal(size=n)})
    assert not rare[::3].any()
    fit = ft.fit("y ~ x + rare", data)
    x = np.column_stack([np.ones(n), data["x"], data["rare"]])
    beta, *_ = np.linalg.lstsq(x, data["y"].to_numpy(), rcond=None)
    same(fit.params * [1, 1, 1e6], beta * [1, 1, 1e6])
    with pytest.warns(ft.errors.CollinearityWarning, match="`flat` is constant"):
        ft.fit("y ~ x + flat", data)
