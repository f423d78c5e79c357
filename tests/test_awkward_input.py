"""Awkward input: an error or a warning that names the column, the rows or the fix; never a plausible number."""

from __future__ import annotations

import datetime
import pickle
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import formula_torch as ft
from formula_torch.errors import (
    CollinearityWarning,
    DataError,
    DesignWarning,
    FormulaError,
    FormulaTorchError,
    UnknownNameError,
)


def close(a, b, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=1e-12)


# -- missing and infinite values --------------------------------------------------------------------


def test_missing_rows_are_counted_by_column(messy) -> None:
    fit = ft.fit("y ~ x + g", messy)
    assert "2 of 60 rows dropped (y: 1, x: 1)." in str(fit)
    assert fit.nobs == 58
    assert (~fit.used).sum() == 2
    assert not fit.used[["r3", "r5"]].any()
    close(fit.params, ft.fit("y ~ x + g", messy.dropna()).params)


def test_na_action_raise(messy) -> None:
    with pytest.raises(DataError, match=r"2 of 60 rows have missing values \(y: 1, x: 1\)"):
        ft.fit("y ~ x", messy, na_action="raise")


def test_missing_category_drops_the_row(messy) -> None:
    messy.loc["r9", "g"] = None
    assert "g: 1" in str(ft.fit("y ~ g", messy))


def test_values_lost_by_a_transform_are_counted_by_term(messy) -> None:
    messy["z"] = messy["z"] - 2
    lost = int((messy["z"] < 0).sum())
    assert f"np.log(z): {lost}" in str(ft.fit("y ~ np.log(z)", messy))


def test_a_row_leaves_for_a_missing_value_not_for_a_missing_ingredient(messy) -> None:
    """As in R: a missing-value indicator keeps its rows."""
    fit = ft.fit("z ~ is.na(x) + ifelse(is.na(x), 0, x)", messy)
    assert fit.nobs == 60
    assert list(fit.params.index) == ["Intercept", "is.na(x)[T.True]", "ifelse(is.na(x), 0, x)"]
    filled = messy.assign(gone=messy["x"].isna().astype(float), x=messy["x"].fillna(0))
    close(fit.params, ft.fit("z ~ gone + x", filled).params)


def test_a_row_that_two_columns_lack_counts_for_both(messy) -> None:
    messy.loc["r3", "y"] = np.nan
    assert "2 of 60 rows dropped (y: 2, x: 1)." in str(ft.fit("y ~ x", messy))


@pytest.mark.parametrize("formula", ["x ~ z", "z ~ x", "z ~ I(x^2)", "z ~ abs(x)"])
def test_infinite_values_name_column_and_row(messy, formula: str) -> None:
    messy.loc["r7", "x"] = -np.inf
    with pytest.raises(DataError, match=r"`.*x.*` is -?inf in row 'r7'"):
        ft.fit(formula, messy)


def test_log_of_zero_is_refused(messy) -> None:
    messy.loc["r7", "z"] = 0.0
    with pytest.raises(DataError, match=r"`log\(z\)` is -inf in row 'r7'"):
        ft.fit("y ~ log(z)", messy)


def test_no_rows_left(messy) -> None:
    with pytest.raises(DataError, match="no rows left: 60 dropped, all because of x"):
        ft.fit("z ~ x", messy.assign(x=np.nan))
    with pytest.raises(DataError, match="no rows"):
        ft.fit("y ~ z", messy.iloc[:0])


# -- rank and size ----------------------------------------------------------------------------------


def test_collinear_column_is_dropped_and_named(messy) -> None:
    messy["twice"] = 2 * messy["z"] + 1
    with pytest.warns(CollinearityWarning, match="`twice` depends on `z`") as caught:
        fit = ft.fit("y ~ z + twice", messy)
    assert caught[0].filename == __file__
    assert np.isnan(fit.params["twice"])
    assert np.isnan(fit.bse["twice"])
    assert np.isnan(fit.cov_params().loc["twice"]).all()
    assert fit.df_model == 1
    assert "Dropped as exactly collinear: `twice`" in str(fit)
    plain = ft.fit("y ~ z", messy)
    close(fit.params[["Intercept", "z"]], plain.params)
    close(fit.predict(messy), plain.predict(messy))


def test_the_later_column_goes(messy) -> None:
    messy["sum"] = messy["z"] + messy["k"]
    with pytest.warns(CollinearityWarning, match="`k` depends on `z`, `sum`"):
        fit = ft.fit("y ~ z + sum + k", messy)
    assert fit.params.isna().tolist() == [False, False, False, True]


def test_dependency_between_columns_of_unequal_size(messy) -> None:
    """The difference of two large columns is exact to their rounding only."""
    large = messy.assign(x1=1e5 * messy["z"], x2=1e5 * messy["z"] + messy["k"])
    with pytest.warns(CollinearityWarning, match="`k` depends on"):
        ft.fit("y ~ x1 + x2 + k", large)


def test_nearly_collinear_columns_are_kept_with_a_warning(messy) -> None:
    messy["near"] = messy["z"] + 1e-9 * messy["k"]
    with pytest.warns(CollinearityWarning, match=r"nearly dependent \(condition number .*`near`"):
        fit = ft.fit("y ~ z + near", messy)
    assert np.isfinite(fit.params).all()


@pytest.mark.parametrize("unit", [1e-150, 1e-12, 1e-3, 1e5, 1e12, 1e150])
def test_units_of_x_never_matter(messy, unit: float) -> None:
    plain = ft.fit("y ~ z + I(z^2) + k", messy)
    scaled = ft.fit("y ~ z + I(z^2) + k", messy.assign(z=messy["z"] * unit)) if abs(np.log10(unit)) < 100 else None
    if scaled is not None:
        close(scaled.tvalues, plain.tvalues, 1e-8)
    linear = ft.fit("y ~ z + k", messy)
    close(ft.fit("y ~ z + k", messy.assign(z=messy["z"] * unit)).tvalues, linear.tvalues)
    close(ft.fit("y ~ z + k", messy.assign(y=messy["y"] * unit)).tvalues, linear.tvalues)


def test_calendar_years_to_the_third_power() -> None:
    """The same curve as orthogonal polynomials, where statsmodels has no digit right."""
    draw = np.random.default_rng(0)
    year = np.repeat(np.arange(2000.0, 2020.0), 5)
    data = pd.DataFrame({"year": year, "y": np.sin((year - 2000) / 5) + draw.normal(size=100)})
    with pytest.warns(CollinearityWarning, match="poly"):
        raw = ft.fit("y ~ year + I(year^2) + I(year^3)", data)
    smooth = ft.fit("y ~ poly(year, 3)", data)
    assert raw.rsquared == pytest.approx(smooth.rsquared, rel=1e-12)
    close(raw.tvalues["I(year ** 3)"], smooth.tvalues["poly(year, 3)[3]"], 1e-9)


def test_constant_response(messy) -> None:
    fit = ft.fit("y ~ x", messy.assign(y=0.1))
    assert np.isnan(fit.rsquared)
    assert np.isnan(fit.fvalue)
    assert "response is constant" in str(fit)


def test_perfect_fit(messy) -> None:
    fit = ft.fit("y ~ x + z", messy.assign(y=1 + 2 * messy["x"] - messy["z"] / 3))
    assert fit.rsquared == 1
    assert fit.tvalues.isna().all()
    assert fit.pvalues.isna().all()
    close(fit.params, [1, 2, -1 / 3])
    assert "perfect" in str(fit)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_no_degrees_of_freedom(rows: int) -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0], "x": [0.0, 1.0, 2.0], "z": [1.0, 0.0, 5.0]}).iloc[:rows]
    with pytest.warns(DesignWarning, match="leave no degrees of freedom") as caught:
        fit = ft.fit("y ~ x + z", data)
    assert len(caught) == 1
    assert fit.bse.isna().all()
    close(fit.fittedvalues, data["y"])
    assert "No degrees of freedom" in str(fit)


# -- factors ----------------------------------------------------------------------------------------


def test_single_level_factor_is_dropped_with_a_warning(messy) -> None:
    with pytest.warns(DesignWarning, match="`g` has a single level"):
        fit = ft.fit("y ~ z + g", messy.assign(g="a"))
    assert list(fit.params.index) == ["Intercept", "z"]


def test_unused_levels_are_ignored(messy) -> None:
    wide = messy.assign(g=pd.Categorical(messy["g"], categories=["zz", "c", "b", "a"]))
    assert list(ft.fit("y ~ g", wide).params.index) == ["Intercept", "g[T.b]", "g[T.a]"]


def test_level_that_only_dropped_rows_have(messy) -> None:
    messy.loc["r3", "g"] = "rare"
    assert "g[T.rare]" not in ft.fit("y ~ x + g", messy).params


def test_numbers_stored_as_text_stay_a_factor_with_a_hint(messy) -> None:
    fit = ft.fit("y ~ k", messy.assign(k=messy["k"].astype(str)))
    assert list(fit.params.index) == ["Intercept", "k[T.1]", "k[T.2]", "k[T.3]"]
    assert "`k` holds numbers stored as text" in str(fit)


# -- types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["Int64", "Float64", "int8", "uint16", "float32", "int64[pyarrow]", "double[pyarrow]"]
)
def test_numeric_types_are_plain_numbers(messy, dtype: str) -> None:
    expected = ft.fit("y ~ k + I(k^2)", messy)
    close(ft.fit("y ~ k + I(k^2)", messy.assign(k=messy["k"].astype(dtype))).params, expected.params)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]"])
def test_nullable_types_with_missing_values(messy, dtype: str) -> None:
    messy["k"] = messy["k"].astype(dtype)
    messy.loc["r1", "k"] = pd.NA
    fit = ft.fit("z ~ k", messy)
    assert fit.nobs == 59
    assert "k: 1" in str(fit)


@pytest.mark.parametrize(
    "dtype", [object, "str", "string[python]", "string[pyarrow]", "category", pd.ArrowDtype(pa.string())]
)
def test_text_types_are_factors(messy, dtype) -> None:
    fit = ft.fit("y ~ g", messy.assign(g=messy["g"].astype(dtype)))
    close(fit.params, ft.fit("y ~ g", messy).params)
    assert list(fit.params.index) == ["Intercept", "g[T.b]", "g[T.c]"]


@pytest.mark.parametrize("dtype", [bool, "boolean", object, "bool[pyarrow]"])
def test_booleans_are_factors(messy, dtype) -> None:
    fit = ft.fit("y ~ b", messy.assign(b=messy["b"].astype(dtype)))
    assert list(fit.params.index) == ["Intercept", "b[T.True]"]
    close(fit.params, ft.fit("y ~ I(1 * b)", messy).params)


def test_integer_powers_do_not_wrap_around(messy) -> None:
    small = messy.assign(k=(messy["k"] * 40).astype("int8"))
    close(ft.fit("y ~ I(k**3)", small).params, ft.fit("y ~ I(k**3)", messy.assign(k=messy["k"] * 40.0)).params)


def test_decimals_are_numbers(messy) -> None:
    exact = messy.assign(z=[Decimal(str(round(v, 3))) for v in messy["z"]])
    close(ft.fit("y ~ z", exact).params, ft.fit("y ~ z", messy.assign(z=messy["z"].round(3))).params)


def test_dates_are_refused_with_the_way_out(messy) -> None:
    messy["day"] = pd.date_range("2020-01-01", periods=60)
    with pytest.raises(DataError, match=r"`day` holds dates; .*dt\.year"):
        ft.fit("y ~ day", messy)
    messy["day"] = [datetime.date(2020, 1, 1) + datetime.timedelta(i) for i in range(60)]
    with pytest.raises(FormulaTorchError, match="day"):
        ft.fit("y ~ I(day + 1)", messy)


def test_the_same_numbers_from_every_library(messy) -> None:
    plain = messy.reset_index(drop=True)
    expected = ft.fit("y ~ x * g + b", plain).params
    for data in (pl.from_pandas(plain), pa.Table.from_pandas(plain), {c: plain[c].tolist() for c in plain}):
        fit = ft.fit("y ~ x * g + b", data)
        pd.testing.assert_series_equal(fit.params, expected, rtol=1e-12)
        assert fit.nobs == 58


def test_polars_categories() -> None:
    data = pl.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "g": ["b", "a", None, "b"]})
    cast = data.with_columns(pl.col("g").cast(pl.Enum(["b", "a"])))
    assert list(ft.fit("y ~ g", cast).params.index) == ["Intercept", "g[T.a]"]
    cast = data.with_columns(pl.col("g").cast(pl.Categorical))
    assert list(ft.fit("y ~ g", cast).params.index) == ["Intercept", "g[T.b]"]


def test_lazy_tables_and_other_things_are_refused() -> None:
    with pytest.raises(DataError, match="collect"):
        ft.fit("y ~ x", pl.LazyFrame({"y": [1.0], "x": [1.0]}))
    with pytest.raises(DataError, match="not a table"):
        ft.fit("y ~ x", [1, 2, 3])
    with pytest.raises(DataError, match="different lengths"):
        ft.fit("y ~ x", {"y": [1.0, 2.0], "x": [1.0]})


# -- names ------------------------------------------------------------------------------------------


def test_any_column_name_in_backticks(messy) -> None:
    odd = messy.rename(columns={"x": "my var", "z": "a.b", "k": "class", "y": "größe"})
    fit = ft.fit("größe ~ `my var` + a.b + log(a.b) + class + I(`my var`^2)", odd)
    expected = ft.fit("y ~ x + z + log(z) + k + I(x^2)", messy)
    close(fit.params, expected.params)
    assert list(fit.params.index[:5]) == ["Intercept", "my var", "a.b", "log(a.b)", "class"]
    close(fit.predict(odd), expected.predict(messy))
    close(ft.fit('größe ~ Q("my var")', odd).params, ft.fit("y ~ x", messy).params)


def test_duplicate_columns_are_an_error_only_where_used(messy) -> None:
    twice = pd.concat([messy, messy[["x"]]], axis=1)
    with pytest.raises(DataError, match="several columns named `x`"):
        ft.fit("y ~ x", twice)
    close(ft.fit("y ~ z", twice).params, ft.fit("y ~ z", messy).params)


def test_duplicate_index(messy) -> None:
    close(ft.fit("y ~ x", messy.set_index(messy["g"])).params, ft.fit("y ~ x", messy).params)


def test_unknown_names_get_a_suggestion(visits) -> None:
    with pytest.raises(UnknownNameError, match="`agee` is not a column of the data; did you mean `age`"):
        ft.fit("drvisits ~ agee", visits)
    with pytest.raises(UnknownNameError, match=r"lgo\(\.\.\.\) is not a function .*did you mean `log`"):
        ft.fit("drvisits ~ lgo(age)", visits)


def test_a_callers_variable_never_stands_in_for_a_column(visits) -> None:
    income = np.arange(len(visits))  # noqa: F841 - the point of the test
    with pytest.raises(UnknownNameError, match="income"):
        ft.fit("drvisits ~ income", visits)


@pytest.mark.parametrize(
    "term",
    [
        "__import__('os').getpid()",
        "{__import__('os').getpid()}",
        "I(x.__class__)",
        "I((lambda: 1)())",
        "eval('1')",
        "open('f')",
        "np.load('f')",
        "np.ctypeslib.ctypes(1)",
        "I([v for v in x])",
        "x[0]",
        "I(x[0])",
        "I(f'{x}')",
        "getattr(x, 'y')",
    ],
)
def test_a_formula_cannot_run_code(messy, term: str) -> None:
    with pytest.raises(FormulaError):
        ft.fit(f"y ~ {term}", messy)


def test_response_on_both_sides(messy) -> None:
    with pytest.raises(FormulaError, match="both sides"):
        ft.fit("y ~ x + y", messy)


def test_categorical_response(messy) -> None:
    with pytest.raises(FormulaError, match="response `g` holds categories"):
        ft.fit("g ~ x", messy)


@pytest.mark.parametrize("call", ["np.log(x - x.min())", "I(x - mean(x))", "np.mean(x)"])
def test_reductions_inside_a_term_are_refused(messy, call: str) -> None:
    with pytest.raises(FormulaError, match="center"):
        ft.fit(f"y ~ {call}", messy)


def test_lags_are_refused(messy) -> None:
    with pytest.raises(FormulaError, match="rows have no order"):
        ft.fit("y ~ lag(x)", messy)


# -- weights ----------------------------------------------------------------------------------------


def test_zero_weights_leave_the_sample(messy) -> None:
    weights = np.where(np.arange(60) < 10, 0.0, 2.0)
    fit = ft.fit("y ~ x", messy, weights=weights)
    close(fit.bse, ft.fit("y ~ x", messy.iloc[10:]).bse)
    assert fit.nobs == 50
    assert "8 rows with zero weight" in str(fit)


@pytest.mark.parametrize(("bad", "what"), [(-1.0, "negative"), (np.inf, "infinite")])
def test_impossible_weights(messy, bad: float, what: str) -> None:
    weights = np.ones(60)
    weights[4] = bad
    with pytest.raises(DataError, match=f"weights are {what} in 1 rows, first in row 'r4'"):
        ft.fit("y ~ z", messy, weights=weights)


def test_missing_weights_drop_their_rows(messy) -> None:
    weights = pd.Series(1.0, index=messy.index)
    weights.iloc[[0, 3]] = np.nan
    fit = ft.fit("y ~ x", messy, weights=weights)
    assert fit.nobs == 57
    assert "weights: 2" in str(fit)


def test_row_arguments_must_match_the_data(messy) -> None:
    with pytest.raises(DataError, match="weights has shape"):
        ft.fit("y ~ x", messy, weights=np.ones(59))
    with pytest.raises(DataError, match="index is not that of the data"):
        ft.fit("y ~ x", messy, weights=pd.Series(1.0, index=messy.index[::-1]))


# -- prediction -------------------------------------------------------------------------------------


def test_unseen_level(messy) -> None:
    fit = ft.fit("z ~ g * k", messy)
    new = pd.DataFrame({"g": ["a", "new"], "k": [1, 1]})
    with pytest.raises(DataError, match=r"levels that were not in the data .*: new"):
        fit.predict(new)
    assert fit.predict(new, unseen="nan").isna().tolist() == [False, True]


def test_missing_values_stay_missing(messy) -> None:
    fit = ft.fit("z ~ poly(x, 2) + g", messy)
    new = pd.DataFrame({"x": [0.0, np.nan, 1.0], "g": ["a", "b", None]}, index=list("pqr"))
    assert fit.predict(new).isna().to_dict() == {"p": False, "q": True, "r": True}


def test_missing_column(messy) -> None:
    with pytest.raises(UnknownNameError, match="`x`"):
        ft.fit("z ~ x", messy).predict(pd.DataFrame({"z": [1.0]}))


def test_beyond_the_knots(messy) -> None:
    with pytest.raises(FormulaError, match="extrapolation"):
        ft.fit("y ~ bs(z, df=4)", messy).predict({"z": [100.0]})
    with pytest.raises(FormulaError, match="extrapolation"):
        ft.fit("y ~ cr(z, df=3) - 1", messy).predict({"z": [100.0]})
    assert np.isfinite(ft.fit("y ~ ns(z, df=3)", messy).predict({"z": [100.0]})).all()


# -- the user's data --------------------------------------------------------------------------------


def test_the_users_frame_is_not_changed(messy) -> None:
    before = messy.copy(deep=True)
    ft.fit("y ~ scale(x) + g", messy).summary()
    pd.testing.assert_frame_equal(messy, before)


def test_changes_after_the_fit_have_no_effect(messy) -> None:
    fit = ft.fit("y ~ z", messy)
    resid = fit.resid
    messy["z"] = 0.0
    messy.iloc[:, 0] = 1e6
    close(fit.resid, resid)


def test_changed_arrays_are_noticed(messy) -> None:
    data = {"y": messy["y"].to_numpy().copy(), "z": messy["z"].to_numpy().copy()}
    fit = ft.fit("y ~ z", data)
    assert fit.resid.notna().all()
    data["z"][0] = 99.0
    with pytest.raises(DataError, match="changed since"):
        _ = fit.resid


def test_a_result_pickles_small_without_data(visits) -> None:
    formula = "drvisits ~ private + medicaid + poly(age, 2) + educ + actlim + chronic + I(educ > 12)"
    fit = ft.fit(formula, visits)
    text = pickle.dumps(fit)
    assert len(text) < 50_000
    again = pickle.loads(text)
    assert str(again) == str(fit)
    close(again.predict(visits.head()), fit.predict(visits.head()))
    with pytest.raises(ft.errors.DataRemovedError, match=r"augment\(data\)"):
        _ = again.resid
    close(again.augment(visits)["resid"], fit.resid)


def test_repeated_runs_are_bitwise_equal(visits) -> None:
    runs = [ft.fit("drvisits ~ age * educ + C(chronic)", visits).params.to_numpy() for _ in range(2)]
    assert (runs[0] == runs[1]).all()


def test_fits_in_threads_are_equal(visits) -> None:
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda _: ft.fit("drvisits ~ poly(age, 2) * educ + C(chronic)", visits), range(8)))
    for fit in fits[1:]:
        close(fit.params, fits[0].params, 1e-12)
        close(fit.bse, fits[0].bse, 1e-12)


@pytest.mark.parametrize("argument", ["engine", "device", "na_action", "weights_type"])
def test_unknown_spellings_list_the_known_ones(visits, argument: str) -> None:
    with pytest.raises(ValueError, match=r"use one of '|use 'auto'"):
        ft.fit("drvisits ~ age", visits, **{argument: "no such"})


def test_a_factor_too_large_for_dense_algebra_is_refused_by_size() -> None:
    n = 40_000
    data = pd.DataFrame({"y": np.arange(n) % 7.0, "x": np.arange(n) % 11.0, "g": np.arange(n) // 2})
    with pytest.raises(DataError, match=r"40,000 x 40,000 would take 11.9 GiB; merge rare levels"):
        ft.fit("y ~ C(g) * x", data)
