"""Hypotheses: how text becomes R and q as patsy reads it, nonlinear functions, multiplicity, and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from patsy import DesignInfo
from statsmodels.stats.multitest import multipletests

from formula_torch.errors import DataError, FormulaError, UnknownNameError
from formula_torch.inference.bands import critical_value
from formula_torch.inference.combinations import Names, read_equations
from formula_torch.inference.hypotheses import read_expressions, read_hypotheses
from formula_torch.inference.multiplicity import ADJUSTMENTS, adjust_pvalues
from formula_torch.inference.wald import wald_statistic

NAMES = (
    *("Intercept", "C(g)[T.b]", "C(g)[T.c, d]", 'C(h, Treatment("no"))[T.yes]', "x", "x1", "x2", "np.log(x)"),
    *("I(x ** 2)", "x:z", "np.log(x):C(g)[T.b]", 'Q("my var")', "a b", "I(x == 1)[T.True]", "é", "1990", "exp"),
)
THETA = np.linspace(0.5, 2.5, len(NAMES))
TEXTS = [
    *("x = 1", "x", "1 = x", "x1 = x2 = 0", "x + 2*x1 = 3, x2 = 0", "(x = 0), (x1 = 0)", "(x = 0, x1 = 2)"),
    *("C(g)[T.b] - C(g)[T.c, d]", "C(g)[T.c, d] = 2 * C(g)[T.b] + 1", "np.log(x) = 1", "x:z = 0", "Intercept = 0"),
    *('C(h, Treatment("no"))[T.yes] = 0', "np.log(x):C(g)[T.b] + np.log(x) = 0", 'Q("my var") = x', "a b = -1"),
    *("I(x == 1)[T.True] = 0, I(x ** 2) = x", "x/4 + 1 = 3", "-(x - x1)*2 = +1e-3", "é = 1.5e2", "x1=x2"),
    *("2*(x + 3*(x1 - x2))/5 = x - .5", "x = x1 = x2 = 4"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_linear_text_reads_as_patsy_does(text: str) -> None:
    ours = read_hypotheses(text, NAMES, THETA)
    theirs = DesignInfo(list(NAMES)).linear_constraint(text)
    np.testing.assert_allclose(ours.jacobian, theirs.coefs, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(ours.null, theirs.constants[:, 0], rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(ours.effect, theirs.coefs @ THETA, rtol=1e-14, atol=1e-15)
    assert ours.linear.all()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("`a b` = 0", "a b"),
        ("`1990`", "1990"),
        ("`C(g)[T.b]` = 1", "C(g)[T.b]"),
        ("Q('my var') = 0", 'Q("my var")'),
        ("`my var` = 0", 'Q("my var")'),
        ('Q("a b") = 0', "a b"),
        ("C(h,Treatment('no'))[T.yes]", 'C(h, Treatment("no"))[T.yes]'),
        ("I(x**2)", "I(x ** 2)"),
        ("z:x", "x:z"),
        ("C(g)[T.b]:np.log(x)", "np.log(x):C(g)[T.b]"),
        ("exp == 0", "exp"),
        ("log(x)", "np.log(x)"),
        ("log(x):C(g)[T.b]", "np.log(x):C(g)[T.b]"),
    ],
)
def test_a_name_may_be_written_otherwise(text: str, name: str) -> None:
    assert np.flatnonzero(read_hypotheses(text, NAMES, THETA).jacobian[0]).tolist() == [NAMES.index(name)]


def test_np_is_understood() -> None:
    names, theta = ("x", "log(x)"), np.array([2.0, 3.0])
    assert read_hypotheses("np.log(x) = 1", names, theta).effect.tolist() == [3.0]
    assert read_hypotheses("np.log( `x` ) = 1", names, theta).effect.tolist() == [pytest.approx(math.log(2))]


def test_a_number_is_a_number_though_a_column_is_called_so() -> None:
    h = read_hypotheses("x = 1990", NAMES, THETA)
    assert h.null.tolist() == [1990.0]


@pytest.mark.parametrize(
    ("given", "r", "q"),
    [
        ([0.0, 1, 2], [[0, 1, 2]], [0]),
        ([[0, 1, 2], [1, 0, 0]], [[0, 1, 2], [1, 0, 0]], [0, 0]),
        (np.eye(3, dtype=int), np.eye(3), [0, 0, 0]),
        ((np.eye(3)[1], 2), [[0, 1, 0]], [2]),
        ((np.eye(3)[1:], 2), np.eye(3)[1:], [2, 2]),
        ((np.eye(3)[1:], [2, 3]), np.eye(3)[1:], [2, 3]),
        ((np.eye(3)[1:], np.array([[2], [3]])), np.eye(3)[1:], [2, 3]),
        (["x = 1", "z = x, w"], [[1, 0, 0], [-1, 1, 0], [0, 0, 1]], [1, 0, 0]),
        (("x = 1", "z"), [[1, 0, 0], [0, 1, 0]], [1, 0]),
        ({"z": 1, "x": 2.5}, [[0, 1, 0], [1, 0, 0]], [1, 2.5]),
        (pd.Series({"z": 1.0, "x": -1.0}), [[-1, 1, 0]], [0]),
        (pd.Series([0.0, 0, 1]), [[0, 0, 1]], [0]),
        (pd.DataFrame({"w": [1, 0], "x": [0, 2]}), [[0, 0, 1], [2, 0, 0]], [0, 0]),
        ((pd.DataFrame({"w": [1, 0], "x": [0, 2]}), [3, 4]), [[0, 0, 1], [2, 0, 0]], [3, 4]),
    ],
)
def test_arrays_rows_and_mappings(given: Any, r: Any, q: Any) -> None:
    h = read_hypotheses(given, ("x", "z", "w"), np.array([1.0, 2, 4]))
    np.testing.assert_array_equal(h.jacobian, r)
    np.testing.assert_array_equal(h.null, q)
    np.testing.assert_array_equal(h.effect, np.asarray(r) @ [1, 2, 4])


@pytest.mark.parametrize(
    ("text", "effect", "null", "gradient"),
    [
        ("x / z = 1", 0.5, 1, [1 / 2, -1 / 4]),
        ("exp(x) = 3", np.e, 3, [np.e, 0]),
        ("exp(x) + 1 = 3", np.e + 1, 3, [np.e, 0]),
        ("np.log(z) = log(4)/2", np.log(2), np.log(2), [0, 0.5]),
        ("x*z = z", 0.0, 0, [2, 0]),
        ("1 = z**2", -3, 0, [0, -4]),
        ("sqrt(z^3)", 2**1.5, 0, [0, 1.5 * 2**0.5]),
        ("2**z / -x", -4, 0, [4, -4 * np.log(2)]),
        ("(x + z)**2 / (x*z) = 1, x = 0", 4.5, 1, [3 - 4.5, 3 - 2.25]),
    ],
)
def test_nonlinear_effects_and_gradients(text: str, effect: float, null: float, gradient: list[float]) -> None:
    h = read_hypotheses(text, ("x", "z"), np.array([1.0, 2.0]))
    np.testing.assert_allclose([h.effect[0], h.null[0], *h.jacobian[0]], [effect, null, *gradient], rtol=1e-14)
    assert not h.linear[0]


def test_gradients_against_differences() -> None:
    text = "exp(-x / (2*I(x ** 2))) * sqrt(np.log(x):C(g)[T.b]) + log(x1)**x2 = x"
    h = read_hypotheses(text, NAMES, THETA)

    def value(theta: np.ndarray) -> float:
        return float(read_hypotheses(text, NAMES, theta).effect[0])

    numeric = scipy.optimize.approx_fprime(THETA, value, 1e-7)
    # Forward differences with this step are good to about 1e-6.
    np.testing.assert_allclose(h.jacobian[0], numeric, rtol=1e-5, atol=1e-6)


def test_expressions_keep_their_constants() -> None:
    h = read_expressions(["x + 1", "x / z, z"], ("x", "z"), np.array([1.0, 2.0]))
    assert h.effect.tolist() == [2.0, 0.5, 2.0]
    assert h.null.tolist() == [0, 0, 0]
    assert h.linear.tolist() == [True, False, True]


def test_texts_are_kept_as_written() -> None:
    assert [e.text for e in read_equations(" (x  = z = 0), exp( x )= 2 ", Names(["x", "z"]))] == [
        *("x  = z", "z = 0", "exp( x )= 2")
    ]


def test_a_sum_of_many_coefficients() -> None:
    names = [f"f[T.{i}]" for i in range(200)]
    h = read_hypotheses(" + ".join(names), names, np.ones(200))
    assert h.effect.tolist() == [200.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "incomplete"),
        ("   ", "incomplete"),
        ("x = ", "incomplete"),
        ("= 1", "incomplete"),
        ("x,", "incomplete"),
        ("x = = 1", "incomplete"),
        ("(x = 1", "does not close"),
        ("x = 1)", "did not open"),
        ("x 2", "no arithmetic"),
        ("2 x", "no arithmetic"),
        ("2(x)", "operator is missing"),
        ("x (x1)", "operator is missing"),
        ("x +", "no arithmetic"),
        ("exp(x, x1)", "not one argument"),
        ("exp(x=1)", "not one argument"),
        ("exp()", "not one argument"),
        ("(x = 1) = 2", "no arithmetic"),
        ("x > 1", "equalities"),
        ("x @ 1", "means nothing"),
        ("x; x1", "means nothing"),
        ("1 = 1", "no coefficient"),
        ("3", "no coefficient"),
        ("x - x = 1", "cancel"),
        ("x = 1/0", "not finite"),
        ("x = 1e999", "too large"),
        ("-" * 5000 + "x", "too long"),
    ],
)
def test_text_that_is_no_hypothesis(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        read_hypotheses(text, NAMES, THETA)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C(g)[T.bb] = 0", r"`C\(g\)\[T.bb\]` is not a coefficient; did you mean `C\(g\)\[T.b\]`"),
        ("X = 0", "did you mean `x`"),
        ("x3", "did you mean `x"),
        ("foo(x)", "Functions of coefficients are exp, log, sqrt"),
        ("x:x1 = 0", "`x:x1` is not a coefficient"),
        ("x.y", "`x.y` is not"),
        ("__import__('os').system('true')", "is not a coefficient"),
        ("x.__class__", "is not a coefficient"),
    ],
)
def test_unknown_names(text: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        read_hypotheses(text, NAMES, THETA)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.eye(4), "R has shape"),
        (np.zeros((0, 3)), "R has shape"),
        ({}, "R has shape"),
        ([], "R has shape"),
        ([1, 0], "R has shape"),
        ([[1, 0, 0], [0, 0, 0]], "row 1 of R is zero"),
        ([1, np.nan, 0], "1 values that are not finite"),
        (([1, 0, 0], [1, 2]), "q has 2 values for 1"),
        (([1, 0, 0], 1, 2), "has 2 parts, not 3"),
        (["x = 1", 2], "must be numbers"),
        (None, "not finite"),
        ({"x": 1, "`x`": 2}, "named twice"),
        ("log(z) = 0", "no finite value"),
        ("1 / w", r"`1 / w` has no finite value .*w = 0"),
        ("sqrt(w)", "no finite value"),
        ("gone = 0", "touches `gone`"),
        ("x = 0, gone / x = 1", "touches `gone`"),
        (np.eye(4)[2:], "touches `gone`"),
    ],
)
def test_what_cannot_be_tested(given: Any, message: str) -> None:
    names, theta = ("x", "z", "w"), np.array([1.0, -2, 0])
    if "gone" in message:
        names, theta = (*names, "gone"), np.array([*theta, np.nan])
    with pytest.raises(DataError, match=message):
        read_hypotheses(given, names, theta)


def test_aliased_coefficients_elsewhere_do_no_harm() -> None:
    vcov = np.array([[1.0, np.nan, 0.5], [np.nan] * 3, [0.5, np.nan, 4.0]])
    h = read_hypotheses("x = 0, z = x", ("x", "gone", "z"), np.array([1.0, np.nan, 3.0]))
    np.testing.assert_allclose(h.standard_errors(vcov), [1, 2], rtol=1e-15)


# -- the Wald statistic ---------------------------------------------------------------------------


def random_covariance(k: int, seed: int = 0) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(k, 2 * k))
    return root @ root.T


def test_wald_statistic_is_the_quadratic_form_and_does_not_depend_on_how_it_is_written() -> None:
    names, theta, vcov = ("x", "z", "w"), np.array([1.0, 2, -1]), random_covariance(3)
    r, q = np.array([[1, 1, 0], [0, 2, 1.0]]), np.array([1.0, 2])
    expected = (r @ theta - q) @ np.linalg.solve(r @ vcov @ r.T, r @ theta - q)
    mix = np.array([[2.0, 1], [-1e6, 3]])
    for rows, null in ((r, q), (mix @ r, mix @ q)):
        test = wald_statistic(read_hypotheses((rows, null), names, theta), vcov)
        assert test.chi2 == pytest.approx(expected, rel=1e-12)
        assert (test.rank, test.independent) == (2, 2)


def test_units_of_the_columns_do_not_matter() -> None:
    names, theta, vcov = ("x", "z", "w"), np.array([1.0, 2, -1]), random_covariance(3)
    units = np.array([1e-9, 1.0, 1e7])
    one = wald_statistic(read_hypotheses("x = z, w = 0", names, theta), vcov)
    two = wald_statistic(read_hypotheses("x*1e9 = z, w = 0", names, theta * units), vcov * np.outer(units, units))
    assert two.chi2 == pytest.approx(one.chi2, rel=1e-12)


def test_hypotheses_that_follow_from_others_are_not_counted() -> None:
    names, theta, vcov = ("x", "z", "w"), np.array([1.0, 2, -1]), random_covariance(3)
    alone = wald_statistic(read_hypotheses("x = 0.5, z = 0.5", names, theta), vcov)
    more = wald_statistic(read_hypotheses("x = 0.5, x = z, 3*z = 1.5, x + z = 1", names, theta), vcov)
    assert (more.rank, more.independent) == (2, 2)
    assert more.chi2 == pytest.approx(alone.chi2, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["x = 1, x = 2", "x = z, x = z + 1", "x = 0, z = 0, x + z = 1", "x = 1, 1e-6*x = 2e-6"]
)
def test_hypotheses_that_contradict(text: str) -> None:
    h = read_hypotheses(text, ("x", "z"), np.array([1.0, 3.0]))
    with pytest.raises(DataError, match="contradict each other"):
        wald_statistic(h, random_covariance(2))


def test_a_covariance_of_smaller_rank() -> None:
    vcov = np.outer([1.0, 2, 3], [1.0, 2, 3]) + np.outer([1.0, 0, 1], [1.0, 0, 1])
    test = wald_statistic(read_hypotheses(np.eye(3), ("x", "z", "w"), np.ones(3)), vcov)
    assert (test.rank, test.independent) == (2, 3)


def test_errors_of_zero_or_nan_give_nan() -> None:
    h = read_hypotheses("x = 0", ("x", "z"), np.ones(2))
    assert np.isnan(wald_statistic(h, np.diag([0.0, 1.0])).chi2)
    assert np.isnan(wald_statistic(h, np.full((2, 2), np.nan)).chi2)


# -- multiplicity ---------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [1, 2, 3, 17])
@pytest.mark.parametrize("method", ADJUSTMENTS)
def test_adjusted_pvalues_against_statsmodels(method: str, m: int) -> None:
    for seed in range(5):
        p = np.random.default_rng(seed).beta(0.4, 2, m)
        p[m // 2] = p[0]
        np.testing.assert_allclose(adjust_pvalues(p, method), multipletests(p, method=method)[1], rtol=1e-12)


def test_extreme_pvalues() -> None:
    for method in ADJUSTMENTS:
        assert adjust_pvalues([0.0, 1.0, 1.0], method).tolist() == [0.0, 1.0, 1.0]
    assert adjust_pvalues([1e-30, 0.5], "sidak")[0] == pytest.approx(2e-30, rel=1e-12)


def test_missing_pvalues_do_not_count() -> None:
    np.testing.assert_array_equal(adjust_pvalues([0.01, np.nan, 0.02], "b"), [0.02, np.nan, 0.04])
    assert np.isnan(adjust_pvalues([np.nan], "fdr_bh")).all()


@pytest.mark.parametrize(("p", "method"), [([0.1], "scheffe"), ([1.1], "holm"), ([-0.1], "holm"), ([[0.1]], "holm")])
def test_bad_pvalues(p: Any, method: str) -> None:
    with pytest.raises(ValueError, match=r"not known|between 0 and 1"):
        adjust_pvalues(p, method)


# -- bands ----------------------------------------------------------------------------------------


def test_sup_t_against_closed_forms() -> None:
    alone = critical_value(None, np.eye(1), 0.95, np.inf, 0)
    assert alone == pytest.approx(1.959964, abs=1e-6)
    # One standard deviation of the quantile of 100,000 draws is about 0.007.
    independent = critical_value("sup-t", np.eye(4), 0.95, np.inf, 1)
    sidak = critical_value(None, np.eye(1), 0.95**0.25, np.inf, 0)
    assert independent == pytest.approx(sidak, abs=0.025)
    assert critical_value("sup-t", np.ones((4, 4)), 0.95, np.inf, 1) == pytest.approx(alone, abs=0.025)
    assert critical_value("sup-t", np.ones((4, 4)), 0.95, 5.0, 1) == pytest.approx(2.570582, abs=0.05)


def test_sup_t_lies_between_the_others_and_repeats_with_its_seed() -> None:
    vcov = random_covariance(6)
    correlation = vcov / np.sqrt(np.outer(np.diag(vcov), np.diag(vcov)))
    for df in (8.0, 300.0, np.inf):
        one, again, other = (critical_value("sup-t", correlation, 0.9, df, seed) for seed in (3, 3, 4))
        assert one == again != other
        widths = [critical_value(j, correlation, 0.9, df, 0) for j in (None, "bonferroni", "scheffe")]
        assert widths[0] < one < widths[1] < widths[2]


def test_sup_t_covers_all_coefficients_together() -> None:
    vcov, draw = random_covariance(5), np.random.default_rng(1)
    errors, df = np.sqrt(np.diag(vcov)), 6.0
    estimates = draw.multivariate_normal(np.zeros(5), vcov, 100_000) / np.sqrt(draw.chisquare(df, (100_000, 1)) / df)
    reach = critical_value("sup-t", vcov / np.outer(errors, errors), 0.9, df, 0)
    # Both the quantile and the share have a standard deviation near 0.001.
    assert (np.abs(estimates) < reach * errors).all(axis=1).mean() == pytest.approx(0.9, abs=0.005)


def test_an_unknown_band() -> None:
    with pytest.raises(ValueError, match="'sup-t'"):
        critical_value("tukey", np.eye(2), 0.95, np.inf, 0)
