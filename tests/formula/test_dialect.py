"""Reading formulas: R's operators, patsy's spellings, and messages for what is neither."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import FormulaError
from formula_torch.formula.dialect import expression, fill_dots, parse
from formula_torch.formula.learn import learn


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(4)
    n = 60
    return pd.DataFrame(
        {
            "y": draw.normal(size=n),
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "a": draw.choice(["a1", "a2", "a3"], n),
            "b": draw.choice(["b1", "b2"], n),
            "l": draw.random(n) > 0.5,
            "k": draw.integers(0, 4, n),
        }
    )


def names(formula: str, data: pd.DataFrame) -> list[str]:
    return list(learn(formula, data).recipe.column_names)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y ~ x", ["Intercept", "x"]),
        ("y ~ x - 1", ["x"]),
        ("y ~ 0 + x", ["x"]),
        ("y ~ x + 0", ["x"]),
        ("y~x+z+x", ["Intercept", "x", "z"]),
        ("y ~ a", ["Intercept", "a[T.a2]", "a[T.a3]"]),
        ("y ~ a - 1", ["a[a1]", "a[a2]", "a[a3]"]),
        ("y ~ x:b", ["Intercept", "x:b[b1]", "x:b[b2]"]),
        ("y ~ x*b", ["Intercept", "x", "b[T.b2]", "x:b[T.b2]"]),
        ("y ~ b*x - x", ["Intercept", "b[T.b2]", "b[b1]:x", "b[b2]:x"]),
        ("y ~ b/x", ["Intercept", "b[T.b2]", "b[b1]:x", "b[b2]:x"]),
        ("y ~ b + x %in% b", ["Intercept", "b[T.b2]", "x:b[b1]", "x:b[b2]"]),
        ("y ~ (x + z)^2", ["Intercept", "x", "z", "x:z"]),
        ("y ~ (x + z)**2", ["Intercept", "x", "z", "x:z"]),
        ("y ~ x*z*b - x:z:b", ["Intercept", "x", "z", "b[T.b2]", "x:z", "x:b[T.b2]", "z:b[T.b2]"]),
        ("y ~ x:z + b", ["Intercept", "b[T.b2]", "x:z"]),
        ("y ~ l", ["Intercept", "l[T.True]"]),
        ("y ~ l:x", ["Intercept", "l[False]:x", "l[True]:x"]),
        ("y ~ I(x>0)", ["Intercept", "I(x > 0)[T.True]"]),
        ("y ~ I(x^2)", ["Intercept", "I(x ** 2)"]),
        ("y ~ I(-x)", ["Intercept", "I(-x)"]),
        ("y ~ I( x+z )", ["Intercept", "I(x + z)"]),
        ("y ~ np.log(z)", ["Intercept", "np.log(z)"]),
        ("y ~ poly(x, 2)", ["Intercept", "poly(x, 2)[1]", "poly(x, 2)[2]"]),
        (
            "y ~ poly(x,degree=2,raw=TRUE)",
            ["Intercept", "poly(x, degree=2, raw=TRUE)[1]", "poly(x, degree=2, raw=TRUE)[2]"],
        ),
        ("y ~ bs(z, df=4)", ["Intercept", *(f"bs(z, df=4)[{i}]" for i in range(4))]),
        ('y ~ C(b, Treatment("b2"))', ["Intercept", 'C(b, Treatment("b2"))[T.b1]']),
        ("y ~ C(b, Treatment(reference='b2'))", ["Intercept", "C(b, Treatment(reference='b2'))[T.b1]"]),
        (
            "y ~ C(a, contr.treatment(3, base=2))",
            ["Intercept", *(f"C(a, contr.treatment(3, base=2))[T.a{i}]" for i in (1, 3))],
        ),
        ("y ~ C(a, SAS)", ["Intercept", "C(a, SAS)[T.a1]", "C(a, SAS)[T.a2]"]),
        ("y ~ C(a, Sum)", ["Intercept", "C(a, Sum)[S.a1]", "C(a, Sum)[S.a2]"]),
        ("y ~ C(a, Helmert)", ["Intercept", "C(a, Helmert)[H.a2]", "C(a, Helmert)[H.a3]"]),
        ("y ~ C(a, Diff)", ["Intercept", "C(a, Diff)[D.a1]", "C(a, Diff)[D.a2]"]),
        ("y ~ C(a, Poly)", ["Intercept", "C(a, Poly).Linear", "C(a, Poly).Quadratic"]),
        ("y ~ C(a, Sum) - 1", ["C(a, Sum)[a1]", "C(a, Sum)[a2]", "C(a, Sum)[a3]"]),
        (
            "y ~ C(a, [[1, 0], [0, 1], [-1, -1]])",
            ["Intercept", *(f"C(a, [[1, 0], [0, 1], [-1, -1]])[custom{i}]" for i in (0, 1))],
        ),
        ("y ~ relevel(b, ref='b2')", ["Intercept", "relevel(b, ref='b2')[T.b1]"]),
        ("y ~ factor(b, labels=c('no', 'yes'))", ["Intercept", "factor(b, labels=c('no', 'yes'))[T.yes]"]),
        ("y ~ as.factor(b)", ["Intercept", "as.factor(b)[T.b2]"]),
        ("y ~ cut(z, c(1, 2, 4))", ["Intercept", "cut(z, c(1, 2, 4))[T.(2,4]]"]),
        ("y ~ . - a - b", ["Intercept", "x", "z", "l[T.True]", "k"]),
        ("y ~ relevel(factor(k), ref='3')", ["Intercept", *(f"relevel(factor(k), ref='3')[T.{i}]" for i in range(3))]),
        ("y ~ relevel(a, ref=3)", ["Intercept", "relevel(a, ref=3)[T.a1]", "relevel(a, ref=3)[T.a2]"]),
        ("y ~ scale(poly(x, 2))", ["Intercept", "scale(poly(x, 2))[1]", "scale(poly(x, 2))[2]"]),
        ("y ~ cut(z, 3, labels=FALSE)", ["Intercept", "cut(z, 3, labels=FALSE)"]),
        (
            "y ~ C(k, levels=c(3L, 2L, 1L, 0L))",
            ["Intercept", *(f"C(k, levels=c(3L, 2L, 1L, 0L))[T.{i}]" for i in (2, 1, 0))],
        ),
        ("log(z) ~ x + I(x * z)", ["Intercept", "x", "I(x * z)"]),
        ("y ~ Q('x')", ["Intercept", "Q('x')"]),
        ("y ~ `x`", ["Intercept", "x"]),
        ("y ~ x + offset(z)", ["Intercept", "x"]),
        ("y ~ 1", ["Intercept"]),
    ],
)
def test_columns(formula: str, expected: list[str], data) -> None:
    assert names(formula, data) == expected


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ("x > 0 & z > 2", lambda d: (d.x > 0) & (d.z > 2)),
        ("(x > 0) | (z > 2)", lambda d: (d.x > 0) | (d.z > 2)),
        ("!(x > 0)", lambda d: ~(d.x > 0)),
        ("a in ['a1', 'a3']", lambda d: d.a.isin(["a1", "a3"])),
        ("x > 0 and not l", lambda d: (d.x > 0) & ~d.l),
        ("~(x > 0)", lambda d: ~(d.x > 0)),
        ("a == 'a1'", lambda d: d.a == "a1"),
        ("'a1' != a", lambda d: d.a != "a1"),
        ("a %in% c('a1', 'a3')", lambda d: d.a.isin(["a1", "a3"])),
        ("l == TRUE", lambda d: d.l),
        ("abs(x) <= 1", lambda d: d.x.abs() <= 1),
        ("ifelse(x > 0, z, -z) > 2", lambda d: np.where(d.x > 0, d.z, -d.z) > 2),
        ("x^2 + 1 > z", lambda d: d.x**2 + 1 > d.z),
        ("2 * k %% 3 > 1", lambda d: 2 * (d.k % 3) > 1),
        ("-k %% 3 == 1", lambda d: (-d.k) % 3 == 1),
        ("k^2 %% 3 + 1 == 2", lambda d: (d.k**2) % 3 + 1 == 2),
        ("2^k %/% 3 %% 2 == 1", lambda d: (2**d.k // 3) % 2 == 1),
        ("abs(k - 2) %% (1 + 1) == 0", lambda d: (d.k - 2).abs() % 2 == 0),
        ("12 %/% (k + 1) / 2 < 2", lambda d: 12 // (d.k + 1) / 2 < 2),
        ("z * k %in% c(1, 3) > 0", lambda d: d.z * d.k.isin([1, 3]) > 0),
        ("k %in% c(1, 3) & a %in% c('a1')", lambda d: d.k.isin([1, 3]) & (d.a == "a1")),
        ("cos(pi * k) < 0", lambda d: np.cos(np.pi * d.k) < 0),
        ("-x^2 < -1", lambda d: -(d.x**2) < -1),
    ],
)
def test_conditions(condition: str, truth, data) -> None:
    design = learn(f"y ~ I({condition})", data).design
    np.testing.assert_array_equal(design.dense()[:, 1], np.asarray(truth(data), dtype=float))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y", "has no `~`"),
        ("y ~ x ~ z", "more than one `~`"),
        ("y ~ ", "nothing after `~`"),
        ("y ~ x +", "cannot be read"),
        ("y ~ (x", "does not close it"),
        ("y ~ x)", "did not open"),
        ("y ~ log('x", "opens a quote"),
        ("y ~ (x > 0)", r"I\(x > 0\)"),
        ("y ~ 2 * x", r"I\(2 \* x\)"),
        ("y ~ x + 3", "number 3 cannot be a term"),
        ("y ~ {x + 1}", r"I\(\.\.\.\) instead of braces"),
        ("y ~ x[1]", "cannot be indexed"),
        ("y ~ x + (z - 1)", "write - 1 outside"),
        ("y ~ relevel(factor(k), ref=2)", "may be the level 2 or the level in place 2"),
        ("y ~ scale(x, scale=0)", "cannot be divided"),
        ("y ~ log(poly(x, 2))", "several columns"),
        ("y ~ my var", "no operator between 'my' and 'var'"),
        ("y ~ x and z", "not part of the formula language"),
        ("y ~ x $ z", "not part of the formula language"),
        ("y ~ x | z | a", "may have one `|`"),
        ("y ~ x | log(z)", "only names"),
        ("y ~ x | a", r"write C\(a\) among the terms"),
        ("y ~ offset(z):x", "offset cannot be part of an interaction"),
        ("y ~ log(offset(z))", "must be a term of its own"),
        ("~ x", "has no response"),
        ("y ~ 0", "neither terms nor an intercept"),
        ("y ~ log(x", "does not close"),
        ("y ~ log(x, foo=1)", "arguments that it does not take"),
        ("y ~ log()", "arguments that it does not take"),
        ("y ~ I(0 < x < 1)", "cannot be chained"),
        ("y ~ log(a)", "`a` holds categories"),
        ("y ~ C(a, Treatment('zz'))", "'zz' is not a level"),
        ("y ~ relevel(a, 'zz')", "'zz' is not a level"),
        ("y ~ C(a, foo)", "`foo` is not a column"),
        ("y ~ poly(x, 0)", "whole degree"),
        ("y ~ bs(z, df=2)", "spline could not be built"),
        ("y ~ ns(z, df=0)", "too small"),
        ("y ~ cut(z, 1)", "at least 2 intervals"),
        ("y ~ cut(z, c(0, 2, 5), labels=c('one'))", "2 intervals but has 1 labels"),
        ("y ~ I('text')", "no value for each row"),
        ("y ~ I(a < 'a2')", "== and != only"),
        ("y ~ Q(x)", "one name in quotes"),
        ("a + b ~ x", "holds categories"),
        ("poly(x, 2) ~ z", "has 2 columns"),
    ],
)
def test_messages(formula: str, message: str, data) -> None:
    with pytest.raises(FormulaError, match=message):
        ft.fit(formula, data)


def test_columns_named_like_rs_truth_values(data) -> None:
    """A treatment is often called T."""
    renamed = data.rename(columns={"x": "T", "z": "F"})
    np.testing.assert_allclose(ft.fit("y ~ I(T * F)", renamed).params, ft.fit("y ~ I(x * z)", data).params)
    assert names("y ~ poly(x, 2, raw=T)", data)[1:] == ["poly(x, 2, raw=T)[1]", "poly(x, 2, raw=T)[2]"]


def test_a_formula_must_be_text() -> None:
    with pytest.raises(FormulaError, match="is a string"):
        parse(1)  # type: ignore[arg-type]


def test_scale_of_a_constant_is_refused(data) -> None:
    with pytest.raises(FormulaError, match="constant"):
        learn("y ~ scale(k)", data.assign(k=1.0))


def test_second_part_is_names() -> None:
    parsed = parse("y ~ x | id + `a b`")
    assert parsed.second == ("id", "a b")
    assert parsed.skeleton == "f0"


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (". ~ . + z", "y ~ (a + b) + z"),
        ("log(.) ~ .", "log(y) ~ a + b"),
        ("u ~ v", "u ~ v"),
        (". ~ x:(.)", "y ~ x:((a + b))"),
    ],
)
def test_dots_of_an_update(new: str, expected: str) -> None:
    assert fill_dots(new, "y ~ a + b") == expected


def test_expressions_show_as_statsmodels_prints_them() -> None:
    shown = {"I(x**2)": "I(x ** 2)", "bs(x,df = 4)": "bs(x, df=4)", "C(g,Treatment( 'a' ))": "C(g, Treatment('a'))"}
    for text, expected in shown.items():
        assert expression(text).text == expected
