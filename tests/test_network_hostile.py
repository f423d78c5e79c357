"""What a hostile user may pass to networks and descents: no silent wrong number, no foreign message."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import ConvergenceWarning, DataError

LINE = ft.Network(hidden=(), starts=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    draw = np.random.default_rng(8)
    data = pd.DataFrame({"x": draw.normal(size=200), "z": draw.normal(size=200), "g": draw.choice(list("abc"), 200)})
    data["y"] = 1 + 2 * data["x"] - data["z"] + (data["g"] == "b") + draw.normal(size=200)
    data["count"] = draw.poisson(np.exp(0.3 * data["x"])).astype(float)
    data["yes"] = (draw.random(200) < 1 / (1 + np.exp(-data["x"]))).astype(float)
    data["amount"] = np.exp(0.3 * data["x"]) * draw.gamma(2, 0.5, 200)
    data["w"] = draw.integers(0, 4, 200).astype(float)
    return data


# -- networks -------------------------------------------------------------------------------------


def test_weights_are_no_coefficients_of_terms(rows: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x + z", rows, network=LINE)
    with pytest.raises(DataError, match="no coefficients of terms"):
        fit.wald_test_terms()


def test_weights_that_are_not_determined_have_no_tests(rows: pd.DataFrame) -> None:
    fit = ft.fit("y ~ x", rows, network=ft.Network(hidden=(3,), activation="linear", starts=1))
    assert fit.bse.isna().all()
    assert np.isnan(fit.lincom("hidden1[1]:x")["std_error"]).all()
    effect = fit.marginal_effects()
    ols = ft.fit("y ~ x", rows)
    np.testing.assert_allclose(effect.margeff_se, ols.bse["x"], rtol=1e-6)


def test_a_saturated_row_is_no_perfect_fit(rows: pd.DataFrame) -> None:
    far = rows.assign(x=rows["x"] * 1.0)
    far.loc[0, ["x", "yes"]] = [60.0, 1.0]
    quasi = ft.fit("yes ~ x", far, family="quasibinomial")
    plain = ft.fit("yes ~ x", far, family="binomial")
    assert quasi.deviance == pytest.approx(plain.deviance, rel=1e-9)
    assert quasi.scale > 0.1


def test_a_constant_column_has_no_made_up_effect(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="`k` has one value in every row"):
        ft.fit("y ~ x + k", rows.assign(k=3.0), network=LINE)


def test_frequency_weights_are_repeated_rows(rows: pd.DataFrame) -> None:
    repeated = rows.loc[rows.index.repeat(rows["w"].astype(int))]
    net = ft.Network(hidden=(2,), activation="softplus", starts=1)
    weighted = ft.fit("y ~ x + z", rows, weights="w", weights_type="frequency", network=net)
    plain = ft.fit("y ~ x + z", repeated, network=net)
    np.testing.assert_allclose(weighted.machine.inputs.scales, plain.machine.inputs.scales, rtol=1e-12)
    # Where ten steps gain less than a thousandth of the log-likelihood, weights may still move.
    assert weighted.llf == pytest.approx(plain.llf, abs=5e-3)


def test_interactions_in_large_units_are_standardised(rows: pd.DataFrame) -> None:
    large = rows.assign(x=5e5 + 1e5 * rows["x"])
    fit = ft.fit("y ~ g * x + z", large, network=LINE)
    exact = ft.fit("y ~ g * x + z", large)
    np.testing.assert_allclose(fit.fittedvalues, exact.fittedvalues, rtol=1e-6, atol=1e-6)
    descent = ft.fit("y ~ g * x + z", large, solver="lbfgs")
    assert descent.trace.distance < 0.01


def test_without_a_constant_a_line_goes_through_the_origin(rows: pd.DataFrame) -> None:
    fit = ft.fit("y ~ 0 + x + z", rows, network=ft.Network(hidden=(), bias=False, starts=1))
    assert fit.deviance == pytest.approx(ft.fit("y ~ 0 + x + z", rows).ssr, rel=1e-9)


@pytest.mark.parametrize("given", [{"bounds": {"x": (0, None)}}, {"prior": "firth", "family": "binomial"}])
def test_what_a_network_does_not_obey_is_refused(rows: pd.DataFrame, given: dict) -> None:
    with pytest.raises(ValueError, match="without bounds= and prior="):
        ft.fit("yes ~ x", rows, network=LINE, **given)


@pytest.mark.parametrize("seed", [1.5, "a", None, True, -1])
def test_a_seed_is_a_whole_number(rows: pd.DataFrame, seed: object) -> None:
    with pytest.raises(ValueError, match="seed="):
        ft.fit("y ~ x", rows, network=LINE, seed=seed)  # type: ignore[arg-type]


def test_seeds_share_no_starts(rows: pd.DataFrame) -> None:
    net = ft.Network(hidden=(2,), starts=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = [set(ft.fit("y ~ x", rows[:60], network=net, seed=s, solver="lbfgs").starts["loss"]) for s in (0, 1)]
    assert not losses[0] & losses[1]


class Tied(torch.nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x - x.mean(0))


class Stateful(torch.nn.Linear):
    seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        return super().forward(x) + self.seen


class Random(torch.nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + torch.randn(len(x), 1)


class Pair(torch.nn.Linear):
    def forward(self, x: torch.Tensor) -> tuple:  # type: ignore[override]
        return super().forward(x), x


class Lost(torch.nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).detach()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Tied(2, 1), "alone and among others"),
        (Stateful(2, 1), "alone and among others"),
        (Random(2, 1), "alone and among others"),
        (Pair(2, 1), "returns tuple"),
        (Lost(2, 1), "no derivative"),
        (torch.nn.Linear(3, 1), "does not take the 2 columns"),
        (torch.nn.Linear(2, 2), "one number a row"),
        (torch.nn.Linear(2, 1).requires_grad_(False), "no parameters|no derivative"),
        (torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Dropout()), "Dropout"),
    ],
)
def test_modules_without_a_likelihood_are_refused(rows: pd.DataFrame, module: torch.nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ft.fit("y ~ x + z", rows, network=ft.Network(module=module, starts=1))


def test_frozen_parameters_stay(rows: pd.DataFrame) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    module[0].requires_grad_(False)
    fit = ft.fit("y ~ x + z", rows, network=ft.Network(module=module, starts=1))
    assert len(fit.names) == 3
    held = fit.machine.function.module[0].weight  # type: ignore[attr-defined]
    torch.testing.assert_close(held, module[0].weight.double())


@pytest.mark.parametrize("given", [{"hidden": 3}, {"hidden": (0,)}, {"starts": 2.5}, {"bias": "no"}, {"module": "a"}])
def test_a_network_is_checked_when_it_is_made(given: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        ft.Network(**given)


# -- descents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [None, "binomial"])
def test_a_decayed_fit_is_not_compared_as_a_maximum(rows: pd.DataFrame, family: str | None) -> None:
    decayed = ft.fit("yes ~ x + z", rows, family=family, solver=ft.solvers.LBFGS(weight_decay=0.3))
    exact = ft.fit("yes ~ x", rows, family=family)
    for call in (lambda: decayed.compare_lr_test(exact), decayed.anova, lambda: decayed.bootstrap(draws=3)):
        with pytest.raises(DataError, match="weight_decay="):
            call()


def test_a_descent_that_stopped_far_is_not_compared(rows: pd.DataFrame) -> None:
    with pytest.warns(ConvergenceWarning, match="standard errors from the exact"):
        far = ft.fit("y ~ x + z", rows, solver=ft.solvers.SGD(lr=0.01, epochs=5))
    for call in (far.anova, far.reset, lambda: far.breusch_godfrey(1), lambda: far.wild_bootstrap("x")):
        with pytest.raises(DataError, match="stopped far from the maximum"):
            call()


@pytest.mark.parametrize("factor", [1.0, 30_000.0])
def test_the_inverse_link_has_no_units(rows: pd.DataFrame, factor: float) -> None:
    data = rows.assign(amount=rows["amount"] * factor)
    fit = ft.fit("amount ~ x", data, family="gamma", solver="lbfgs")
    assert fit.trace.distance < 1e-3


def test_a_predictor_out_of_range_is_said(rows: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="link="):
        ft.fit("yes ~ I(5 * x)", rows, family="binomial", link="identity", solver="lbfgs")


@pytest.mark.parametrize(
    ("loss", "start", "message"),
    [
        (lambda b: b**2, torch.zeros(2), "one number"),
        (lambda b: 1.0, torch.zeros(2), "one number"),
        (lambda b: (b**2).sum(), torch.zeros(2, 2), "a vector"),
        (lambda b: (b**2).sum(), torch.zeros(0), "a vector"),
    ],
)
def test_minimise_says_what_it_takes(loss, start, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ft.solvers.minimise(loss, start)


def test_minimise_takes_numbers_of_any_kind() -> None:
    found = ft.solvers.minimise(lambda b: ((b - 1) ** 2).sum(), [0, 0])
    np.testing.assert_allclose(found.theta, 1.0, atol=1e-8)
