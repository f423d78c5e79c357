"""What a hostile user found: each was once a silent wrong number, a raw Python error, or a change of the data."""

from __future__ import annotations

import datetime
import pickle
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import statsmodels.formula.api as smf

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DesignWarning, FormulaError, FormulaTorchError


@pytest.fixture
def data() -> pd.DataFrame:
    draw = np.random.default_rng(12)
    n = 60
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "k": draw.integers(0, 5, n),
            "g": draw.choice(["a", "b", "c"], n),
            "h": draw.choice(["p", "q"], n),
        }
    )
    return frame.assign(y=1 + 2 * frame["x"] + draw.normal(size=n))


def params(formula: str, data, **options) -> np.ndarray:
    return ft.fit(formula, data, **options).params.to_numpy()


def close(a, b, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=1e-12)


# -- the whitelist ----------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["maximum(x, z, kd)", "sqrt(z, kd)", "log10(z, 2)", "np.exp(x, dtype='f4')"])
def test_functions_take_their_inputs_only(data, call: str) -> None:
    """A ufunc's third argument is its output: it would overwrite a column."""
    data["kd"] = [Decimal(int(v)) for v in data["k"]]
    with pytest.raises(FormulaError, match="arguments that it does not take"):
        ft.fit(f"y ~ {call} + kd", data)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ (x + z + k + g)^12",
        "y ~ (x + z)^1000000000",
    ],
)
def test_powers_of_sums_end(data, formula: str) -> None:
    terms = formula.split("(")[1].split(")")[0].count("+") + 1
    close(params(formula, data), params(formula.split("^")[0] + f"^{terms}", data))


def test_too_many_products_are_refused(data) -> None:
    wide = data.assign(**{f"v{i}": data["x"] ** i for i in range(10)})
    with pytest.raises(FormulaError, match="too many products"):
        ft.fit("y ~ (" + " + ".join(f"v{i}" for i in range(10)) + ")^9", wide)


@pytest.mark.parametrize("term", ["I(" + "+".join(["x"] * 3000) + ")", "I(" + "-" * 5000 + "x)"])
def test_deep_nesting_is_refused(data, term: str) -> None:
    with pytest.raises(FormulaError, match="nested too deeply"):
        ft.fit(f"y ~ {term}", data)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("bs(x, df=100000)", "more columns than the data have rows"),
        ("cut(x, 10**8)", "at most as many as rows"),
        ("ns(x, knots=c(-100, 0))", "inside the range"),
        ("C(g, [])", "not a contrast"),
        ("I(5 > 3)", "no value for each row"),
        ("I(k == '1')", "leave out the quotes"),
        ("I(k %in% z)", "a list of values"),
        ("I(x if z else y)", "no operator between"),
        ("I(x * 2 3)", "no operator between"),
        ("I(x[0])", r"`x\[0\]`"),
        ("I(y)", "both sides"),
        ("Q('y')", "both sides"),
        ("`log(z)` + log(z)", "is a column and a call"),
    ],
)
def test_messages(data, term: str, message: str) -> None:
    with pytest.raises(FormulaTorchError, match=message):
        ft.fit(f"y ~ {term}", data.assign(**{"log(z)": data["x"]}))


def test_columns_that_would_share_a_name(data) -> None:
    with pytest.raises(FormulaError, match="several columns would be named `Intercept`"):
        ft.fit("y ~ Intercept", data.assign(Intercept=data["x"]))


def test_removed_terms_do_not_bind(data) -> None:
    data.loc[3, "x"] = np.nan
    fit = ft.fit("y ~ z + x - x", data)
    assert fit.nobs == 60
    assert np.isfinite(fit.predict({"z": [1.0]})).all()


# -- types ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int64", "uint64", "polars", "object"])
def test_large_identifiers_stay_apart(data, kind: str) -> None:
    ids = [2**60 + int(i) % 3 for i in range(60)]
    if kind == "polars":
        table = pl.DataFrame({"y": data["y"].to_numpy(), "id": ids})
    else:
        table = data.assign(id=np.array([i + (2**63 if kind == "uint64" else 0) for i in ids], dtype=kind))
    assert len(ft.fit("y ~ C(id)", table).params) == 3


def test_unseen_large_identifier(data) -> None:
    fit = ft.fit("y ~ C(id)", data.assign(id=np.where(data["x"] > 0, 2**60, 2**60 + 4096)))
    with pytest.raises(DataError, match="were not in the data"):
        fit.predict({"id": [2**60 + 1]})


@pytest.mark.parametrize("dtype", [">f8", np.longdouble, ">i4", pd.SparseDtype(float)])
def test_numeric_types_of_other_machines(data, dtype) -> None:
    column = data["k"].astype(float) if dtype == pd.SparseDtype(float) else data["k"]
    other = data.assign(
        k=column.astype(dtype) if isinstance(dtype, pd.SparseDtype) else column.to_numpy().astype(dtype)
    )
    close(params("y ~ k", other), params("y ~ k", data))
    close(ft.fit("y ~ k", data).predict(other), ft.fit("y ~ k", data).fittedvalues)


def test_complex_numbers_are_refused(data) -> None:
    with pytest.raises(DataError, match="complex"):
        ft.fit("y ~ x", data.assign(x=data["x"] + 1j))


@pytest.mark.parametrize("dates", ["date", "period"])
def test_dates_in_any_dress_are_refused(data, dates: str) -> None:
    days = pd.date_range("2020-01-01", periods=60)
    column = days.date if dates == "date" else days.to_period("D")
    with pytest.raises(DataError, match="holds dates"):
        ft.fit("y ~ day", data.assign(day=column))


def test_one_day_is_not_a_category() -> None:
    with pytest.raises(DataError, match="holds dates"):
        ft.fit("y ~ d", {"y": [1.0, 2.0, 3.0], "d": [datetime.date(2020, 1, i) for i in (1, 2, 3)]})


@pytest.mark.parametrize("new", [{"g": [None]}, {"g": [np.nan]}])
def test_a_row_of_missing_values_is_predicted_as_missing(data, new) -> None:
    assert ft.fit("y ~ g", data).predict(pd.DataFrame(new)).isna().all()
    assert ft.fit("y ~ x", data).predict({"x": [None]}).isna().all()


@pytest.mark.parametrize(
    "make", [lambda d: d.iloc[::-1], lambda d: {c: d[c].to_numpy()[::-1] for c in ("x", "y")}, lambda d: d.iloc[::2]]
)
def test_strided_and_reversed_tables(data, make) -> None:
    table = make(data)
    fit = ft.fit("y ~ x", table)
    assert len(fit.resid) == fit.nobs
    close(fit.predict(table), fit.fittedvalues)
    assert "OLS" in str(fit)


def test_rows_without_labels_are_known_by_their_place() -> None:
    table = pl.DataFrame({"x": [None, 1.0, 2.0, 3.0, 5.0], "y": [9.0, 1.0, 2.0, 4.0, 4.0]})
    assert ft.fit("y ~ x", table).resid.index.tolist() == [1, 2, 3, 4]


def test_odd_dicts(data) -> None:
    with pytest.raises(DataError, match="different indexes"):
        ft.fit("y ~ x", {"x": data["x"].sample(frac=1, random_state=0), "y": data["y"]})
    with pytest.raises(DataError, match="2 dimensions"):
        ft.fit("y ~ x", {"x": np.ones((3, 2)), "y": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match="no order"):
        ft.fit("y ~ x", {"x": {1.0, 2.0, 3.0}, "y": [1.0, 2.0, 3.0]})
    assert ft.fit("y ~ x", data).predict({"x": np.array(0.5)}).shape == (1,)


def test_tables_with_repeated_names(data) -> None:
    with pytest.raises(DataError, match="share a name"):
        ft.fit("y ~ x", pa.table([pa.array([1.0, 2.0])] * 3, names=["x", "x", "y"]))
    with pytest.raises(DataError, match=r"`\.` stands for every column, and several are named z"):
        ft.fit("y ~ .", pd.concat([data, data[["z"]]], axis=1))


# -- numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 1e6, 1e8, 1e10])
def test_implied_constant_and_a_large_mean(mean: float) -> None:
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.tile(list("abc"), 20), "y": mean + draw.normal(size=60)})
    implied, explicit = ft.fit("y ~ C(g) - 1", data), ft.fit("y ~ C(g)", data)
    close([implied.rsquared, implied.fvalue], [explicit.rsquared, explicit.fvalue], 1e-6)


def test_a_nearly_constant_regressor_is_no_constant() -> None:
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"x": 1e5 + draw.random(60)})
    data["y"] = 2 * data["x"] + 1000 * draw.normal(size=60)
    ours, theirs = ft.fit("y ~ x - 1", data), smf.ols("y ~ x - 1", data).fit()
    assert ours.k_constant == 0
    close([ours.rsquared, ours.fvalue, ours.df_model], [theirs.rsquared, theirs.fvalue, 1])


def test_a_rounded_copy_in_other_units_is_collinear() -> None:
    draw = np.random.default_rng(1)
    metres = np.round(5.4e6 + 200 * draw.normal(size=80), 2)
    data = pd.DataFrame({"m": metres, "km": metres / 1000, "y": draw.normal(size=80)})
    with pytest.warns(CollinearityWarning, match="`km` depends on `m`"):
        fit = ft.fit("y ~ m + km", data)
    close(fit.params["m"], ft.fit("y ~ m", data).params["m"])


def test_raw_polynomials_are_as_exact_as_their_powers() -> None:
    draw = np.random.default_rng(1)
    year = np.arange(2000, 2030, 0.5)
    data = pd.DataFrame({"t": year, "y": np.sin(year) + draw.normal(size=60)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollinearityWarning)
        close(
            params("y ~ poly(t, 5, raw=TRUE)", data), params("y ~ t + I(t^2) + I(t^3) + I(t^4) + I(t^5)", data), 1e-14
        )


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ I(x^2)", "y ~ x:z"])
@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_beyond_float64_are_refused(data, formula: str, unit: float) -> None:
    with pytest.raises(DataError, match="rescale"):
        ft.fit(formula, data.assign(x=data["x"] * unit, z=data["z"] * unit))
    with pytest.raises(DataError, match="rescale"):
        ft.fit("y ~ x", data.assign(y=data["y"] * unit))


def test_perfect_fit_beside_a_large_offset(data) -> None:
    offset = 1e9 + data["z"]
    fit = ft.fit("v ~ x", data.assign(v=offset + 0.1 + 0.3 * data["x"], o=offset), offset="o")
    assert fit.rsquared == 1
    assert fit.tvalues.isna().all()


def test_what_cannot_be_estimated_is_not_predicted(data) -> None:
    holed = data[~((data["g"] == "a") & (data["h"] == "q"))]
    with pytest.warns(CollinearityWarning, match="dropped"):
        fit = ft.fit("y ~ g * h", holed)
    new = pd.DataFrame({"g": ["a", "b"], "h": ["q", "q"]})
    with pytest.warns(CollinearityWarning, match="1 of 2 rows cannot be predicted"):
        assert fit.predict(new).isna().tolist() == [True, False]
    with pytest.warns(CollinearityWarning):
        twice = ft.fit("y ~ x + x2", data.assign(x2=2 * data["x"]))
    assert np.isfinite(twice.predict({"x": [1.0, 1e9 / 3], "x2": [2.0, 2e9 / 3]})).all()
    with pytest.warns(CollinearityWarning, match="cannot be predicted"):
        assert twice.predict({"x": [1.0], "x2": [3.0]}).isna().all()


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ C(k, Poly([1, 2, 4, 8, 16]))",
        "y ~ C(g, Sum('a'))",
        "y ~ C(g, Sum(0))",
        "y ~ C(g, Treatment(1))",
        "y ~ C(g, Treatment(-1))",
        "y ~ standardize(x, center=False)",
    ],
)
def test_patsys_arguments_mean_what_they_mean_there(data, formula: str) -> None:
    ours, theirs = ft.fit(formula, data).params, smf.ols(formula, data).fit().params
    assert list(ours.index) == list(theirs.index)
    close(ours, theirs)


def test_levels_of_numbers_by_their_text(data) -> None:
    close(params("y ~ C(k, Treatment('2'))", data), params("y ~ C(k, Treatment(2))", data))


@pytest.mark.parametrize(
    ("term", "value"),
    [
        ("I((k + 1)^-1 %% 1)", lambda d: (d.k + 1.0) ** -1 % 1),
        ("cut(z, c(-Inf, 2, Inf), labels=FALSE)", lambda d: 1.0 + (d.z > 2)),
        ("np.hypot(x, z)", lambda d: np.hypot(d.x, d.z)),
        ("I(interaction(g, h) == 'a.p')", lambda d: 1.0 * ((d.g == "a") & (d.h == "p"))),
        ("I(np.logical_and(x > 0, z > 2))", lambda d: 1.0 * ((d.x > 0) & (d.z > 2))),
        ("np.round(x, decimals=1)", lambda d: d.x.round(1)),
    ],
)
def test_spellings(data, term: str, value) -> None:
    close(params(f"y ~ {term}", data), params("y ~ v", data.assign(v=value(data))))


def test_scalar_truth_does_not_crash(data) -> None:
    with pytest.warns(DesignWarning, match="single level"):
        ft.fit("y ~ I(x > -100)", data)


# -- changes after the fit --------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["weights", "offset"])
@pytest.mark.parametrize("kind", ["series", "list"])
def test_row_arguments_are_held(data, argument: str, kind: str) -> None:
    given = data["z"].copy() if kind == "series" else data["z"].tolist()
    fit = ft.fit("y ~ x", data, **{argument: given})
    before = fit.wresid
    if kind == "series":
        given.iloc[0] = 1e6
    else:
        given[0] = 1e6
    close(fit.wresid, before)


def test_changed_arrays_do_not_spoil_the_summary_nor_reach_update(data) -> None:
    arrays = {name: data[name].to_numpy().copy() for name in ("x", "y")}
    fit = ft.fit("y ~ x", arrays)
    text = str(fit)
    arrays["x"][0] = 1e3
    assert str(fit) == text
    with pytest.raises(DataError, match="changed since"):
        fit.update(". ~ .")


def test_update_keeps_what_the_dot_stood_for(data) -> None:
    fit = ft.fit("y ~ .", data[["y", "x", "z"]].rename(columns={"z": "a z"}))
    again = fit.update(". ~ . + k", data.rename(columns={"z": "a z"}))
    assert list(again.params.index) == ["Intercept", "x", "a z", "k"]


def test_augment_overwrites_nothing(data) -> None:
    with pytest.raises(DataError, match="`resid`"):
        ft.fit("y ~ resid", data.assign(resid=data["x"])).augment()


# -- what a review found ----------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["y ~ one + x", "y ~ one * g", "y ~ x + one:x", "y ~ C(one, Sum) + g"])
def test_a_lost_factor_leaves_a_whole_result(data, formula: str) -> None:
    data["one"] = "only"
    with pytest.warns(DesignWarning, match="`.*one.*` has a single level"):
        fit = ft.fit(formula, data)
    again = pickle.loads(pickle.dumps(fit))
    assert str(again) == str(fit)
    close(again.predict(data), fit.fittedvalues)
    close(fit.predict(data.drop(columns="one")), fit.fittedvalues)
    with pytest.raises(DataError, match="were not in the data"):
        fit.predict(data.assign(one="other"))


def test_a_lost_factor_is_told_from_a_longer_name(data) -> None:
    with pytest.warns(DesignWarning, match="`o` has a single level"):
        ft.fit("y ~ o + oo", data.assign(o="only", oo=data["g"]))


@pytest.mark.parametrize("unit", [1e-300, 1e-29, 1.0, 1e29, 1e300])
def test_the_unit_of_weights_never_matters(data, unit: float) -> None:
    data["o"] = 100 * data["z"]
    one = ft.fit("y ~ x", data, weights=np.ones(60), offset="o")
    two = ft.fit("y ~ x", data, weights=np.full(60, unit), offset="o")
    close([two.rsquared, *two.tvalues], [one.rsquared, *one.tvalues])
    close(list(vars(two.residual_statistics).values()), list(vars(one.residual_statistics).values()))


def test_levels_of_objects_are_told_by_their_value(data) -> None:
    numbers = np.array([2, 10, 30])[data["k"] % 3]
    objects = data.assign(k=pd.Series([np.int64(v) for v in numbers], dtype=object))
    fit = ft.fit("y ~ C(k)", objects)
    close(fit.params, params("y ~ C(k)", data.assign(k=numbers)))
    assert np.isfinite(fit.predict({"k": [10]})).all()


def test_series_of_other_libraries_in_a_dict(data) -> None:
    order = pl.Series(data["g"].tolist(), dtype=pl.Enum(["c", "b", "a"]))
    fit = ft.fit("y ~ v", {"y": data["y"], "v": order})
    assert list(fit.params.index) == ["Intercept", "v[T.b]", "v[T.a]"]
    ids = pl.Series([2**60 + int(k) for k in data["k"]])
    assert len(ft.fit("y ~ C(v)", {"y": data["y"], "v": ids}).params) == 5


def test_masked_and_foreign_weights(data) -> None:
    masked = np.ma.array(np.where(np.arange(60) < 10, 1e6, 1.0), mask=np.arange(60) < 10)
    fit = ft.fit("y ~ x", data, weights=masked)
    assert fit.nobs == 50
    assert fit.wresid.notna().all()
    for bad in (np.array(["2"] * 60), pd.date_range("2020-01-01", periods=60).to_numpy()):
        with pytest.raises(DataError, match="not numbers"):
            ft.fit("y ~ x", data, weights=bad)
    listed = ft.fit("y ~ x", data, weights=[pd.NA, *[1.0] * 59])
    assert listed.nobs == 59
    assert len(listed.wresid) == 59


def test_updates_of_updates(data) -> None:
    fit = ft.fit("y ~ x - 1", data)
    assert list(fit.update(". ~ . + z").params.index) == ["x", "z"]
    assert list(fit.update(". ~ z").params.index) == ["Intercept", "z"]
    assert list(ft.fit("y ~ x + z", data).update(". ~ . - z").update(". ~ . + k").params.index) == [
        "Intercept",
        "x",
        "k",
    ]


def test_operators_inside_operands(data) -> None:
    close(params("y ~ I(k %% (k %/% 2 + 2))", data), params("y ~ v", data.assign(v=data["k"] % (data["k"] // 2 + 2))))
    close(params("y ~ I(k %in% c(5 %% 3, 4))", data), params("y ~ v", data.assign(v=data["k"].isin([2, 4]))))


def test_missing_levels_have_no_dense_row(data) -> None:
    from formula_torch.formula.learn import learn

    dense = learn("y ~ g", data).recipe.apply({"g": [None, "b"]}).dense()
    assert np.isnan(dense[0, 1:]).all()
    assert dense[1].tolist() == [1.0, 1.0, 0.0]


def test_the_rest_of_the_review(data) -> None:
    with pytest.raises(FormulaError, match="2 scores for 3 levels"):
        ft.fit("y ~ C(g, Poly([1, 2]))", data)
    with pytest.raises(DataError, match="without an offset"):
        ft.fit("y ~ x", data).predict(data, offset=data["z"])
    with pytest.warns(DesignWarning):
        single = ft.fit("y ~ 1", data.iloc[:1])
    assert single.info_criteria("aic") == -np.inf
    with pytest.raises(ValueError, match="conf_level=95"):
        ft.fit("y ~ x", data).tidy(conf_level=95)
    with pytest.raises(DataError, match="durations"):
        ft.fit("y ~ t", data.assign(t=pd.to_timedelta(range(60), unit="h")))
    mixed = data.assign(g=["t", *data["k"][1:]])
    mixed.loc[0, "y"] = np.nan
    assert len(ft.fit("y ~ C(g)", mixed).resid) == 59
