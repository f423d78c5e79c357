"""Models by descent beside the exact solution: on data of tutorials, for every family, and where data are awkward."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, ConvergenceWarning, DataError, SeparationWarning
from formula_torch.models import row_loss

SGD, Adam, LBFGS = ft.solvers.SGD, ft.solvers.Adam, ft.solvers.LBFGS
EXACT = [LBFGS(), SGD(), SGD(momentum=0.9), Adam()]


@pytest.fixture(scope="module")
def line() -> pd.DataFrame:
    """The line of the notebook "Neural Networks, Gradient Descent", whose least squares are 5.00515 and 1.98443."""
    draw = np.random.RandomState(37)
    x = draw.normal(2.0, 1.0, 1000)
    return pd.DataFrame({"x": x, "y": draw.normal(5.0 + 2.0 * x, 1) + draw.normal(0, 1, 1000)})


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    n = 300
    data = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.uniform(0, 5, n),
            "w": draw.integers(1, 5, n).astype(float),
            "o": draw.normal(size=n) * 0.2,
            "g": draw.choice(list("abc"), n),
        }
    )
    eta = 0.3 + 0.5 * data["x"] - 0.2 * data["z"] + data["o"]
    data["gaussian"] = eta + draw.normal(size=n)
    data["binomial"] = (draw.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    data["poisson"] = draw.poisson(np.exp(eta))
    data["gamma"] = np.exp(eta) * draw.gamma(2.0, 0.5, n)
    return data


def quietly(formula: str, data: pd.DataFrame, **asked: Any) -> Any:
    """Fit by a descent that is not to reach the solution."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return ft.fit(formula, data, **asked)


# The data of the tutorials.


def test_the_line_of_the_notebook(line: pd.DataFrame) -> None:
    exact = np.linalg.lstsq(np.column_stack([np.ones(1000), line["x"]]), line["y"], rcond=None)[0]
    # The notebook's 5.0051513 and 1.9844328 are of single precision.
    np.testing.assert_allclose(exact, [5.0051513, 1.9844328], atol=2e-6)
    np.testing.assert_allclose(ft.fit("y ~ x", line).params, exact, rtol=1e-12)


@pytest.mark.parametrize(
    "method", [Adam(lr=1e-3, epochs=4500), Adam(), SGD(), LBFGS()], ids=lambda m: f"{m.name} {m.lr}"
)
def test_the_line_by_batches_of_all(line: pd.DataFrame, method: Any) -> None:
    np.testing.assert_allclose(ft.fit("y ~ x", line, solver=method).params, [5.00514991, 1.98443301], atol=1e-6)


@pytest.mark.parametrize(
    "method",
    [
        SGD(lr=0.1, epochs=300, batch_size=32, schedule="exponential"),
        Adam(lr=0.01, epochs=300, batch_size=32, schedule=lambda done: 0.001**done),
    ],
    ids=lambda m: m.name,
)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_line_by_batches_of_32_to_four_digits(line: pd.DataFrame, method: Any, seed: int) -> None:
    fit = ft.fit("y ~ x", line, solver=method, seed=seed)
    np.testing.assert_allclose(fit.params, [5.00514991, 1.98443301], rtol=5e-5)


def test_the_line_row_by_row_to_three_digits(line: pd.DataFrame) -> None:
    method = SGD(lr=0.003, epochs=40, batch_size=1, schedule="exponential", average=0.2)
    fit = ft.fit("y ~ x", line, solver=method)
    np.testing.assert_allclose(fit.params, [5.00514991, 1.98443301], rtol=5e-4)
    assert "stochastic" in fit.trace.method


def test_plant_richness() -> None:
    plants = ft.datasets.plant_richness()
    fit = ft.fit("ntv_rich ~ area", plants, solver=SGD(epochs=6000))
    np.testing.assert_allclose(fit.params.round(5), [1.33605, 0.35574])
    # The tutorial's 1.33122 and 0.35739, of 6,000 epochs at lr=0.002 of the columns as they came, were on the way.
    gap = np.array([1.331221, 0.357393]) - fit.params
    assert np.abs(gap / fit.bse).max() < 0.1
    assert fit.predict({"area": [3]})[0] == pytest.approx(2.4033, abs=1e-4)


@pytest.mark.parametrize("method", EXACT, ids=lambda m: m.name)
def test_doctor_visits_to_six_digits(visits: pd.DataFrame, method: Any) -> None:
    formula = "drvisits ~ private + medicaid + age + educ + actlim + chronic"
    exact, fit = ft.fit(formula, visits), ft.fit(formula, visits, solver=method)
    np.testing.assert_allclose(fit.params, exact.params, rtol=1e-6)
    np.testing.assert_allclose(fit.bse, exact.bse, rtol=1e-9)
    assert fit.trace.distance < 1e-5
    robust = fit.with_vcov("HC1")
    np.testing.assert_allclose(robust.bse, exact.with_vcov("HC1").bse, rtol=1e-6)
    assert robust.trace is fit.trace


# Every family, by the exact solution.


@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson", "gamma"])
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("offset", ["", " + offset(o)"])
def test_families_with_weights_and_offsets(mixed: pd.DataFrame, family: str, weights: str | None, offset: str) -> None:
    asked: dict[str, Any] = {
        "family": family,
        "link": "log" if family == "gamma" else None,
        "weights": weights,
        "weights_type": "frequency",
    }
    formula = f"{family} ~ x + z + g{offset}"
    exact = ft.fit(formula, mixed, **asked)
    # A gradient of 1e-8 leaves an error of that over the least curvature, near 0.05.
    for method in EXACT:
        fit = ft.fit(formula, mixed, solver=method, **asked)
        np.testing.assert_allclose(fit.params, exact.params, atol=1e-6)
        np.testing.assert_allclose(fit.bse, exact.bse, rtol=1e-5)
        assert fit.llf == pytest.approx(exact.llf, rel=1e-8)
        assert fit.trace.converged
    # Small batches stay away by what is left of the learning rate.
    method = SGD(epochs=150, batch_size=32, schedule="exponential")
    fit = ft.fit(formula, mixed, solver=method, **asked)
    assert fit.trace.distance < 0.05
    assert (np.abs(fit.params - exact.params) < 0.05 * exact.bse * 1.01).all()


def test_analytic_weights(mixed: pd.DataFrame) -> None:
    exact = ft.fit("gaussian ~ x + z", mixed, weights="w")
    fit = ft.fit("gaussian ~ x + z", mixed, weights="w", solver="lbfgs")
    np.testing.assert_allclose(fit.params, exact.params, atol=1e-6)
    assert fit.history["loss"].iloc[-1] == pytest.approx(
        np.average((mixed["gaussian"] - fit.fittedvalues) ** 2, weights=mixed["w"]), rel=1e-9
    )


def test_identity_link_of_counts(mixed: pd.DataFrame) -> None:
    exact = ft.fit("gamma ~ x", mixed.assign(gamma=mixed["gamma"] + 5), family="gamma", link="log")
    fit = ft.fit("gamma ~ x", mixed.assign(gamma=mixed["gamma"] + 5), family="gamma", link="log", solver="sgd")
    np.testing.assert_allclose(fit.params, exact.params, atol=1e-6)


# Awkward columns.


def test_income_beside_zeros_and_ones() -> None:
    draw = np.random.default_rng(3)
    data = pd.DataFrame({"income": draw.uniform(0, 500_000, 300), "owner": (draw.random(300) < 0.4).astype(float)})
    data["y"] = 3 + 2e-5 * data["income"] + 1.5 * data["owner"] + draw.normal(size=300)
    for formula in ("y ~ income + owner", "y ~ 0 + income + owner"):
        exact = ft.fit(formula, data)
        for method in (*EXACT, SGD(lr=0.1, epochs=100, batch_size=32, schedule="exponential")):
            fit = ft.fit(formula, data, solver=method)
            few = method.batch_size is not None
            np.testing.assert_allclose(fit.params, exact.params, rtol=5e-3 if few else 1e-6)


def test_many_levels_written_out_and_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(4)
    data = pd.DataFrame({"x": draw.normal(size=400), "f": draw.integers(0, 25, 400).astype(str)})
    data["y"] = draw.poisson(np.exp(0.3 * data["x"] + 0.02 * data["f"].astype(int)))
    methods = [LBFGS(), Adam(epochs=3, batch_size=64), SGD(epochs=3, batch_size=64, shuffle=False), SGD(epochs=3)]
    dense = [quietly("y ~ x + f", data, family="poisson", solver=m).params for m in methods]
    np.testing.assert_allclose(dense[0], ft.fit("y ~ x + f", data, family="poisson").params, atol=1e-5)
    monkeypatch.setattr(row_loss, "DENSE_CELLS", 0)
    monkeypatch.setattr(row_loss, "BLOCK_CELLS", 26 * 100)
    for method, params in zip(methods, dense, strict=True):
        blocks = quietly("y ~ x + f", data, family="poisson", solver=method).params
        np.testing.assert_allclose(blocks, params, rtol=1e-7, atol=1e-9)


def test_dependent_columns_are_dropped_as_exactly(mixed: pd.DataFrame) -> None:
    data = mixed.assign(twice=2 * mixed["x"] - 1)
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("gaussian ~ x + twice + z", data, solver="sgd")
    assert np.isnan(fit.params["twice"])
    kept = ft.fit("gaussian ~ x + z", data).params
    np.testing.assert_allclose(fit.params[kept.index], kept, atol=1e-6)


def test_without_an_intercept(mixed: pd.DataFrame) -> None:
    for formula in ("gaussian ~ 0 + x + z", "gaussian ~ 0 + g + x"):
        exact = ft.fit(formula, mixed)
        np.testing.assert_allclose(ft.fit(formula, mixed, solver="sgd").params, exact.params, atol=1e-6)
    exact = ft.fit("poisson ~ 0 + x + z", mixed, family="poisson")
    fit = ft.fit("poisson ~ 0 + x + z", mixed, family="poisson", solver="sgd")
    np.testing.assert_allclose(fit.params, exact.params, atol=1e-6)


def test_a_constant_alone_and_a_constant_response(mixed: pd.DataFrame) -> None:
    fit = ft.fit("gaussian ~ 1", mixed, solver="sgd")
    assert fit.params["Intercept"] == pytest.approx(mixed["gaussian"].mean(), rel=1e-12)
    assert fit.trace.epochs == 0
    flat = ft.fit("y ~ x", mixed.assign(y=0.1), solver="sgd")
    np.testing.assert_allclose(flat.params, [0.1, 0], atol=1e-12)


def test_a_perfect_line_has_no_distance_in_errors_that_are_rounding(mixed: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", mixed.assign(y=1e6 + 0.1 * mixed["x"]), solver="adam")
    np.testing.assert_allclose(fit.params, [1e6, 0.1], rtol=1e-7)
    assert np.isnan(fit.trace.distance)
    with pytest.warns(ConvergenceWarning):
        early = ft.fit("y ~ x", mixed.assign(y=1e6 + 0.1 * mixed["x"]), solver=SGD(lr=0.1, epochs=3))
    assert early.trace.distance > 1


# Chance, order and records.


def test_seeds(line: pd.DataFrame) -> None:
    method = SGD(epochs=2, batch_size=50)
    one, same, other = (quietly("y ~ x", line, solver=method, seed=seed).params for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).all()
    start = SGD(lr=0.01, epochs=2, start="random")
    one, same, other = (quietly("y ~ x", line, solver=start, seed=seed).params for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).all()


def test_rows_in_their_order(line: pd.DataFrame) -> None:
    method = SGD(epochs=2, batch_size=50, shuffle=False)
    one, other = (quietly("y ~ x", line, solver=method, seed=seed).params for seed in (1, 2))
    assert (one == other).all()
    assert (quietly("y ~ x", line[::-1], solver=method).params != one).any()


def test_history(line: pd.DataFrame) -> None:
    fit = quietly("y ~ x", line, solver=SGD(lr=0.1, epochs=12))
    history = fit.history
    assert list(history) == ["epoch", "loss", "gradient_norm", "seconds"]
    assert history["epoch"].tolist() == list(range(13))
    # Losses are mean squares of residuals: at the start about the mean, at the end those of the fit.
    assert history["loss"][0] == pytest.approx(line["y"].var(ddof=0), rel=1e-12)
    assert history["loss"][12] == pytest.approx((fit.resid**2).mean(), rel=1e-12)
    assert (np.diff(history["loss"]) < 0).all()
    assert (np.diff(history["seconds"]) > 0).all()
    history["loss"] = 0
    assert fit.history["loss"][0] > 0
    assert ft.fit("y ~ x", line).history.empty


def test_history_of_a_likelihood_is_half_the_mean_deviance(mixed: pd.DataFrame) -> None:
    fit = ft.fit("poisson ~ x + z", mixed, family="poisson", solver="lbfgs")
    assert fit.history["loss"].iloc[-1] == pytest.approx(fit.deviance / 2 / len(mixed), rel=1e-9)


def test_patience_returns_to_the_best_epoch(line: pd.DataFrame) -> None:
    fit = quietly("y ~ x", line, solver=SGD(lr=0.4, epochs=300, batch_size=8, patience=4))
    losses = fit.history["loss"]
    assert "not fallen for 4 epochs" in fit.trace.reason
    assert losses.idxmin() == len(losses) - 5
    assert losses.min() == pytest.approx((fit.resid**2).mean(), rel=1e-12)


def test_averages_are_nearer_than_last_steps(line: pd.DataFrame) -> None:
    far, near = (
        [
            quietly("y ~ x", line, solver=SGD(lr=0.1, epochs=6, batch_size=1, average=share), seed=seed).trace.distance
            for seed in range(2)
        ]
        for share in (0.0, 0.8)
    )
    assert max(near) < min(far)


def test_a_distance_is_told_and_warned_of(line: pd.DataFrame) -> None:
    with pytest.warns(
        ConvergenceWarning, match=r"stopped .* standard errors from the exact solution .*epochs="
    ) as seen:
        fit = ft.fit("y ~ x", line, solver=SGD(lr=0.05, epochs=20))
    assert seen[0].filename == __file__
    exact = ft.fit("y ~ x", line)
    gaps = ((fit.params - exact.params) / fit.bse).abs()
    assert fit.trace.distance == pytest.approx(gaps.max(), rel=1e-9)
    assert fit.trace.farthest == gaps.idxmax()
    assert f"{gaps.max():.2g} standard errors from the exact solution" in fit.summary().as_text()


def test_divergence_names_a_learning_rate(mixed: pd.DataFrame) -> None:
    cases: list[tuple[dict[str, Any], Any]] = [
        ({}, SGD(lr=5.0)),
        ({}, SGD(lr=5.0, batch_size=10)),
        ({"family": "poisson"}, SGD(lr=60.0)),
        ({"family": "poisson"}, Adam(lr=60.0)),
        ({}, Adam(lr=1e6, batch_size=5)),
    ]
    for asked, method in cases:
        with pytest.raises(DataError, match=r"diverged in epoch \d+: with lr=.* take a smaller lr=, as [\d.]+,"):
            ft.fit("poisson ~ x + z", mixed, solver=method, **asked)


def test_weight_decay_is_ridge_on_standardised_columns(mixed: pd.DataFrame) -> None:
    z = mixed[["x", "z"]].to_numpy()
    spread, y = z.std(axis=0), mixed["gaussian"].to_numpy()
    u = (z - z.mean(axis=0)) / spread
    theta = np.linalg.solve(u.T @ u / len(u) + 0.2 * np.eye(2), u.T @ (y - y.mean()) / len(u))
    for method in (SGD(weight_decay=0.2), LBFGS(weight_decay=0.2)):
        fit = ft.fit("gaussian ~ x + z", mixed, solver=method)
        np.testing.assert_allclose(fit.params[["x", "z"]], theta / spread, atol=1e-7)
        assert fit.params["Intercept"] == pytest.approx(y.mean() - z.mean(axis=0) @ (theta / spread), abs=1e-6)
        assert "weight_decay=0.2" in fit.summary().as_text()


def test_pickles(line: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", line, solver="adam")
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(again.history, fit.history)
    assert again.trace.note == fit.trace.note
    assert again.summary().as_text() == fit.summary().as_text()


def test_methods_are_found_whatever_was_imported_first() -> None:
    import importlib

    importlib.import_module("formula_torch.solvers.least_squares")
    assert ft.solvers.SGD is SGD


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_spellings(line: pd.DataFrame, solver: str) -> None:
    named = {"sgd": SGD(), "adam": Adam(), "lbfgs": LBFGS()}[solver]
    assert (ft.fit("y ~ x", line, solver=solver).params == ft.fit("y ~ x", line, solver=named).params).all()


def test_progress_shows_the_loss(line: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ft.fit("y ~ x", line, solver="sgd", progress=True)
    shown = capsys.readouterr()
    assert f"loss {(fit.resid**2).mean():.6g}" in shown.out + shown.err
    assert "gradient descent" in shown.out + shown.err
    ft.fit("y ~ x", line, solver="sgd", progress=False)
    assert not "".join(capsys.readouterr())


# Where no number is right.


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_separated_responses_have_no_certain_numbers(solver: str) -> None:
    data = pd.DataFrame({"x": [1, 2, 3, 4, 5, 6.0], "y": [0, 0, 0, 1, 1, 1]})
    with pytest.warns(SeparationWarning, match="estimates of `Intercept`, `x` are infinite"):
        fit = ft.fit("y ~ x", data, family="binomial", solver=solver)
    assert fit.bse.isna().all()
    assert fit.pvalues.isna().all()
    assert np.isnan(fit.trace.distance)
    assert "Estimates of `Intercept`, `x` are infinite" in fit.summary().as_text()


def test_a_level_without_failures_is_told_apart_from_the_others() -> None:
    data = pd.DataFrame({"g": list("aaabbbab"), "y": [0, 1, 0, 1, 1, 1, 0, 1]})
    with pytest.warns(SeparationWarning, match="g\\[T.b\\]"):
        fit = ft.fit("y ~ g", data, family="binomial", solver=SGD(epochs=2000))
    assert fit.params["Intercept"] == pytest.approx(np.log(1 / 3), abs=5e-3)
    assert np.isnan(fit.bse["g[T.b]"])
    assert fit.trace.farthest == "Intercept"


# What is refused.


def test_unknown_solvers(line: pd.DataFrame) -> None:
    for solver in ("newton", 3, None, SGD):
        with pytest.raises(ValueError, match="'auto', 'sgd', 'adam', 'lbfgs'"):
            ft.fit("y ~ x", line, solver=solver)


@pytest.mark.parametrize(
    "asked",
    [
        {"bounds": {"x": (0, 1)}},
        {"family": "binomial", "prior": "firth"},
        {"family": "negative_binomial"},
        {"family": "beta"},
        {"family": "ordered_logit"},
        {"family": "zero_inflated_poisson"},
    ],
    ids=lambda asked: "-".join(map(str, asked.values())),
)
def test_what_does_not_descend(mixed: pd.DataFrame, asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="solver="):
        ft.fit("binomial ~ x", mixed, solver="sgd", **asked)


def test_exact_fits_have_no_losses_to_draw(line: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="solver="):
        ft.fit("y ~ x", line).plot_loss()


def test_losses_are_drawn(line: pd.DataFrame) -> None:
    pytest.importorskip("matplotlib").use("Agg")
    fit = ft.fit("y ~ x", line, solver="sgd")
    drawn = fit.plot_loss()
    np.testing.assert_array_equal(drawn.lines[0].get_ydata(), fit.history["loss"])
    assert drawn.get_yscale() == "log"
    assert fit.plot_loss(log=False).get_yscale() == "linear"
