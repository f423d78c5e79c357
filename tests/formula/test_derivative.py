"""Derivatives of designs: exact where terms are products, 1e-6 where they are evaluated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from formula_torch.errors import FormulaError
from formula_torch.formula.derivative import Derivative, derivative, offset_readers, readers
from formula_torch.formula.learn import learn


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(11)
    n = 200
    frame = pd.DataFrame(
        {
            "y": draw.normal(size=n),
            "x": draw.lognormal(size=n),
            "z": draw.uniform(1, 5, n),
            "k": draw.integers(1, 6, n),
            "g": draw.choice(["a", "b", "c"], n),
            "my var": draw.uniform(1, 2, n),
        },
        index=[f"r{i}" for i in range(n)],
    )
    frame.loc["r7", "x"] = 1e-4  # where a logarithm is steep
    return frame


def dense(found: Derivative) -> np.ndarray:
    return np.column_stack([np.asarray(found.matvec(unit)) for unit in np.eye(found.k)])


def of(formula: str, data: pd.DataFrame, name: str = "x") -> dict[str, np.ndarray]:
    recipe = learn(f"y ~ {formula}", data).recipe
    found = derivative(recipe, data, name)
    return dict(zip(recipe.column_names, dense(found).T, strict=True))


def test_products_are_exact(data) -> None:
    x, z = data["x"].to_numpy(), data["z"].to_numpy()
    found = of("x*z + I(x**3) + x:I(x**2):z", data)
    np.testing.assert_array_equal(found["x"], np.ones(len(x)))
    np.testing.assert_array_equal(found["z"], np.zeros(len(x)))
    np.testing.assert_array_equal(found["x:z"], z)
    np.testing.assert_allclose(found["I(x ** 3)"], 3 * x**2, rtol=1e-15)
    np.testing.assert_allclose(found["x:I(x ** 2):z"], 3 * x**2 * z, rtol=1e-14)


def test_products_with_factors_are_exact(data) -> None:
    x, g = data["x"].to_numpy(), data["g"].to_numpy()
    found = of("x*g + C(g, Sum):I(x**2)", data)
    np.testing.assert_array_equal(found["g[T.b]"], np.zeros(len(x)))
    np.testing.assert_array_equal(found["x:g[T.b]"], (g == "b") * 1.0)
    codes = {"a": (1, 0), "b": (0, 1), "c": (-1, -1)}
    # A factor that need not lose a column: dummies, whatever its contrast.
    for name, column in found.items():
        if name.startswith("C(g, Sum)["):
            level = name.split("[")[1][0]
            np.testing.assert_allclose(column, 2 * x * (g == level), rtol=1e-15)
    main = of("I(x**2)*C(g, Sum)", data)
    for j, level in enumerate("ab"):
        expected = 2 * x * np.array([codes[value][j] for value in g])
        np.testing.assert_allclose(main[f"I(x ** 2):C(g, Sum)[S.{level}]"], expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("term", "slope"),
    [
        ("np.log(x)", lambda x, z: 1 / x),
        ("log(x):z", lambda x, z: z / x),
        ("x:log(x)", lambda x, z: np.log(x) + 1),
        ("I(x*z + 1)", lambda x, z: z),
        ("I(1/x)", lambda x, z: -1 / x**2),
        ("np.exp(-x)", lambda x, z: -np.exp(-x)),
        ("I(x**0.5)", lambda x, z: 0.5 / np.sqrt(x)),
        ("np.arctan2(x, z)", lambda x, z: z / (x**2 + z**2)),
    ],
)
def test_expressions(data, term, slope) -> None:
    (found,) = of(f"0 + {term}", data).values()
    # By differences: a relative 1e-9 where 1e-6 is promised.
    np.testing.assert_allclose(found, slope(data["x"].to_numpy(), data["z"].to_numpy()), rtol=1e-9)


def test_scaling_and_polynomials(data) -> None:
    x = data["x"].to_numpy()
    np.testing.assert_allclose(of("scale(x)", data)["scale(x)"], 1 / x.std(ddof=1), rtol=1e-11)
    recipe = learn("y ~ poly(x, 3)", data).recipe
    orthogonal, raw = of("poly(x, 3)", data), of("poly(x, 3, raw=True)", data)
    # Orthogonal polynomials are combinations of raw ones: so are their derivatives.
    basis = np.column_stack([x**d for d in range(4)])
    combination, *_ = np.linalg.lstsq(basis, recipe.apply(data).dense()[:, 1:], rcond=None)
    slopes = np.column_stack([np.zeros(len(x)), *(raw[f"poly(x, 3, raw=True)[{d}]"] for d in (1, 2, 3))])
    expected = slopes @ combination
    actual = np.column_stack([orthogonal[f"poly(x, 3)[{d}]"] for d in (1, 2, 3)])
    np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    "formula", ["bs(x, df=6)", "ns(x, df=4)*g", "cr(z, df=5)*x", "bs(np.log(x), df=5)", "poly(x, z, degree=2)"]
)
def test_bases_against_differences_of_the_design(data, formula) -> None:
    recipe = learn(f"y ~ {formula}", data).recipe
    found = dense(derivative(recipe, data, "x"))
    step = 1e-5 * data["x"]
    inside = (data["x"] - step > data["x"].min()) & (data["x"] + step < data["x"].max())
    high, low = (recipe.apply(data[inside].assign(x=(data["x"] + s * step)[inside])).dense() for s in (1, -1))
    expected = (high - low) / (2 * step[inside].to_numpy()[:, None])
    # The reference itself, plain central differences, has six digits.
    np.testing.assert_allclose(found[inside.to_numpy()], expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_values_at_the_ends_of_a_spline(data) -> None:
    found = of("bs(x, df=5)", data)
    total = sum(column for name, column in found.items() if name.startswith("bs"))
    last = int(data["x"].argmax())
    # At the last knot the B-splines sum to one and the first is zero to third order.
    np.testing.assert_allclose(total[last], 0, atol=1e-9)


def test_the_transpose_is_that_of_the_product(data) -> None:
    recipe = learn("y ~ x*g + poly(x, 2)*z + log(x):C(g, Sum)", data).recipe
    found = derivative(recipe, data, "x")
    r = torch.linspace(-1, 1, len(data), dtype=torch.float64)
    np.testing.assert_allclose(found.rmatvec(r), dense(found).T @ r.numpy(), atol=1e-12)
    part = found.rows(20, 50)
    np.testing.assert_array_equal(dense(part), dense(found)[20:50])


def test_odd_names_and_users_functions(data) -> None:
    found = of("`my var`:x + Q('my var')", data, "my var")
    np.testing.assert_array_equal(found["my var:x"], data["x"])
    recipe = learn("y ~ f(x)", data, functions={"f": lambda v: v**2}).recipe
    np.testing.assert_allclose(dense(derivative(recipe, data, "x"))[:, 1], 2 * data["x"], rtol=1e-9)


def test_offsets(data) -> None:
    recipe = learn("y ~ z + offset(log(x) + k)", data).recipe
    assert offset_readers(recipe) == {"x", "k"}
    assert readers(recipe) == {"z": ("f0",)}
    np.testing.assert_allclose(derivative(recipe, data, "x").offset, 1 / data["x"], rtol=1e-9)
    assert derivative(recipe, data, "z").offset is None


def test_any_table(data) -> None:
    pl = pytest.importorskip("polars")
    recipe = learn("y ~ x*z + log(x)", data).recipe
    other = derivative(recipe, pl.from_pandas(data), "x")
    np.testing.assert_array_equal(dense(other), dense(derivative(recipe, data, "x")))


@pytest.mark.parametrize("term", ["cut(x, 3)", "C(k)", "I(x > 1)", "x + I(x > 1)"])
def test_factors_have_no_derivative(data, term) -> None:
    name = "k" if "k" in term else "x"
    recipe = learn(f"y ~ {term}", data).recipe
    text = term.removeprefix("x + ").replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(FormulaError, match=f"`{text}` makes a factor of `{name}`.*variables="):
        derivative(recipe, data, name)


def test_steps_and_jumps_have_no_derivative(data) -> None:
    with pytest.raises(FormulaError, match=r"`floor\(z\)` is a step function of `z`"):
        derivative(learn("y ~ floor(z)", data).recipe, data, "z")
    with pytest.raises(FormulaError, match=r"`floor\(k\)` has no derivative in `k` in \d+ of 200 rows"):
        derivative(learn("y ~ floor(k)", data).recipe, data, "k")
    zero = data.assign(x=data["x"].where(data["x"] > 1, 0.0))
    with pytest.raises(FormulaError, match=r"`np.sqrt\(x\)` has no derivative.*at 0\)"):
        derivative(learn("y ~ np.sqrt(x)", zero).recipe, zero, "x")
