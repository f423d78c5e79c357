"""Effects of networks against linear fits, differences of predictions, integrals and other draws of the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import (
    ConvergenceWarning,
    DataError,
    DataRemovedError,
    FormulaError,
    InferenceWarning,
    UnknownNameError,
)

LINEAR = ft.Network(hidden=(), starts=1)
N = 240


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    x, z, g = draw.normal(3, 2, N), draw.uniform(0, 500, N), draw.choice(list("abc"), N)
    mean = 0.3 + 0.15 * x - 0.002 * z + 0.4 * (g == "b")
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "b": draw.random(N) > 0.5,
            "y": 10 * mean + draw.normal(size=N) * (1 + 0.3 * np.abs(x)),
            "counts": draw.poisson(np.exp(mean)).astype(float),
            "w": draw.integers(1, 4, N).astype(float),
            "t": draw.uniform(0.5, 2, N),
            "id": draw.integers(0, 30, N),
        }
    )


def pair(data: pd.DataFrame, formula: str = "y ~ x*g + I(z**2) + np.log(t)", **given: Any) -> tuple[Any, Any]:
    return ft.fit(formula, data, network=LINEAR, **given), ft.fit(formula, data, **given)


def same(ours: pd.DataFrame, theirs: pd.DataFrame, rtol: float = 1e-6) -> None:
    columns = ["estimate", "std_error"]
    np.testing.assert_allclose(ours[columns], theirs[columns], rtol=rtol, atol=1e-9)


# -- without a hidden layer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"vcov": "HC1"},
        {"vcov": {"cluster": "id"}},
        {"weights": "w"},
        {"weights": "w", "weights_type": "frequency"},
        {"offset": "t"},
    ],
    ids=str,
)
def test_no_hidden_layer_is_least_squares(data: pd.DataFrame, given: dict[str, Any]) -> None:
    ours, theirs = pair(data, **given)
    assert ours.converged
    for options in ({}, {"by": "b"}, {"at": {"g": ["a", "c"]}}, {"at": "mean"}, {"contrast": "pairwise"}):
        found, expected = ours.marginal_effects(**options).table, theirs.marginal_effects(**options).table
        assert found[["term", "contrast"]].equals(expected[["term", "contrast"]])
        same(found, expected)
    for method in ("dyex", "eydx"):
        rows = data.sort_values("y")[-40:]
        same(
            ours.marginal_effects("x", method=method, newdata=rows).table,
            theirs.marginal_effects("x", method=method, newdata=rows).table,
        )
    same(
        ours.average_predictions(by=["g", "b"], at={"x": [1, 2]}).table,
        theirs.average_predictions(by=["g", "b"], at={"x": [1, 2]}).table,
    )


@pytest.mark.parametrize(
    "given",
    [{"family": "poisson"}, {"family": "poisson", "exposure": "t", "vcov": "HC1"}, {"family": "gamma", "link": "log"}],
    ids=str,
)
def test_no_hidden_layer_is_a_glm(data: pd.DataFrame, given: dict[str, Any]) -> None:
    formula = "counts ~ x*g + I(z**2)" if given["family"] == "poisson" else "I(counts + 1) ~ x*g + I(z**2)"
    ours, theirs = pair(data, formula, **given)
    for method in ("dydx", "eyex"):
        variables = ["x", "z"] if method == "eyex" else None
        same(
            ours.marginal_effects(variables, method=method).table,
            theirs.marginal_effects(variables, method=method).table,
        )
    same(ours.average_predictions(by="g").table, theirs.average_predictions(by="g").table)


@pytest.mark.parametrize("vcov", ["iid", "HC1", {"cluster": "id"}], ids=str)
@pytest.mark.parametrize("family", [None, "poisson"])
def test_weights_without_a_hidden_layer_have_the_errors_of_coefficients(
    data: pd.DataFrame, vcov: Any, family: str | None
) -> None:
    unit = data.assign(x=(data.x - data.x.mean()) / data.x.std(ddof=0), z=(data.z - data.z.mean()) / data.z.std(ddof=0))
    ours, theirs = pair(unit, "counts ~ x + z", family=family, vcov=vcov)
    scale = 1.0 if family else data.counts.std(ddof=0)
    names = ["output:x", "output:z"]
    np.testing.assert_allclose(ours.params[names] * scale, theirs.params[["x", "z"]], rtol=1e-6)
    np.testing.assert_allclose(ours.bse[names] * scale, theirs.bse[["x", "z"]], rtol=1e-6)
    both = ours.cov_params().loc[names, names] * scale**2
    np.testing.assert_allclose(both, theirs.cov_params().loc[["x", "z"], ["x", "z"]], rtol=1e-6, atol=1e-12)


# -- with one -----------------------------------------------------------------------------------------

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "tanh": ("y ~ x + np.log(t) + g", {"hidden": (3,)}, {}),
    "deep": ("y ~ x + z:t", {"hidden": (3, 2), "activation": "sigmoid"}, {"weights": "w"}),
    "poisson": ("counts ~ x*t + g", {"hidden": (2,), "activation": "softplus"}, {"family": "poisson", "exposure": "t"}),
    "relu": ("y ~ x + t", {"hidden": (3,), "activation": "relu"}, {}),
    "no bias": ("y ~ x + t", {"hidden": (3,), "bias": False}, {}),
}


@pytest.fixture(scope="module", params=CASES)
def fit(request: pytest.FixtureRequest, data: pd.DataFrame) -> ft.NetworkFit:
    """At weights that are no maximum, where derivatives must hold as well."""
    formula, network, given = CASES[request.param]
    solver = ft.solvers.LBFGS(epochs=15)
    with pytest.warns(ConvergenceWarning, match="short of one"):
        return ft.fit(formula, data, network=ft.Network(starts=1, **network), solver=solver, **given)


def average(fit: ft.NetworkFit, data: pd.DataFrame, **columns: Any) -> float:
    weights = data.w if fit.weights_type else np.ones(len(data))
    return float(np.average(fit.predict(data.assign(**columns)), weights=weights))


def quiet(fit: ft.NetworkFit, *given: Any, **options: Any) -> Any:
    with pytest.warns(InferenceWarning, match="see bootstrap"):
        return fit.marginal_effects(*given, **options)


def test_slopes_are_differences_of_predictions(fit: ft.NetworkFit, data: pd.DataFrame) -> None:
    table = quiet(fit).table.set_index("term")["estimate"]
    for name in ("x", "t"):
        h = 1e-5 * data[name].std()
        high, low = (average(fit, data, **{name: data[name] + step}) for step in (h, -h))
        assert table[name] == pytest.approx((high - low) / (2 * h), rel=1e-6, abs=1e-8)


def test_contrasts_are_differences_of_predictions(fit: ft.NetworkFit, data: pd.DataFrame) -> None:
    if "g" in fit.recipe.columns:
        table = quiet(fit, "g", contrast="sequential").table
        assert table["contrast"].tolist() == ["b - a", "c - b"]
        means = [average(fit, data, g=level) for level in "abc"]
        np.testing.assert_allclose(table["estimate"], np.diff(means), rtol=1e-10)


@pytest.mark.parametrize("method", ["dydx", "eyex"])
def test_gradients_are_differences_in_the_weights(fit: ft.NetworkFit, data: pd.DataFrame, method: str) -> None:
    rows = data.assign(x=data.x.abs() + 0.1)
    rows = rows[fit.predict(rows) > 0.1][:40]
    found = quiet(fit, ["x", "t"], method=method, newdata=rows)
    theta, h = fit.coefficients, 1e-6
    for j in range(len(theta)):
        ends = [
            quiet(
                replace(fit, coefficients=theta + step * np.eye(len(theta))[j]), ["x", "t"], method=method, newdata=rows
            )
            for step in (h, -h)
        ]
        expected = (ends[0].margeff - ends[1].margeff) / (2 * h)
        np.testing.assert_allclose(found.jacobian[:, j], expected, rtol=1e-6, atol=1e-7 * np.abs(found.jacobian).max())


def test_blocks_of_rows_add_up(fit: ft.NetworkFit, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = quiet(fit)
    monkeypatch.setattr("formula_torch.result.network.machine.BLOCK_CELLS", 100)
    np.testing.assert_allclose(quiet(fit).margeff, whole.margeff, rtol=1e-12)
    np.testing.assert_allclose(quiet(fit).jacobian, whole.jacobian, rtol=1e-9, atol=1e-12)


def test_without_a_maximum_there_are_no_errors_and_it_is_said(fit: ft.NetworkFit) -> None:
    found = quiet(fit)
    assert np.isfinite(found.margeff).all()
    assert np.isnan(found.margeff_se).all()
    text = str(fit.summary())
    assert "There are no standard errors of the effects of `x`" in text
    assert "the descent stopped" in text
    assert "see bootstrap()" in text
    assert fit.tidy()["std_error"].isna().all()


def test_a_module_has_the_effects_of_its_layers(data: pd.DataFrame) -> None:
    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    solver = ft.solvers.LBFGS(epochs=15, weight_decay=0.01)
    own = ft.fit("y ~ x + t", data, network=ft.Network(module=module, starts=1), solver=solver)
    layers = ft.fit("y ~ x + t", data, network=ft.Network(hidden=(3,), starts=1), solver=solver)
    layers = replace(layers, coefficients=own.coefficients)
    np.testing.assert_allclose(quiet(own).margeff, quiet(layers).margeff, rtol=1e-10)
    np.testing.assert_allclose(quiet(own).jacobian, quiet(layers).jacobian, rtol=1e-9, atol=1e-12)


# -- on a curved truth --------------------------------------------------------------------------------


def curved(n: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    x, z = draw.normal(size=n), draw.normal(size=n)
    return pd.DataFrame({"x": x, "z": z, "y": np.sin(2 * x) + z**2 / 2 + 0.3 * draw.normal(size=n)})


@pytest.fixture(scope="module")
def waves() -> tuple[ft.NetworkFit, pd.DataFrame]:
    data = curved(2000, 1)
    return ft.fit("y ~ x + z", data, network=ft.Network(hidden=(5,), starts=1), seed=2), data


def test_effects_on_a_curved_truth(waves: tuple[ft.NetworkFit, pd.DataFrame]) -> None:
    fit, data = waves
    table = fit.marginal_effects().table.set_index("term")
    # Of the rows: the mean of the true derivatives there.
    truth = {"x": 2 * np.cos(2 * data.x).mean(), "z": data.z.mean()}
    for name, expected in truth.items():
        assert abs(table.estimate[name] - expected) < 3 * table.std_error[name]
    # Of the population: E[2 cos 2x] = 2 exp(-2) by quadrature, with the error of the rows added.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    integral = float(weights @ (2 * np.cos(2 * nodes)) / weights.sum())
    assert integral == pytest.approx(2 * np.exp(-2), abs=1e-10)
    error = np.hypot(table.std_error["x"], (2 * np.cos(2 * data.x)).std() / len(data) ** 0.5)
    assert abs(table.estimate["x"] - integral) < 3 * error


def test_partial_dependence_of_an_additive_function(waves: tuple[ft.NetworkFit, pd.DataFrame]) -> None:
    fit, data = waves
    for name, own, other in (
        ("x", lambda x: np.sin(2 * x), (data.z**2 / 2).mean()),
        ("z", lambda z: z**2 / 2, np.sin(2 * data.x).mean()),
    ):
        curve = fit.partial_dependence(name, points=12)
        table = curve.table
        assert table.columns.tolist() == [name, "estimate", "std_error", "conf_low", "conf_high"]
        np.testing.assert_allclose(table[name], np.linspace(*np.quantile(data[name], [0.01, 0.99]), 12), rtol=1e-12)
        off = (table.estimate - own(table[name]) - other) / table.std_error
        assert np.abs(off).max() < 4
        assert np.sqrt((off**2).mean()) < 2
        for value, estimate in zip(table[name][:3], table.estimate[:3], strict=True):
            assert estimate == pytest.approx(fit.predict(data.assign(**{name: value})).mean(), rel=1e-10)
    assert curve.means.vcov.shape == (12, 12)


def test_partial_dependence_takes_levels_and_few_values(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ g + b + w + C(id % 3)", data, network=LINEAR)
    assert fit.partial_dependence("g").table["g"].tolist() == ["a", "b", "c"]
    assert fit.partial_dependence("b").table["b"].tolist() == [False, True]
    assert fit.partial_dependence("w").table["w"].tolist() == [1.0, 2.0, 3.0]
    assert not fit.partial_dependence("g").numeric
    assert fit.partial_dependence("w").numeric
    expected = fit.average_predictions(at={"g": ["a", "b", "c"]}).table
    same(fit.partial_dependence("g").table, expected, 1e-12)
    assert len(fit.partial_dependence("w", newdata=data[data.w < 3]).table) == 2


def test_partial_dependence_refuses(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", data, network=LINEAR)
    with pytest.raises(UnknownNameError, match="does not use `z`"):
        fit.partial_dependence("z")
    with pytest.raises(ValueError, match="at least 2"):
        fit.partial_dependence("x", points=1)


def test_partial_dependence_is_drawn(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x + g", data, network=LINEAR)
    curve = fit.partial_dependence("x", points=9)
    ax = curve.plot()
    np.testing.assert_allclose(ax.lines[0].get_xydata(), curve.table[["x", "estimate"]])
    assert ax.get_ylabel() == "y, average prediction"
    ax = fit.plot_partial_dependence("g")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]
    assert len(ax.lines) == 1


# -- weights' own errors ------------------------------------------------------------------------------


def test_what_the_rows_do_not_determine_has_no_error() -> None:
    # A ReLU unit may be multiplied, and the weight that takes it divided: one direction for each unit.
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"x": draw.normal(size=120), "t": draw.normal(size=120)})
    bent = 2 * np.maximum(data.x - 0.2, 0) - np.maximum(-data.x - 0.4, 0)
    data["y"] = bent + 0.5 * data.t + 0.2 * draw.normal(size=120)
    fit = ft.fit("y ~ x + t", data, network=ft.Network(hidden=(3,), activation="relu", starts=1))
    assert fit.converged
    assert fit.identified.rank == len(fit.names) - 3
    free = [name for name in fit.names if "hidden" in name]
    assert fit.bse[free].isna().all()
    assert fit.cov_params().loc[free].isna().all(axis=None)
    assert np.isfinite(fit.bse["output:bias"])
    table = fit.marginal_effects().table
    assert (np.abs(table.estimate - [(2 * (data.x > 0.2) + (data.x < -0.4)).mean(), 0.5]) < 4 * table.std_error).all()


def test_a_dead_unit_has_no_error() -> None:
    draw = np.random.default_rng(2)
    data = pd.DataFrame({"x": draw.normal(size=120)})
    data["y"] = np.maximum(data.x, 0) + 0.1 * draw.normal(size=120)
    module = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    with torch.no_grad():
        module[0].weight[:] = torch.tensor([[1.0], [1.0]])
        module[0].bias[:] = torch.tensor([0.1, -50.0])
    fit = ft.fit("y ~ x", data, network=ft.Network(module=module, starts=1))
    assert fit.identified.rank == 3
    assert fit.bse[["0.weight[2, 1]", "0.bias[2]", "2.weight[1, 2]"]].isna().all()
    assert np.isfinite(fit.bse["2.bias[1]"])


def test_an_effect_of_what_is_not_determined_has_no_error(data: pd.DataFrame) -> None:
    # Rows with t of one value alone say nothing of what another would do.
    fit = ft.fit("y ~ x + t", data, network=LINEAR)
    blind = np.zeros(len(fit.names))
    blind[list(fit.names).index("output:t")] = 1.0
    known = replace(fit.identified, null_space=blind[None])
    fit = replace(fit, identified=known)
    with pytest.warns(InferenceWarning, match=r"of the effects of `t`: they depend on weights that the rows do not"):
        table = fit.marginal_effects().table.set_index("term")
    assert np.isnan(table.std_error["t"])
    assert np.isfinite(table.std_error["x"])
    assert np.isfinite(table.estimate["t"])
    assert "depend on weights" in str(fit.summary())


def test_a_step_has_no_slope() -> None:
    draw = np.random.default_rng(4)
    data = pd.DataFrame({"x": draw.normal(size=300)})
    data["y"] = (data.x > 0.1) + 0.1 * draw.normal(size=300)
    module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Tanh(), torch.nn.Linear(1, 1)).double()
    with torch.no_grad():
        module[0].weight[:] = 1e5
        module[0].bias[:] = -1e5 * (0.1 - data.x.mean()) / data.x.std(ddof=0)
    fit = ft.fit("y ~ x", data, network=ft.Network(module=module, starts=1))
    assert fit.converged
    with pytest.warns(InferenceWarning, match="of the effects of `x`: the fitted mean has steps"):
        assert np.isnan(fit.marginal_effects().margeff_se).all()
    assert fit.average_predictions(at={"x": [-1, 1]}).table["std_error"].notna().all()


# -- tables -------------------------------------------------------------------------------------------


def test_the_summary_shows_effects(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x + g + cut(z, 3) + I(t > 1)", data, network=LINEAR)
    text = str(fit.summary(alpha=0.1))
    assert "dy/dx    std err          z      P>|z|       [0.05       0.95]" in text
    assert "g[b - a]" in text
    assert "output:x" not in text
    assert "No effect of `z` is shown:" in text
    assert "No effect of `t` is shown:" in text
    assert "local maximum" in text
    table = fit.tidy(conf_level=0.9)
    assert table["term"].tolist() == ["x", "g", "g"]
    expected = fit.marginal_effects(["x", "g"], level=0.9).table
    pd.testing.assert_frame_equal(table, expected)
    with pytest.raises(FormulaError, match="has no derivative"):
        fit.marginal_effects("t")


def test_tables_leave_out_what_takes_long(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("formula_torch.result.network.margins.MOST", 2)
    fit = ft.fit("y ~ x + g + t", data, network=LINEAR)
    assert fit.tidy()["term"].tolist() == ["x"]
    assert "Effects of `g`, `t` take long, and are not shown" in str(fit.summary())


def test_augment_has_fitted_values(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", data, network=LINEAR)
    table = fit.augment()
    np.testing.assert_allclose(table.fitted + table.resid, table.y)
    pd.testing.assert_frame_equal(fit.augment(data)[["fitted", "resid"]], table[["fitted", "resid"]])


def test_without_its_rows(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x + t", data, network=LINEAR)
    bare = fit.remove_data()
    assert "Effects need the rows" in str(bare.summary())
    same(bare.marginal_effects(newdata=data).table, fit.marginal_effects().table, 1e-12)
    for ask in (bare.bootstrap, bare.marginal_effects, bare.tidy):
        with pytest.raises(DataRemovedError):
            ask()


# -- bootstrap ----------------------------------------------------------------------------------------


def test_bootstrap_without_a_hidden_layer_is_that_of_least_squares(data: pd.DataFrame) -> None:
    draws, ours, theirs = 8, *pair(data, "y ~ x + t")
    for given in ({}, {"cluster": "id"}):
        found = ours.bootstrap(draws, seed=4, **given).draws
        expected = theirs.bootstrap(draws=draws, seed=4, **given).draws
        np.testing.assert_allclose(found, expected[["x", "t"]], rtol=1e-5, atol=1e-6)


def test_bootstrap_of_counted_rows_is_that_of_repeated_rows(data: pd.DataFrame) -> None:
    long = data.loc[data.index.repeat(data.w.astype(int))].reset_index(drop=True)
    counted = ft.fit("y ~ x", data, weights="w", weights_type="frequency", network=LINEAR).bootstrap(5, seed=2)
    repeated = ft.fit("y ~ x", long, network=LINEAR).bootstrap(5, seed=2)
    assert counted.n_units == len(long)
    np.testing.assert_allclose(counted.draws, repeated.draws, rtol=1e-6)


def test_delta_method_errors_are_those_of_the_bootstrap() -> None:
    data = curved(300, 8).assign(
        y=lambda d: np.tanh(1.5 * d.x) + 0.3 * d.z + 0.3 * np.random.default_rng(3).normal(size=300)
    )
    fit = ft.fit("y ~ x + z", data, network=ft.Network(hidden=(1,), starts=2))
    found = fit.bootstrap(150, seed=1)
    assert found.failed == 0
    np.testing.assert_allclose(found.bse, fit.with_vcov("HC1").tidy()["std_error"], rtol=0.25)
    low, high = found.conf_int().to_numpy().T
    assert (low < fit.tidy()["estimate"]).all()
    assert (fit.tidy()["estimate"] < high).all()


def test_bootstrap_where_there_is_no_maximum(data: pd.DataFrame) -> None:
    solver = ft.solvers.Adam(epochs=60, lr=0.05, patience=5)
    fit = ft.fit("y ~ x + t", data, network=ft.Network(hidden=(2,), starts=2, validation=0.25), solver=solver)
    assert fit.irregular
    found = fit.bootstrap(9, seed=1)
    assert (found.bse > 0).all()
    # From the same beginnings: of all rows once it is the fit itself.
    again = fit._again(fit.training_rows("test"))
    np.testing.assert_allclose(again(torch.ones(len(fit.training), dtype=torch.float64)).coefficients, fit.coefficients)
    decayed = ft.fit(
        "y ~ x", data, network=ft.Network(hidden=(2,), starts=1), solver=ft.solvers.LBFGS(weight_decay=0.01)
    )
    assert (decayed.bootstrap(5).bse > 0).all()


def test_bootstrap_of_other_functions(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", data, network=LINEAR)
    found = fit.bootstrap(6, of=lambda f: f.partial_dependence("x", points=3).table.set_index("x")["estimate"])
    assert found.draws.shape == (6, 3)
    assert repr(found) == "<EffectResamples: 6 draws of 240 rows, seed 0>"
    with pytest.raises(ValueError, match="method='bca'"):
        found.conf_int(method="bca")


def test_bootstrap_refuses(data: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", data, network=LINEAR)
    with pytest.raises(ValueError, match="at least 2"):
        fit.bootstrap(1)
    with pytest.raises(DataError, match="at least 2 clusters"):
        fit.bootstrap(5, cluster=np.ones(N))
