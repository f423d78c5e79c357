"""Under patsy's conventions the columns, their names and their order are those of patsy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import patsy
import pytest

from formula_torch.errors import FormulaError
from formula_torch.formula.conventions import PATSY
from formula_torch.formula.learn import learn
from formula_torch.formula.patsy_terms import expand

FORMULAS = """
1 | 0 + x | x - 1 | -1 + x | x | x + z | x + 1 | x - 1 + 1 | z + x + k | a | a - 1 | 0 + a + b | b + a | x + a
a + x | x + a - 1 | l | l - 1 | x + l | l + x:l | a:b | a:b - 1 | a + a:b | a:b + a | b + a:b | a*b | b*a | a*b - 1
a*b - a | a*b - b | a*b - a - 1 | a:b:c | a:b + c | a:b + a:c | a:b + b:c | a + b:c | a*b*c | a*b*c - a:b:c
a*b + c | a + b:c + a:c | c:b:a + a | (a + b + c)**2 | a:x | x:a | x:a - 1 | x + x:a | x:a + x | a:x + b | a + a:x
a*x | x*a | x*a - a | x*a - x | a*b*x | a*b*x - a:b:x | a:b:x | a:x + b:x | x + a:x + b:x | x:a + x:b + a:b
a:b + x | x:z | x:z + a | x:z + x | x:z:a + x | x:z + z:x | x*z*a | (x + z + a)**2 | (x + a + z)**3
(a + b)**3 - a:b | x:z + w | x:w + z:a + x:a | z:a + x:a + x | (x + z):a | a/b | a/x | a/(b + x) | (a + b)/x | x/a
a/b/x | a/x - 1 | (a + x)*(b + z) | (a + b):(x + z) | a*(x + z) - z | C(k) | C(k) - 1 | C(k):x | C(k)*a | C(k)*l
l*a | l:a | l:a:x | x + C(k)*z | C(a, Sum) | C(a, Sum) - 1 | C(a, Sum)*C(b, Sum) | C(a, Sum):C(b, Sum)
C(a, Sum):x | x + C(a, Sum):x | C(a, Sum('mid')) - 1 | C(a, Helmert) | C(a, Helmert) - 1 | C(a, Helmert):b
C(a, Diff) | C(a, Diff) - 1 | C(a, Diff):x | C(a, Poly) | C(a, Poly) - 1 | C(a, Poly):b | C(a, Poly):C(b, Sum):x
C(a, Poly([1, 2, 7])) - 1 | C(a, Treatment('mid')) | C(a, Treatment('mid')) - 1 | C(a, Treatment("mid"))
C(a,Treatment(reference='mid')):b | C(a, Treatment(1)) | C(a, [[1, 0], [0, 1], [-1, 2]])
C(a, [[1, 0], [0, 1], [-1, 2]]) - 1 | C(a, levels=['mid', 'low', 'high'])
C(a, Sum, levels=['mid', 'low', 'high']) - 1 | C(d) | d | d - 1 | d:x | C(d, Sum) | C(d, Sum) - 1 | d*a | I(x**2)
x + I(x ** 2) + I(x**3) | I(x*z) | I(x>0) | I(x > 0) - 1 | I(x > 0):z | I(x > 0)*a | I(-x) | I((x - 1)/2)
I(k == 2) | I(a == 'mid') | I(a=='mid'):x | I(k % 2) | I(k // 2) | I((x > 0) & (z < 3)) | I(x + z - k) | np.log(z)
np.log(z+1) | np.exp(x):a | np.sqrt(z)*l | np.log(np.abs(x)) | np.log10(z) | np.power(x, 2) | np.where(x > 0, 1, 0)
np.maximum(x, 0) | np.minimum(x, z) + np.sign(x) | np.log1p(z) + np.expm1(x) | abs(x) | np.floor(z)
np.round(x, 1) | Q('x') | Q("odd name") | Q('odd name'):a | Q('odd name') + I(Q('odd name')**2) | C(Q('odd name'))
center(x) | standardize(x) | scale(x) | scale(x, rescale=False) | scale(x, center=False) | scale(x, ddof=1)
center(x):a | standardize(x) + standardize(z)*a | scale(np.log(z)) | center(x_na) | bs(x, df=4) | bs(x, df=4) - 1
bs(x, 5, degree=2) | bs(x, knots=[-0.5, 0.5]) | bs(x, df=5, include_intercept=True) - 1 | bs(x, df=4):a
bs(x, df=4)*a | bs(z, df=4, lower_bound=0, upper_bound=6) | cr(x, df=4) | cr(x, df=4) - 1
cr(x, df=3, constraints='center') | cr(x, knots=[-0.3, 0.3]) | cc(x, df=4) | cc(x, df=4) - 1
cc(x, df=3, constraints='center') | bs(x, df=4) + a + cr(z, df=3) | x_na | a_na | a_na*x | x_na:a | x_na + a_na + l
"""
FORMULAS = [piece.strip() for line in FORMULAS.strip().splitlines() for piece in line.split(" | ")]
ATOMS = ["a", "b", "c", "l", "x", "z", "w", "C(a, Sum)", "C(k, Poly)"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(11)
    n = 80
    frame = pd.DataFrame(
        {
            "y": draw.normal(size=n),
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 5, size=n),
            "w": draw.normal(size=n),
            "odd name": draw.normal(size=n).round(),
            "k": draw.integers(0, 4, n),
            "a": draw.choice(["low", "mid", "high"], n),
            "b": draw.choice(["p", "q"], n),
            "c": draw.choice(["u", "v", "w"], n),
            "l": draw.random(n) > 0.5,
        },
        index=[f"r{i}" for i in range(n)],
    )
    frame["d"] = pd.Categorical(draw.choice(["two", "one"], n), categories=["two", "never", "one"])
    frame["x_na"] = frame["x"].mask(draw.random(n) < 0.1)
    frame["a_na"] = frame["a"].mask(draw.random(n) < 0.1)
    return frame


def agree(formula: str, data: pd.DataFrame) -> None:
    theirs = patsy.dmatrices(formula, data, return_type="dataframe")
    ours = learn(formula, data, conventions=PATSY)
    assert list(ours.design.names) == list(theirs[1].columns)
    np.testing.assert_allclose(ours.design.dense(), theirs[1].to_numpy(), rtol=1e-12, atol=1e-12)
    again = ours.recipe.apply(data[ours.sample.used])
    np.testing.assert_allclose(again.dense(), theirs[1].to_numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
def test_columns_are_patsys(formula: str, data: pd.DataFrame) -> None:
    agree(f"y ~ {formula}", data if "_na" not in formula or "(" not in formula else data.dropna())


def written(draw: np.random.Generator, depth: int) -> str:
    """Return a formula at random."""
    if depth == 0 or draw.random() < 0.25:
        return str(draw.choice(ATOMS))
    left, right = written(draw, depth - 1), written(draw, depth - 1)
    operator = draw.choice(["+", "+", "*", ":", "/", "-", "**"])
    return f"({left})**{draw.integers(2, 4)}" if operator == "**" else f"({left}) {operator} ({right})"


@pytest.mark.parametrize("seed", range(100))
def test_random_formulas_are_read_alike(seed: int, data: pd.DataFrame) -> None:
    draw = np.random.default_rng(seed)
    intercept = draw.choice(["", " - 1", " + 0", " + 1"])
    formula = f"y ~ {written(draw, 3)}{intercept}"
    if patsy.dmatrix(formula.split("~")[1], data).shape[1] in range(1, 400):
        agree(formula, data)


def test_transforms_learn_from_all_rows_of_the_subset(data: pd.DataFrame) -> None:
    theirs = patsy.dmatrix("scale(x) + bs(z, df=4) + a", data[data["x"] > 0])
    ours = learn("y ~ scale(x) + bs(z, df=4) + a", data, subset="x > 0", conventions=PATSY)
    np.testing.assert_allclose(ours.design.dense(), np.asarray(theirs), rtol=1e-12, atol=1e-12)


def test_rows_of_zero_weight_stay(data: pd.DataFrame) -> None:
    weights = np.where(np.arange(len(data)) < 5, 0.0, 1.0)
    assert learn("y ~ x", data, weights=weights, conventions=PATSY).sample.n_rows == len(data)
    assert learn("y ~ x", data, weights=weights).sample.n_rows == len(data) - 5


@pytest.mark.parametrize("skeleton", ["(f0 + 1):f1", "f0 * (1 + f1)", "f0 +", "f0 ** f1"])
def test_what_patsy_cannot_read_is_an_error(skeleton: str) -> None:
    with pytest.raises(FormulaError):
        expand(skeleton)


def test_thousands_of_terms_are_read() -> None:
    assert len(expand(" + ".join(f"f{i}" for i in range(3000)))) == 3001
