"""Jeffreys's prior: brglm2's numbers, a penalised score of zero, and estimates that are always finite."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from formula_torch.design import Design
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.formula.learn import learn
from formula_torch.models.glm import GlmModel, first_predictor, fitness, glm_scores
from formula_torch.solvers.penalised import jeffreys, jeffreys_penalty
from formula_torch.solvers.scoring import Scored

FOLDER = Path(__file__).parents[1] / "reference" / "glm"
CASES = json.loads((FOLDER / "firth_r.json").read_text())
LINKS = [
    ("binomial", "logit"),
    ("binomial", "probit"),
    ("binomial", "cloglog"),
    ("binomial", "loglog"),
    ("binomial", "cauchit"),
    ("poisson", "log"),
    ("poisson", "sqrt"),
]


def penalised(
    formula: str, data: pd.DataFrame, family: str = "binomial", link: str | None = None, **options
) -> tuple[Design, GeneralizedFamily, Scored]:
    design = learn(formula, data, reading="successes" if family == "binomial" else "numbers", **options).design
    kernel = resolve_generalized(family, link)
    return design, kernel, jeffreys(design, kernel, partial(first_predictor, family=kernel, name="y"))


def errors(found: Scored) -> np.ndarray:
    return np.sqrt(np.diag(found.solution.inverse_gram))


def objective(design: Design, kernel: GeneralizedFamily, params: torch.Tensor, kept: list[int]) -> torch.Tensor:
    """l + log det I / 2 of dense columns, differentiable."""
    x = torch.tensor(design.dense())[:, kept]
    eta = x @ params + (0 if design.offset is None else design.offset)
    w = torch.ones_like(design.y) if design.weights is None else design.weights
    information = x.mT @ ((w * kernel.information(eta))[:, None] * x)
    return kernel.loglik(design.y, eta, 1.0, w).sum() + torch.logdet(information) / 2


@pytest.fixture
def data() -> pd.DataFrame:
    draw = np.random.default_rng(2)
    n = 90
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "g": draw.choice(list("abc"), n),
            "w": draw.integers(1, 5, n) * 1.0,
            "o": draw.normal(size=n) / 3,
        }
    )
    y = pd.Series((draw.random(n) < 0.4) * 1.0)
    return frame.assign(
        y=y,
        share=draw.binomial(frame.w.astype(int), 0.4) / frame.w,
        count=draw.poisson(1.5, n) * 1.0,
        level=y.where(frame.g != "c", 0.0),
        apart=(frame.x > 0) * 1.0,
        few=draw.poisson(1.5, n) * (frame.g != "c"),
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reference(case: dict) -> None:
    frame = pd.read_csv(FOLDER / case["data"])
    design, kernel, found = penalised(
        case["formula"], frame, case["family"], case["link"], weights=case.get("weights"), offset=case.get("offset")
    )
    assert found.converged
    params, bse = np.array(case["params"], float), np.array(case["bse"], float)
    np.testing.assert_allclose(found.params / bse, params / bse, rtol=0, atol=1e-8)
    np.testing.assert_allclose(errors(found), bse, rtol=1e-8)
    model = GlmModel.of(design, kernel, "analytic")
    fitted = fitness(model, design, design.linear_predictor(np.nan_to_num(found.params)), 1.0)
    assert fitted.deviance == pytest.approx(case["deviance"], rel=1e-8)


@pytest.mark.parametrize("y", ["plain", "separated"])
@pytest.mark.parametrize(("family", "link"), LINKS)
def test_penalised_score_is_zero(family: str, link: str, y: str, data) -> None:
    """By autograd of the objective on dense columns, in standard errors; with weights and an offset."""
    outcome = {"binomial": ("share", "level"), "poisson": ("count", "few")}[family][y == "separated"]
    for options in ({}, {"weights": "w"}, {"offset": "o"} if link != "sqrt" else {}):
        design, kernel, found = penalised(f"{outcome} ~ x + g + z", data, family, link, **options)
        params = torch.tensor(found.params, requires_grad=True)
        value = objective(design, kernel, params, list(range(design.k)))
        (score,) = torch.autograd.grad(value, params)
        assert found.converged
        assert np.abs(score.numpy() * errors(found)).max() < 1e-9
        # Nowhere near is it higher.
        for step in np.random.default_rng(0).normal(size=(20, design.k)) * errors(found) / 10:
            assert objective(design, kernel, params.detach() + torch.from_numpy(step), list(range(design.k))) < value


@pytest.mark.parametrize(("family", "link"), LINKS)
def test_tilt_is_the_derivative_of_the_log_information(family: str, link: str) -> None:
    kernel = resolve_generalized(family, link)
    eta = torch.linspace(0.2 if link == "sqrt" else -4, 3, 40, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(kernel.information(eta).log().sum(), eta)
    np.testing.assert_allclose(kernel.tilt(eta.detach()), slope, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_separated_data_have_finite_estimates(link: str, data) -> None:
    for formula in ("apart ~ x", "apart ~ x + z", "level ~ g + x", "I(0 * x) ~ z", "I(0 * x + 1) ~ 1", "apart ~ x * g"):
        _, _, found = penalised(formula, data, link=link)
        assert found.converged
        assert np.isfinite(found.params).all()
        assert errors(found).max() < 100
    _, _, found = penalised("few ~ g + x", data, "poisson")
    assert found.converged
    assert np.abs(found.params).max() < 10


def test_closed_forms() -> None:
    """A constant alone: (s + 1/2) / (n + 1) successes, and (sum + 1/2) / n counts; also of one row."""
    for n, s in ((1, 0), (1, 1), (7, 0), (7, 3)):
        frame = pd.DataFrame({"y": np.repeat([1.0, 0.0], [s, n - s])})
        _, _, found = penalised("y ~ 1", frame)
        p = (s + 0.5) / (n + 1)
        assert found.params[0] == pytest.approx(np.log(p / (1 - p)), rel=1e-12)
    _, _, found = penalised("y ~ 1", pd.DataFrame({"y": [0.0, 1.0, 3.0]}), "poisson")
    assert found.params[0] == pytest.approx(np.log(4.5 / 3), rel=1e-12)
    # A level to itself: half an event is added to its row.
    _, _, found = penalised("y ~ g - 1", pd.DataFrame({"y": [0.0, 1.0, 3.0], "g": list("aab")}), "poisson")
    np.testing.assert_allclose(found.params, np.log([1.5 / 2, 3.5]), rtol=1e-12)


def test_units_and_parametrisation_do_not_matter(data) -> None:
    design, _, plain = penalised("apart ~ x + g", data)
    _, _, moved = penalised("apart ~ I(x * 1e9 + 3e9) + g", data)
    eta = design.linear_predictor(plain.params).numpy()
    assert moved.params[1] * 1e9 == pytest.approx(plain.params[1], rel=1e-9)
    other, _, coded = penalised("apart ~ C(g, Sum) + x", data)
    np.testing.assert_allclose(other.linear_predictor(coded.params).numpy(), eta, rtol=1e-9, atol=1e-9)
    # The penalty is that of the columns as they are: units add a constant.
    shift = jeffreys_penalty(moved.solution.coordinates) - jeffreys_penalty(plain.solution.coordinates)
    assert shift == pytest.approx(np.log(1e9), rel=1e-9)


def test_weights_are_trials_and_repeated_rows(data) -> None:
    design, _, grouped = penalised("share ~ x + g", data, weights="w")
    rows = data.loc[data.index.repeat(data.w.astype(int))]
    order = rows.groupby(level=0).cumcount().to_numpy()
    rows = rows.assign(y=(order < (rows.share * rows.w).round().to_numpy()) * 1.0)
    _, _, single = penalised("y ~ x + g", rows)
    np.testing.assert_allclose(single.params, grouped.params, rtol=1e-10)
    np.testing.assert_allclose(errors(single), errors(grouped), rtol=1e-10)
    assert design.n_rows < len(rows)


def test_aliased_columns(data) -> None:
    _, _, plain = penalised("apart ~ x + z", data)
    _, _, twice = penalised("apart ~ x + I(2 * x) + z", data)
    assert twice.solution.kept == [0, 1, 3]
    assert np.isnan(twice.params[2])
    np.testing.assert_allclose(twice.params[[0, 1, 3]], plain.params, rtol=1e-9)


def test_penalty_value(data) -> None:
    for formula in ("level ~ x + g + z", "level ~ x + I(2 * x) + g - 1"):
        design, kernel, found = penalised(formula, data, weights="w")
        kept = found.solution.kept
        params = torch.tensor(found.params[kept])
        fitted = fitness(
            GlmModel.of(design, kernel, "analytic"), design, design.linear_predictor(np.nan_to_num(found.params)), 1.0
        )
        expected = float(objective(design, kernel, params, kept))
        assert fitted.llf + jeffreys_penalty(found.solution.coordinates) == pytest.approx(expected, rel=1e-12)


def test_scores_and_leverage_are_those_at_the_estimate(data) -> None:
    """What robust covariances read: unpenalised scores at the penalised estimate, in orthonormal coordinates."""
    design, kernel, found = penalised("level ~ x + g", data, link="probit", weights="w")
    last = found.solution
    model = GlmModel.of(design, kernel, "analytic")
    scores = glm_scores(design, last.shifted_params, last.response_shift, last.coordinates, model)
    x, eta = torch.tensor(design.dense()), design.linear_predictor(found.params)
    dense = (x * (design.weights * kernel.score(design.y, eta))[:, None]).numpy()
    np.testing.assert_allclose(scores.dense() @ np.linalg.inv(last.coordinates.lift), dense, rtol=1e-8, atol=1e-8)
    w = design.weights * kernel.information(eta)
    inverse = torch.linalg.inv(x.mT @ (w[:, None] * x))
    np.testing.assert_allclose(scores.leverage(), w * ((x @ inverse) * x).sum(1), rtol=1e-8)
    assert scores.leverage().sum() == pytest.approx(design.k, rel=1e-9)
    # Half a leverage times the tilt is what the prior adds, and the sum of both is zero.
    added = (x * (torch.from_numpy(scores.leverage()) * kernel.tilt(eta) / 2)[:, None]).numpy()
    np.testing.assert_allclose(dense.sum(0) + added.sum(0), 0, atol=1e-8)


def test_blocks_of_rows_change_nothing(data, monkeypatch) -> None:
    whole = penalised("level ~ x + g", data)[2]
    monkeypatch.setattr(Design.batches, "__defaults__", (17,))
    np.testing.assert_allclose(penalised("level ~ x + g", data)[2].params, whole.params, rtol=1e-10)


def test_offset_that_is_a_column_moves_its_coefficient(data) -> None:
    design, kernel, plain = penalised("apart ~ x + z", data)
    shifted = replace(design, offset=design.bases[0] * 2)
    moved = jeffreys(shifted, kernel, partial(first_predictor, family=kernel, name="y"))
    np.testing.assert_allclose(shifted.linear_predictor(moved.params), design.linear_predictor(plain.params), atol=1e-8)
