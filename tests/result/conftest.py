"""Generalised linear models that R fitted too: tests/reference/glm_inference."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.result import GlmFit

REFERENCE = Path(__file__).parents[1] / "reference"
MODELS = {
    "births_logit": ("birthwt", "low ~ age + lwt + race * smoke", "binomial", None),
    "births_probit": ("birthwt", "low ~ age + lwt + race + smoke", "binomial", "probit"),
    "insurance_trials": ("insurance", "cbind(claims, others) ~ district + engine + age", "binomial", None),
    "insurance_poisson": ("insurance", "claims ~ district + engine + age + offset(log(holders))", "poisson", None),
    "ships_poisson": ("ships", "incidents ~ type + construction + operation + offset(log_service)", "poisson", None),
    "ships_quasi": ("ships", "incidents ~ type + construction + operation + offset(log_service)", "quasipoisson", None),
    "affairs_quasi": ("affairs", "affairs ~ gender + age + rating * children", "quasipoisson", None),
    "wages_gamma": ("wages", "wage ~ education * gender + experience + union", "gamma", "log"),
    "wages_inverse": ("wages", "wage ~ education + experience", "gamma", None),
    "wages_ig": ("wages", "wage ~ education + gender", "inverse_gaussian", "log"),
}


@cache
def _frame(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "glm" / f"{name}.csv")


@cache
def _fitted(name: str) -> GlmFit:
    data, formula, family, link = MODELS[name]
    return ft.fit(formula, _frame(data), family=family, link=link)


@pytest.fixture(scope="session")
def glm_frame() -> Callable[[str], pd.DataFrame]:
    """Return a table of tests/reference/glm."""
    return _frame


@pytest.fixture(scope="session")
def glm_fit() -> Callable[[str], GlmFit]:
    """Return the fit of one of the models."""
    return _fitted


@pytest.fixture(scope="session")
def r_says() -> dict:
    """What R says of the models."""
    return json.loads((REFERENCE / "glm_inference" / "glm_inference.json").read_text())
