"""A design without some columns is the dense matrix without them, and factors stay codes."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from formula_torch.design.auxiliary import without_columns
from formula_torch.formula.learn import learn


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(3)
    n = 60
    return pd.DataFrame(
        {
            "y": draw.normal(size=n),
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "g": draw.choice(["a", "b", "c"], n),
            "h": draw.choice(["u", "v"], n),
            "w": draw.uniform(1, 2, n),
        }
    )


@pytest.mark.parametrize("formula", ["y ~ x + I(z^2) + g:x", "y ~ C(g, Helmert) * h", "y ~ g:h + z - 1"])
def test_every_choice_of_columns(formula: str, data) -> None:
    design = learn(formula, data, weights="w").design
    x, w = design.dense(), data["w"].to_numpy()
    for dropped in itertools.chain.from_iterable(itertools.combinations(range(design.k), m) for m in (0, 1, 2, 3)):
        rest = without_columns(design, dropped)
        stay = np.setdiff1d(np.arange(design.k), dropped)
        assert rest.names == tuple(design.names[j] for j in stay)
        np.testing.assert_array_equal(rest.dense(), x[:, stay])
        np.testing.assert_allclose(rest.gram(), x[:, stay].T @ (w[:, None] * x[:, stay]), rtol=1e-12, atol=1e-12)
        beta = np.arange(1.0, rest.k + 1)
        np.testing.assert_allclose(rest.matvec(beta).numpy(), x[:, stay] @ beta, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(rest.rmatvec(rest.y), x[:, stay].T @ data["y"], rtol=1e-10, atol=1e-12)


def test_factors_stay_codes_and_the_constant_is_found(data) -> None:
    design = learn("y ~ x + g", data).design
    names = list(design.names)
    rest = without_columns(design, [names.index("g[T.b]")])
    (factor,) = rest.factors
    assert factor.codes is design.factors[0].codes
    assert rest.constant == 0
    assert rest.response is design.response
    assert without_columns(design, [names.index("Intercept")]).constant is None


def test_no_column_is_left(data) -> None:
    design = learn("y ~ x + g", data).design
    rest = without_columns(design, range(design.k))
    assert (rest.k, rest.factors, rest.n_rows) == (0, (), len(data))
    np.testing.assert_array_equal(rest.matvec(np.zeros(0)).numpy(), 0)
