"""Averages and their gradients, for a mean function that is not linear: the numbers a GLM will ask for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import torch

from formula_torch.errors import DataError
from formula_torch.formula.derivative import derivative
from formula_torch.formula.learn import learn
from formula_torch.inference.column_margins import column_effects, column_values, one_row
from formula_torch.inference.margins import (
    IDENTITY,
    METHODS,
    MeanFunction,
    estimable,
    mean_response,
    mean_slope,
    weighted_median,
)


def _logistic_slope(eta: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(eta)
    return p * (1 - p)


def _logistic_curvature(eta: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(eta)
    return p * (1 - p) * (1 - 2 * p)


LOGISTIC = MeanFunction(torch.sigmoid, _logistic_slope, _logistic_curvature)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    n = 150
    frame = pd.DataFrame(
        {
            "x": draw.uniform(0.5, 2, n),
            "z": draw.normal(size=n),
            "d": draw.integers(0, 2, n),
            "c": draw.integers(0, 5, n),
            "g": draw.choice(["a", "b", "c"], n),
            "w": draw.integers(1, 4, n).astype(float),
        }
    )
    frame["y"] = (draw.random(n) < 1 / (1 + np.exp(0.5 - frame["x"] * frame["z"]))).astype(float)
    return frame


@pytest.fixture(scope="module")
def design(data):
    return learn("y ~ x + z + d + c", data).design


@pytest.fixture(scope="module")
def logit(data):
    return smf.glm("y ~ x + z + d + c", data, family=sm.families.Binomial()).fit()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("at", ["overall", "mean", "median", "zero"])
def test_columns_against_statsmodels_logit(data, design, logit, method, at) -> None:
    theirs = logit.get_margeff(at=at, method=method)
    check_columns(design, logit, theirs, at, method, dummy=False, count=False)


@pytest.mark.parametrize("method", ["dydx", "eydx"])
@pytest.mark.parametrize(("dummy", "count"), [(True, False), (False, True), (True, True)])
def test_discrete_columns_against_statsmodels_logit(design, logit, method, dummy, count) -> None:
    theirs = logit.get_margeff(method=method, dummy=dummy, count=count)
    check_columns(design, logit, theirs, "overall", method, dummy=dummy, count=count)


def check_columns(design, logit, theirs, at, method, *, dummy, count) -> None:
    ones = torch.ones(design.n_rows, dtype=torch.float64)
    values = column_values(design, ones)
    if at != "overall":
        design, ones = one_row(design.names, getattr(values, at), 0.0), ones[:1]
    discrete = (values.binary & dummy) | (values.counts & count)
    found = column_effects(
        design, logit.params.to_numpy(), LOGISTIC, ones, values, method=METHODS[method], discrete=discrete
    )
    jacobian = np.stack([f.gradient for f in found])
    errors = np.sqrt(np.diag(jacobian @ logit.cov_params().to_numpy() @ jacobian.T))
    np.testing.assert_allclose([f.estimate for f in found], theirs.margeff, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(errors, theirs.margeff_se, rtol=1e-8)


def test_median_columns_by_repeated_rows() -> None:
    draw = np.random.default_rng(3)
    x, counts = draw.integers(0, 9, 40).astype(float), draw.integers(1, 5, 40)
    found = weighted_median(torch.tensor(x), torch.tensor(counts.astype(float)))
    assert found == np.median(np.repeat(x, counts))
    assert weighted_median(torch.tensor([1.0, 3.0]), torch.ones(2, dtype=torch.float64)) == 2.0


@pytest.mark.parametrize("mean", [IDENTITY, LOGISTIC], ids=["identity", "logistic"])
@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_slopes(data, mean, method) -> None:
    how = METHODS[method]
    recipe = learn("y ~ x*z + I(x**2) + x*g + log(x)", data).recipe
    design, slopes = recipe.apply(data), derivative(recipe, data, "x")
    params = np.linspace(0.5, 1.1, design.k)  # positive means under both
    params[list(design.names).index("z")] = 0.1
    params[list(design.names).index("x:z")] = -0.1
    weights, x = torch.tensor(data["w"].to_numpy()), torch.tensor(data["x"].to_numpy())

    def average(b: np.ndarray):
        return mean_slope(design, slopes, b, mean, weights, x=x if how.per_x else None, relative=how.per_y)

    found = average(params)
    # By hand, row by row.
    dense, moved = design.dense(), np.column_stack([np.asarray(slopes.matvec(unit)) for unit in np.eye(design.k)])
    eta = torch.tensor(dense @ params)
    rows = np.asarray(mean.slope(eta)) * (moved @ params)
    rows = rows * (data["x"] if how.per_x else 1) / (np.asarray(mean.value(eta)) if how.per_y else 1)
    np.testing.assert_allclose(found.estimate, np.average(rows, weights=data["w"]), rtol=1e-12)
    np.testing.assert_allclose(found.gradient, numerical(lambda b: average(b).estimate, params), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("log", [False, True])
def test_gradients_of_means(data, log) -> None:
    design = learn("y ~ x*g", data).design
    params = np.linspace(-0.5, 0.5, design.k)
    weights = torch.tensor(data["w"].to_numpy())

    def average(b: np.ndarray):
        return mean_response(design, b, LOGISTIC, weights, log=log)

    mu = 1 / (1 + np.exp(-design.dense() @ params))
    expected = np.average(np.log(mu) if log else mu, weights=data["w"])
    np.testing.assert_allclose(average(params).estimate, expected, rtol=1e-12)
    np.testing.assert_allclose(
        average(params).gradient, numerical(lambda b: average(b).estimate, params), rtol=1e-6, atol=1e-8
    )


def numerical(function, params: np.ndarray) -> np.ndarray:
    """Central differences: six digits."""
    step = 1e-5
    return np.array(
        [(function(params + step * e) - function(params - step * e)) / (2 * step) for e in np.eye(len(params))]
    )


def test_logarithms_need_positive_means(design) -> None:
    params = np.array([-1.0, 0, 0, 0, 0])
    with pytest.raises(DataError, match="zero or negative in 150 of 150 rows"):
        mean_response(design, params, IDENTITY, torch.ones(150, dtype=torch.float64), log=True)


def test_estimable() -> None:
    null = np.array([[0.0, 1.0, -0.5]])  # twice the second column is... the third: only their sum is known
    assert estimable(np.array([1.0, 0.0, 0.0]), null)
    assert estimable(np.array([3.0, 1.0, 2.0]), null)
    assert not estimable(np.array([0.0, 1.0, 0.0]), null)
    assert estimable(np.array([1.0, 2.0]), np.zeros((0, 2)))
