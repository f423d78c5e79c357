"""Transforms: values, and the same values again on new data."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import FormulaError
from formula_torch.formula.learn import learn

STATEFUL = [
    "poly(z, 3)",
    "poly(z, 2, raw=True)",
    "poly(x, z, degree=2)",
    "poly(log(z), 2)",
    "bs(z, df=5)",
    "bs(z, knots=[2, 3], degree=2)",
    "ns(z, df=3)",
    "ns(z, knots=c(2, 3))",
    "cc(z, df=3)",
    "scale(x)",
    "scale(x, center=False)",
    "scale(log(z))",
    "center(x)",
    "standardize(x)",
    "cut(z, 3)",
    "C(cut(z, 3), Sum)",
    "cut(z, c(0, 2, 3, 9))",
    "factor(k)",
    "C(k, Poly)",
    "relevel(g, 'b')",
    "scale(x) * C(g, Helmert)",
    "poly(x, 2):g",
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(9)
    n = 150
    return pd.DataFrame(
        {
            "y": draw.normal(size=n),
            "x": draw.normal(3, 2, n),
            "z": draw.uniform(1, 4, n),
            "k": draw.integers(0, 4, n),
            "g": draw.choice(["a", "b", "c"], n),
        }
    )


@pytest.mark.parametrize("term", STATEFUL)
def test_new_rows_see_what_was_learned(term: str, data) -> None:
    """A recipe, pickled or not, gives on some rows what the whole data gave there."""
    problem = learn(f"y ~ {term}", data)
    whole = problem.design.dense()
    part = data.iloc[[5, 70, 33]]
    for recipe in (problem.recipe, pickle.loads(pickle.dumps(problem.recipe))):
        np.testing.assert_allclose(recipe.apply(part).dense(), whole[[5, 70, 33]], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("term", STATEFUL)
def test_applying_a_recipe_teaches_it_nothing(term: str, data) -> None:
    recipe = learn(f"y ~ {term}", data).recipe
    before = repr(recipe.states)
    recipe.apply(data.iloc[10:20])
    assert repr(recipe.states) == before


@pytest.mark.parametrize(
    "term", ["poly(x, 2)", "scale(x)", "center(x)", "standardize(x)", "bs(x, df=4)", "ns(x, df=3)"]
)
def test_missing_values_do_not_spoil_what_is_learned(term: str, data) -> None:
    holes = data.copy()
    holes.loc[[3, 9], "x"] = np.nan
    with_holes, without = learn(f"y ~ {term}", holes), learn(f"y ~ {term}", holes.dropna())
    np.testing.assert_allclose(with_holes.design.dense(), without.design.dense(), rtol=1e-12, atol=1e-13)


def test_polynomials_are_orthonormal(data) -> None:
    p = learn("y ~ poly(z, 4) - 1", data.assign(z=data["z"] + 2000)).design.dense()
    np.testing.assert_allclose(p.T @ p, np.eye(4), atol=1e-11)
    np.testing.assert_allclose(p.sum(0), 0, atol=1e-11)


def test_scaling(data) -> None:
    x = data["x"].to_numpy()
    expected = {
        "scale(x)": (x - x.mean()) / x.std(ddof=1),
        "standardize(x)": (x - x.mean()) / x.std(),
        "center(x)": x - x.mean(),
        "scale(x, scale=FALSE)": x - x.mean(),
        "scale(x, center=FALSE)": x / np.sqrt((x**2).sum() / (len(x) - 1)),
        "scale(x, center=1, scale=2)": (x - 1) / 2,
    }
    for term, values in expected.items():
        np.testing.assert_allclose(learn(f"y ~ {term}", data).design.dense()[:, 1], values, rtol=1e-13)


def test_elementwise_functions(data) -> None:
    x, z = data["x"].to_numpy(), data["z"].to_numpy()
    expected = {
        "log(z)": np.log(z),
        "log(z, base=2)": np.log2(z),
        "log10(z)": np.log10(z),
        "log1p(z)": np.log1p(z),
        "exp(x)": np.exp(x),
        "sqrt(z)": np.sqrt(z),
        "np.sqrt(z) * 1": np.sqrt(z),
        "pmin(x, z)": np.minimum(x, z),
        "pmax(x, 2)": np.maximum(x, 2),
        "np.where(x > 3, x, 0)": np.where(x > 3, x, 0),
        "ifelse(g == 'a', 1, 2)": np.where(data["g"] == "a", 1, 2),
        "np.clip(x, 0, 1)": x.clip(0, 1),
        "round(x, 1)": x.round(1),
        "x %% 2": np.mod(x, 2),
        "x %/% 2": x // 2,
        "np.pi * x": np.pi * x,
        "k^-1 * 0 + x": np.where(data["k"] == 0, np.nan, x),
    }
    for term, values in expected.items():
        design = learn(f"y ~ I({term})", data, na_action="drop").design
        np.testing.assert_allclose(design.dense()[:, 1], values[~np.isnan(values)], rtol=1e-13)


def test_users_functions(data) -> None:
    fit = ft.fit("y ~ half(x) + kind(g)", data, functions={"half": lambda v: v / 2, "kind": lambda g: g == "a"})
    assert fit.params["half(x)"] == pytest.approx(ft.fit("y ~ x + I(g == 'a')", data).params["x"] * 2)
    assert list(fit.params.index)[2] == "kind(g)[T.True]"
    np.testing.assert_allclose(fit.predict(data), fit.fittedvalues)
    with pytest.raises(FormulaError, match=r"half\(\.\.\.\), which could not be pickled"):
        pickle.loads(pickle.dumps(fit)).predict(data)
    kept = pickle.loads(pickle.dumps(ft.fit("y ~ f(x)", data, functions={"f": np.tanh})))
    assert np.isfinite(kept.predict(data)).all()
    with pytest.raises(FormulaError, match="one value for each row"):
        ft.fit("y ~ f(x)", data, functions={"f": np.mean})


def test_cut_labels_are_rs(data) -> None:
    names = learn("y ~ cut(z, c(1, 2.5, 4)) - 1", data).recipe.column_names
    assert [n.split(")[")[1] for n in names] == ["(1,2.5]]", "(2.5,4]]"]
    left = learn("y ~ cut(z, c(1, 2.5, 4), right=FALSE) - 1", data).recipe.column_names
    assert [n.split(")[")[1] for n in left] == ["[1,2.5)]", "[2.5,4)]"]


def test_values_outside_the_breaks_are_missing(data) -> None:
    outside = int(((data["z"] <= 2) | (data["z"] > 3)).sum())
    assert f"cut(z, c(2, 2.5, 3)): {outside}" in str(ft.fit("y ~ cut(z, c(2, 2.5, 3))", data))


def test_natural_spline_is_linear_beyond_its_knots(data) -> None:
    fit = ft.fit("y ~ ns(z, df=4)", data)
    steps = np.diff(fit.predict({"z": [4.5, 5.0, 5.5, 6.0]}))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-10)


@pytest.mark.parametrize("subset", ["x > 3", "x > 3 & g == 'a'", "keep"])
def test_subset(subset: str, data) -> None:
    data = data.assign(keep=data["x"] > 3)
    mask = data["x"] > 3 if "g" not in subset else (data["x"] > 3) & (data["g"] == "a")
    fits = [ft.fit("y ~ scale(z)", data, subset=s) for s in (subset, mask, mask.to_numpy())]
    expected = ft.fit("y ~ scale(z)", data[mask])
    for fit in fits:
        np.testing.assert_allclose(fit.params, expected.params, rtol=1e-12)
        pd.testing.assert_series_equal(fit.resid, expected.resid)
        assert fit.used.equals(mask.rename(None))
        assert f"The subset has {mask.sum()} of 150 rows." in str(fit)


def test_subset_must_be_a_condition(data) -> None:
    with pytest.raises(ft.errors.DataError, match="true or false"):
        ft.fit("y ~ x", data, subset="x")


@pytest.mark.parametrize(
    "term",
    ["relevel(g, ref='b')", "factor(g, labels=['A', 'B', 'C'])", "factor(g, levels=['c', 'b', 'a'])", "factor(g)"],
)
def test_new_data_may_lack_a_level(term) -> None:
    data = {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 9.0], "g": list("abcabc")}
    fit = ft.fit(f"y ~ {term}", data)
    np.testing.assert_allclose(fit.predict({"g": ["a", "c"]}), [2.0, 6.5])
    np.testing.assert_allclose(fit.predict({"g": ["c"]}), [6.5])
    with pytest.raises(ft.errors.DataError, match="levels that were not in the data"):
        fit.predict({"g": ["z"]})
    assert np.isnan(fit.predict({"g": ["c", "z"]}, unseen="nan")[1])
