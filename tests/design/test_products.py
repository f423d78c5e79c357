"""Products of block designs equal those of the dense matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from formula_torch.design import BATCH_ROWS
from formula_torch.design import design as module
from formula_torch.formula.learn import learn

FORMULAS = [
    "y ~ x + z",
    "y ~ g",
    "y ~ g * h * x",
    "y ~ poly(z, 2):g:x + h",
    "y ~ C(g, Helmert) * C(h, Sum) + x:g",
    "y ~ 0 + g:h",
    "y ~ bs(z, df=4) * g",
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    n = 500
    return pd.DataFrame(
        {
            "y": draw.normal(size=n),
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "g": draw.choice(["a", "b", "c"], n),
            "h": draw.choice(["u", "v"], n),
        }
    )


@pytest.mark.parametrize("weights", [None, "z"])
@pytest.mark.parametrize("height", [7, 128, BATCH_ROWS])
@pytest.mark.parametrize("formula", FORMULAS)
def test_products(formula: str, height: int, weights: str | None, data, monkeypatch) -> None:
    monkeypatch.setattr(module, "BATCH_ROWS", height)
    monkeypatch.setattr(module.Design.batches, "__defaults__", (height,))
    design = learn(formula, data, weights=weights).design
    x = design.dense()
    w = np.ones(len(data)) if weights is None else data[weights].to_numpy()
    beta = np.random.default_rng(1).normal(size=design.k)
    np.testing.assert_allclose(design.matvec(beta).numpy(), x @ beta, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(design.rmatvec(design.y), x.T @ data["y"], rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(design.gram(), x.T @ (w[:, None] * x), rtol=1e-11, atol=1e-10)
    extra = np.column_stack([x, data["y"]])
    gram = design.gram(lambda rows: (design.y[rows],), n_extra=1)
    np.testing.assert_allclose(gram, extra.T @ (w[:, None] * extra), rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("formula", FORMULAS)
def test_exact_block_rounds_to_the_dense_one(formula: str, data) -> None:
    design = learn(formula, data).design
    np.testing.assert_allclose(design.exact_block().round().T.numpy(), design.dense(), rtol=1e-15, atol=0)


def test_numeric_columns_are_views_of_the_frame() -> None:
    frame = pd.DataFrame({"y": np.arange(8.0), "x": np.arange(8.0) ** 2})
    design = learn("y ~ x + I(x^2)", frame).design
    assert len(design.bases) == 1
    assert design.bases[0].data_ptr() == frame["x"].to_numpy().__array_interface__["data"][0]


def test_factor_products_share_their_codes(data) -> None:
    design = learn("y ~ g + g:x + g:z", data).design
    assert len({f.codes.data_ptr() for f in design.factors}) == 1


def test_missing_levels_give_missing_rows(data) -> None:
    recipe = learn("y ~ g * h", data).recipe
    new = recipe.apply({"g": ["a", None], "h": ["u", "v"]})
    assert torch.isnan(new.matvec(np.ones(new.k))).tolist() == [False, True]
