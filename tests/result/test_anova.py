"""Anova tables against R (tests/reference/anova/anova.R) and statsmodels, on unbalanced and aliased designs."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, InferenceWarning

REFERENCE = Path(__file__).parents[1] / "reference" / "anova"
RECORDS = json.loads((REFERENCE / "anova.json").read_text())
TOLERANCE = 1e-8


@cache
def frame(name):
    return pd.read_csv(REFERENCE / f"{name}.csv")


def fitted(record, formula, **options):
    data = frame(record["data"])
    if record.get("offset"):
        options["offset"] = record["offset"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)
        return ft.fit(formula, data, weights=record["weights"], **options)


def values(table):
    return np.array(table["values"], dtype=float)


def label(record):
    return f"{record['data']}: {record.get('formula') or record['formulas'][-1]}{' weighted' * bool(record['weights'])}"


# -- R --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", RECORDS["cases"], ids=label)
def test_terms_as_r(record) -> None:
    fit = fitted(record, record["formula"])
    for typ, expected in record["tables"].items():
        table = fit.anova(typ=int(typ), style="R")
        assert list(table.columns) == expected["columns"]
        assert len(table) == len(expected["rows"])
        if "Sum" not in record["formula"] and "I(" not in record["formula"]:
            assert list(table.index) == [row.strip() for row in expected["rows"]]
        np.testing.assert_allclose(table, values(expected), rtol=TOLERANCE, atol=1e-10)


@pytest.mark.parametrize("record", [r for r in RECORDS["cases"] if r["robust"]], ids=label)
def test_robust_terms_as_car(record) -> None:
    fit = fitted(record, record["formula"])
    for key, expected in record["robust"].items():
        vcov, typ = key.split()
        table = fit.anova(typ=int(typ), vcov=vcov, style="R")
        assert list(table.columns) == expected["columns"]
        np.testing.assert_allclose(table, values(expected), rtol=TOLERANCE, atol=1e-10)
        pd.testing.assert_frame_equal(table, fit.with_vcov(vcov).anova(typ=int(typ), style="R"))


@pytest.mark.parametrize("record", RECORDS["cases"], ids=label)
def test_last_terms_as_drop1(record) -> None:
    """drop1 leaves out the terms that no other contains, as type 2 tests them."""
    fit = fitted(record, record["formula"])
    table = fit.anova(typ=2, style="R").set_axis(range(len(fit.anova(typ=2))))
    expected = values(record["drop1"])[1:]
    sums = {round(row[1], 6): row for row in expected if row[0]}
    found = {round(row["Sum Sq"], 6): row for _, row in table.iterrows() if row["Df"]}
    for size, row in sums.items():
        np.testing.assert_allclose(
            found[size][["Df", "Sum Sq", "F value", "Pr(>F)"]], row[[0, 1, 4, 5]], rtol=TOLERANCE
        )


@pytest.mark.parametrize("record", RECORDS["models"], ids=label)
def test_models_as_r(record) -> None:
    fits = [fitted(record, formula) for formula in record["formulas"]]
    table = ft.anova(*fits, style="R")
    assert list(table.columns) == record["table"]["columns"]
    assert [str(i) for i in table.index] == record["table"]["rows"]
    ours = table.to_numpy(copy=True)
    ours[0, 2] = np.nan  # R's blank is statsmodels' zero
    np.testing.assert_allclose(ours, values(record["table"]), rtol=TOLERANCE, atol=1e-10)


@pytest.mark.parametrize("record", RECORDS["models"], ids=label)
def test_robust_models_as_waldtest(record) -> None:
    fits = [fitted(record, formula) for formula in record["formulas"]]
    for kind, expected in record["robust"].items():
        table = ft.anova(*fits, vcov=kind, style="R")
        assert list(table.columns) == ["Res.Df", "Df", "F", "Pr(>F)"]
        np.testing.assert_allclose(table.iloc[1:, 1:], expected, rtol=TOLERANCE, atol=1e-10)


def test_a_fixed_coefficient_is_a_restriction() -> None:
    cars = frame("mtcars")
    small = ft.fit("mpg ~ wt + offset(-0.03 * hp)", cars)
    large = ft.fit("mpg ~ wt + hp", cars)
    table = ft.anova(small, large, style="R").to_numpy()[1]
    np.testing.assert_allclose(table, values(RECORDS["fixed"])[1], rtol=TOLERANCE)
    wald = ft.anova(small, large, vcov="HC1").iloc[1]
    assert wald["F"] == pytest.approx(large.with_vcov("HC1").f_test("hp = -0.03").fvalue, rel=TOLERANCE)


# -- statsmodels ----------------------------------------------------------------------------------

STATSMODELS = [
    ("warpbreaks", "breaks ~ C(wool) * C(tension)", None),
    ("warpbreaks", "breaks ~ C(wool, Sum) * C(tension, Sum)", None),
    ("mtcars", "mpg ~ C(cyl) + hp + wt", None),
    ("mtcars", "mpg ~ C(cyl) * wt + hp", "qsec"),
    ("npk", "Q('yield') ~ N * P", None),
    ("genotype", "Wt ~ Litter * Mother", None),
]


@pytest.mark.parametrize(("data", "formula", "weights"), STATSMODELS)
@pytest.mark.parametrize("typ", [1, 2, 3])
def test_terms_as_statsmodels(data, formula, weights, typ) -> None:
    table, column = frame(data), None if weights is None else frame(data)[weights]
    theirs = smf.ols(formula, table).fit() if weights is None else smf.wls(formula, table, weights=column).fit()
    expected = anova_lm(theirs, typ=typ)
    ours = ft.fit(formula, table, weights=weights).anova(typ=typ)
    assert list(ours.columns) == list(expected.columns)
    assert set(ours.index) == set(expected.index)
    if typ == 1 and weights is None and list(ours.index) != list(expected.index):
        return  # patsy moves numeric terms last, which are other sequential sums
    if typ > 1 or (weights is None and list(ours.index) == list(expected.index)):
        np.testing.assert_allclose(ours, expected.loc[ours.index], rtol=TOLERANCE, atol=1e-10)


@pytest.mark.parametrize("kind", ["hc0", "hc1", "hc2", "hc3"])
@pytest.mark.parametrize("typ", [2, 3])
def test_robust_terms_as_statsmodels(kind, typ) -> None:
    formula = "breaks ~ C(wool, Sum) * C(tension, Sum)"
    expected = anova_lm(smf.ols(formula, frame("warpbreaks")).fit(), typ=typ, robust=kind)
    ours = ft.anova(ft.fit(formula, frame("warpbreaks"), vcov=kind.upper()), typ=typ)
    assert list(ours.columns) == list(expected.columns)
    assert list(ours.index) == list(expected.index)
    np.testing.assert_allclose(ours, expected, rtol=TOLERANCE, atol=1e-10)


def test_models_as_statsmodels() -> None:
    formulas = ["mpg ~ wt", "mpg ~ wt + hp"]
    expected = anova_lm(*(smf.ols(f, frame("mtcars")).fit() for f in formulas))
    ours = ft.anova(*(ft.fit(f, frame("mtcars")) for f in formulas))
    pd.testing.assert_frame_equal(ours, expected, rtol=TOLERANCE, check_index_type=False)


# -- what must hold -------------------------------------------------------------------------------


@pytest.mark.parametrize("typ", [1, 2, 3])
def test_sums_of_squares_are_differences_of_fits(typ) -> None:
    """Type 1 by fitting the terms one after another, on a calendar year, whose square is nearly itself."""
    draw = np.random.default_rng(3)
    data = pd.DataFrame({"year": np.repeat(np.arange(1990, 2020), 4), "g": draw.choice(list("abc"), 120)})
    data["y"] = np.sin(data["year"] / 5) + (data["g"] == "b") + draw.normal(size=120)
    full = ft.fit("y ~ C(g) + year + I(year^2)", data)
    smaller = {1: "y ~ C(g)", 2: "y ~ C(g) + I(year^2)", 3: "y ~ C(g) + I(year^2)"}[typ]
    larger = "y ~ C(g) + year" if typ == 1 else "y ~ C(g) + year + I(year^2)"
    reduction = ft.fit(smaller, data).ssr - ft.fit(larger, data).ssr
    # The reference is a difference of sums 1,000 times as large.
    assert full.anova(typ=typ).loc["year", "sum_sq"] == pytest.approx(reduction, rel=1e-7)


def test_sequential_sums_add_up_and_are_the_squares_of_an_orthogonal_design() -> None:
    fit = ft.fit("len ~ supp * factor(dose)", frame("toothgrowth"))
    assert fit.anova()["sum_sq"].sum() == pytest.approx(fit.centered_tss, rel=1e-12)
    balanced = frame("toothgrowth").groupby(["supp", "dose"]).head(7)
    table = ft.fit("len ~ C(supp, Sum) * C(dose, Sum)", balanced)
    np.testing.assert_allclose(
        table.anova(typ=1).iloc[:3]["sum_sq"], table.anova(typ=3).iloc[1:4]["sum_sq"], rtol=1e-10
    )


def test_sequential_wald_tests_add_up() -> None:
    """Under any covariance the sequential statistics of the slopes sum to their joint Wald statistic."""
    fit = ft.fit("breaks ~ wool * tension", frame("warpbreaks"), vcov="HC1")
    table = fit.anova()
    joint = fit.wald_test(np.eye(6)[1:], use_f=False).statistic
    assert (table["F"] * table["df"]).sum() == pytest.approx(joint, rel=1e-10)


def test_units_do_not_matter() -> None:
    cars = frame("mtcars")
    base = ft.fit("mpg ~ wt * factor(cyl) + hp", cars)
    other = ft.fit("mpg ~ wt * factor(cyl) + hp", cars.assign(wt=2000 + cars["wt"], hp=1e60 * cars["hp"]))
    np.testing.assert_allclose(base.anova(typ=2)["sum_sq"], other.anova(typ=2)["sum_sq"], rtol=1e-8)


def test_the_constant_counts_for_type_3() -> None:
    fit = ft.fit("mpg ~ wt", frame("mtcars"))
    table = fit.anova(typ="III")
    np.testing.assert_allclose(table["F"][:2], fit.tvalues**2, rtol=1e-10)
    assert list(fit.anova(typ=3, style="R").index) == ["(Intercept)", "wt", "Residuals"]


def test_clusters_set_the_degrees_of_freedom() -> None:
    fit = ft.fit("mpg ~ wt + C(carb)", frame("mtcars"), vcov={"cluster": "gear"})
    with pytest.warns(InferenceWarning, match=r"\(cluster\) has too small a rank to test .*`C\(carb\)`") as caught:
        table = fit.anova(typ=2)
    assert caught[0].filename == __file__
    assert np.isnan(table.loc["C(carb)", "F"])
    wide = ft.fit("mpg ~ wt + hp", frame("mtcars"), vcov={"cluster": "carb"})
    assert wide.anova(typ=2).loc["wt", "PR(>F)"] == pytest.approx(wide.pvalues["wt"], rel=1e-10)


def test_a_perfect_fit_has_no_tests() -> None:
    data = pd.DataFrame({"x": np.arange(8.0), "y": 2 * np.arange(8.0), "z": np.arange(8) % 3})
    table = ft.fit("y ~ x + z", data).anova()
    assert table["F"].isna().all()
    assert table.loc["x", "sum_sq"] == pytest.approx(168, rel=1e-12)


def test_an_aliased_term_has_no_test() -> None:
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("mpg ~ wt + I(2 * wt) + hp", frame("mtcars"))
    table = fit.anova()
    assert table.loc["I(2 * wt)", "df"] == 0
    assert np.isnan(table.loc["I(2 * wt)", "F"])
    assert fit.anova(typ=2).loc["wt", "df"] == 0
    assert "I(2 * wt)" not in fit.anova(style="R").index
    robust = fit.with_vcov("HC1")
    assert robust.anova(typ=2).loc["hp", "F"] == pytest.approx(robust.tvalues["hp"] ** 2, rel=1e-10)
    assert np.isnan(robust.anova(typ=2).loc["wt", "F"])
    with pytest.warns(CollinearityWarning):
        confounded = ft.fit("yield ~ factor(block) + N * P * K", frame("npk"), vcov="HC1")
    assert confounded.anova().loc["N:P:K", "df"] == 0
    with pytest.raises(DataError, match=r"`factor\(block\)` cannot be tested under a robust covariance"):
        confounded.anova(typ=2)


def test_life_without_rows() -> None:
    fit = ft.fit("breaks ~ wool * tension", frame("warpbreaks"))
    pd.testing.assert_frame_equal(fit.remove_data().anova(typ=2), fit.anova(typ=2))
    small = ft.fit("breaks ~ wool", frame("warpbreaks"))
    pd.testing.assert_frame_equal(ft.anova(small.remove_data(), fit.remove_data()), ft.anova(small, fit))
    with pytest.raises(DataRemovedError, match=r"cannot be told without their rows"):
        ft.anova(ft.fit("breaks ~ I(wool == 'A')", frame("warpbreaks")).remove_data(), fit)


# -- what cannot be compared ----------------------------------------------------------------------


def test_models_that_cannot_be_compared() -> None:
    cars = frame("mtcars")
    base = ft.fit("mpg ~ wt", cars)
    holes = cars.assign(hp=cars["hp"].where(cars["hp"] > 100))
    with pytest.raises(DataError, match=r"model 1 has 32 .* model 2 23 .*hp: 9.*complete in `mpg`, `wt`, `hp`"):
        ft.anova(base, ft.fit("mpg ~ wt + hp", holes))
    with pytest.raises(DataError, match="different response"):
        ft.anova(base, ft.fit("log(mpg) ~ wt + hp", cars))
    with pytest.raises(DataError, match="different rows"):
        ft.anova(base, ft.fit("mpg ~ wt + hp", cars.iloc[::-1]))
    with pytest.raises(DataError, match="different rows"):
        ft.anova(base, ft.fit("mpg ~ wt + hp", cars, weights="qsec"))
    with pytest.raises(DataError, match="not nested"):
        ft.anova(base, ft.fit("mpg ~ hp + qsec", cars))
    with pytest.raises(DataError, match="smallest to the largest"):
        ft.anova(ft.fit("mpg ~ wt + hp", cars), base)
    with pytest.raises(DataError, match="same number of coefficients"):
        ft.anova(base, ft.fit("mpg ~ hp", cars))


def test_nesting_is_of_spans() -> None:
    cars = frame("mtcars")
    large = ft.fit("mpg ~ 0 + factor(cyl) + poly(hp, 3)", cars)
    np.testing.assert_allclose(
        ft.anova(ft.fit("mpg ~ hp + I(hp^2)", cars), large),
        ft.anova(ft.fit("mpg ~ poly(hp, 2)", cars), large),
        rtol=1e-9,
    )
    with pytest.raises(DataError, match="not nested"):
        ft.anova(ft.fit("mpg ~ log(hp)", cars), large)


def test_spellings() -> None:
    fit = ft.fit("mpg ~ wt", frame("mtcars"))
    with pytest.raises(ValueError, match="use 1, 2 or 3"):
        fit.anova(typ=4)
    with pytest.raises(ValueError, match="'statsmodels', 'R'"):
        fit.anova(style="SAS")
    with pytest.raises(ValueError, match="for one model"):
        fit.anova(ft.fit("mpg ~ wt + hp", frame("mtcars")), typ=2)
    with pytest.raises(TypeError, match=r"anova\(smaller, larger\)"):
        ft.anova("mpg ~ wt")
