"""Models and results beside statsmodels' own: designs, types, scopes, what is refused."""

from __future__ import annotations

import pickle
import types

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as theirs
from statsmodels.iolib.summary2 import summary_col
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import variance_inflation_factor

import formula_torch.smf as ours
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, FormulaError, UnknownNameError

FORMULAS = [
    "y ~ x + g + b",
    "y ~ b * x + C(k)",
    "y ~ x:g + z:g + g:b",
    "np.log(z) ~ g:b + scale(x) - 1",
    "y ~ C(g, Sum):x + bs(z, df=4)",
    "y ~ C(g, Poly) - 1 + I(x > 0)",
    "y ~ cut + C(k, Treatment(2)) * x",
    "y ~ x_na + g",
]
NUMBERS = (
    "aic bic llf nobs rsquared rsquared_adj fvalue f_pvalue df_model df_resid ssr ess scale mse_model mse_resid "
    "mse_total centered_tss uncentered_tss k_constant"
).split()
outer = types.SimpleNamespace(double=lambda x: 2 * x)
known = 3.0


def cubed(x):
    return x**3


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(9)
    n = 70
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.uniform(1, 4, n),
            "g": draw.choice(["p", "q", "r"], n),
            "b": draw.random(n) > 0.4,
            "k": draw.integers(0, 4, n),
            "w": draw.uniform(0, 2, n).round(1),
        },
        index=pd.date_range("2001-01-01", periods=n),
    )
    frame["y"] = frame["x"] + frame["z"] ** 2 + draw.normal(size=n)
    frame["cut"] = pd.cut(frame["z"], [0, 2, 3, 5])
    frame["x_na"] = frame["x"].mask(draw.random(n) < 0.1)
    return frame


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("formula", FORMULAS)
def test_designs_and_numbers(formula: str, weighted: bool, data: pd.DataFrame) -> None:
    one, other = (
        m.wls(formula, data, weights=data["w"] + 0.1) if weighted else m.ols(formula, data) for m in (ours, theirs)
    )
    assert one.exog_names == other.exog_names
    assert (one.endog_names, one.formula, type(one).__name__) == (other.endog_names, formula, type(other).__name__)
    np.testing.assert_allclose(one.exog, other.exog, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(one.endog, other.endog)
    np.testing.assert_array_equal(one.weights, other.weights)
    pd.testing.assert_frame_equal(one.data.orig_exog, other.data.orig_exog, rtol=1e-12, atol=1e-12)
    one, other = one.fit(), other.fit()
    for name in NUMBERS:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-8, abs=1e-12), name
        assert isinstance(getattr(one, name), type(getattr(other, name))) or name == "df_resid", name
    for name in ("params", "bse", "tvalues", "pvalues", "resid", "fittedvalues", "wresid"):
        pd.testing.assert_series_equal(getattr(one, name), getattr(other, name), rtol=1e-8, atol=1e-10, obj=name)
    pd.testing.assert_frame_equal(one.conf_int(), other.conf_int(), rtol=1e-8, atol=1e-10)
    pd.testing.assert_frame_equal(one.normalized_cov_params, other.normalized_cov_params, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(one.resid_pearson, other.resid_pearson, rtol=1e-8, atol=1e-10)


def test_predictions_of_design_columns(data: pd.DataFrame) -> None:
    one, other = (m.ols("y ~ x + g", data).fit() for m in (ours, theirs))
    exog = other.model.data.orig_exog.iloc[:4]
    expected = other.predict(exog, transform=False)
    pd.testing.assert_series_equal(one.predict(exog, transform=False), expected)
    np.testing.assert_allclose(one.predict(exog.to_numpy(), transform=False), expected, rtol=1e-8)


def test_functions_are_found_where_the_call_stands(data: pd.DataFrame) -> None:
    def local(x):
        return x.rank()

    formula = "y ~ local(x) + cubed(x) + outer.double(z) + np.sinc(x)"
    one, other = ours.ols(formula, data).fit(), theirs.ols(formula, data).fit()
    pd.testing.assert_series_equal(one.params, other.params, rtol=1e-8)
    assert local(pd.Series([1.0])).iloc[0] == cubed(1)


def test_functions_further_up_and_nowhere(data: pd.DataFrame) -> None:
    def fitted(module, depth):
        return module.ols("y ~ above(x)", data, eval_env=depth).fit()

    def above(x):
        return x + x**2

    pd.testing.assert_series_equal(fitted(ours, 2).params, fitted(theirs, 2).params, rtol=1e-8)
    with pytest.raises(UnknownNameError, match="above"):
        fitted(ours, 1)
    with pytest.raises(UnknownNameError, match="cubed"):
        ours.ols("y ~ cubed(x)", data, eval_env=-1)
    assert above(1) == 2


def test_ones_own_function_goes_before_the_languages(data: pd.DataFrame) -> None:
    def scale(x):
        return x / 100

    assert ours.ols("y ~ scale(x)", data).exog[0, 1] == pytest.approx(scale(data["x"].iloc[0]))


def test_contrasts_imported_from_patsy_are_the_languages(data: pd.DataFrame) -> None:
    from patsy.contrasts import Sum, Treatment

    one, other = (m.ols("y ~ C(g, Sum) + C(k, Treatment(2))", data) for m in (ours, theirs))
    assert one.exog_names == other.exog_names
    assert Sum is not Treatment


def test_a_variable_is_no_column(data: pd.DataFrame) -> None:
    with pytest.raises(UnknownNameError, match=r"`known` is not a column .* variable of your program.*assign\(known="):
        ours.ols("y ~ I(x / known)", data)
    with pytest.raises(UnknownNameError, match="unknown"):
        ours.ols("y ~ unknown", data)


def test_what_a_reduction_made_is_remembered(data: pd.DataFrame) -> None:
    formula = "y ~ I(x - np.mean(x)) + I((z - np.min(z)) / np.std(z)) + I(x_na**2 / len(x_na)) + I(x > np.median(x))"
    one, other = ours.ols(formula, data).fit(), theirs.ols(formula, data).fit()
    pd.testing.assert_series_equal(one.params, other.params, rtol=1e-8)
    # statsmodels takes the mean, ... of the new rows.
    few = data.dropna().iloc[:5]
    pd.testing.assert_series_equal(one.predict(few), one.fittedvalues[few.index])
    pd.testing.assert_series_equal(pickle.loads(pickle.dumps(one)).predict(few), one.fittedvalues[few.index])


def test_what_depends_on_other_rows_is_refused(data: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="cumsum"):
        ours.ols("y ~ np.cumsum(x)", data)


def test_dependent_columns_are_named_not_split(data: pd.DataFrame) -> None:
    twice = data.assign(x2=2 * data["x"])
    with pytest.warns(CollinearityWarning, match="x2"):
        fit = ours.ols("y ~ x + x2", twice).fit()
    assert fit.params.isna().tolist() == [False, False, True]
    assert fit.params["x"] == pytest.approx(theirs.ols("y ~ x", data).fit().params["x"])
    assert fit.df_model == 1


def test_an_unused_category_keeps_its_column(data: pd.DataFrame) -> None:
    part = data[data["z"] < 3]
    model = ours.ols("y ~ cut", part)
    assert model.exog_names == theirs.ols("y ~ cut", part).exog_names
    with pytest.warns(CollinearityWarning):
        assert np.isnan(model.fit().params.iloc[-1])


@pytest.mark.parametrize("subset", ["mask", "labels", "slice"])
def test_subsets(subset: str, data: pd.DataFrame) -> None:
    given = {"mask": data["x"] > 0, "labels": data.index[5:40], "slice": slice("2001-01-05", "2001-02-20")}[subset]
    one, other = (m.ols("y ~ scale(x) + g", data, subset=given).fit() for m in (ours, theirs))
    pd.testing.assert_series_equal(one.params, other.params, rtol=1e-8)
    pd.testing.assert_series_equal(one.resid, other.resid, rtol=1e-8, atol=1e-10)
    part = data.loc[given]
    one, other = (m.wls("y ~ x", data, subset=given, weights=part["w"] + 1).fit() for m in (ours, theirs))
    pd.testing.assert_series_equal(one.bse, other.bse, rtol=1e-8)


def test_missing_values(data: pd.DataFrame) -> None:
    weights = data["w"].to_numpy() + 1
    one, other = (m.wls("y ~ x_na", data, weights=weights, missing="drop").fit() for m in (ours, theirs))
    pd.testing.assert_series_equal(one.bse, other.bse, rtol=1e-8)
    for missing in ("raise", "none"):
        with pytest.raises(DataError, match="x_na"):
            ours.ols("y ~ x_na", data, missing=missing)


def test_a_pickle_has_no_rows_and_still_predicts(data: pd.DataFrame, tmp_path) -> None:
    fit = ours.ols("y ~ scale(x) + g", data).fit(cov_type="HC1")
    again = pickle.loads(pickle.dumps(fit))
    assert len(pickle.dumps(fit)) < 20_000
    pd.testing.assert_series_equal(again.pvalues, fit.pvalues)
    pd.testing.assert_series_equal(again.predict(data), fit.predict(data))
    assert (again.model.exog_names, again.model.formula) == (fit.model.exog_names, fit.model.formula)
    assert again.summary().tables[1].data == fit.summary().tables[1].data
    with pytest.raises(DataRemovedError, match="make it again"):
        _ = again.model.exog
    with pytest.raises(DataRemovedError, match="make it again"):
        pickle.loads(pickle.dumps(fit.model)).fit()
    assert fit.remove_data().model.problem is None
    fit.save(tmp_path / "fit.pickle")
    loaded = ours.RegressionResults.load(tmp_path / "fit.pickle")
    pd.testing.assert_series_equal(loaded.params, fit.params)


def test_update_refits_with_the_same_options(data: pd.DataFrame) -> None:
    fit = ours.wls("y ~ cubed(x)", data, weights=data["w"] + 1).fit(cov_type="HC3", use_t=True)
    new = fit.update(". ~ . + scale(z)")
    other = theirs.wls("y ~ cubed(x) + scale(z)", data, weights=data["w"] + 1).fit(cov_type="HC3", use_t=True)
    pd.testing.assert_series_equal(new.pvalues, other.pvalues, rtol=1e-8)


@pytest.mark.parametrize("kwds", [{}, {"cov_type": "HC3"}, {"cov_type": "HAC", "cov_kwds": {"maxlags": 2}}])
def test_to_statsmodels(kwds: dict, data: pd.DataFrame) -> None:
    fit = ours.wls("y ~ x_na + g", data, weights=data["w"] + 1).fit(**kwds)
    other = fit.to_statsmodels()
    assert type(other.model).__module__.startswith("statsmodels")
    pd.testing.assert_series_equal(fit.pvalues, other.pvalues, rtol=1e-8)


def test_unlabelled_results(data: pd.DataFrame) -> None:
    one, other = (m.ols("y ~ x + g", data).fit().get_robustcov_results("HC3") for m in (ours, theirs))
    for name in ("params", "bse", "pvalues", "resid", "fittedvalues", "HC1_se", "normalized_cov_params"):
        assert isinstance(getattr(one, name), np.ndarray), name
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-8, atol=1e-10)
    for name in ("conf_int", "cov_params"):
        np.testing.assert_allclose(getattr(one, name)(), getattr(other, name)(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(one.predict(data), other.predict(data), rtol=1e-8)
    assert "HC3" in str(one)
    assert "bse" in dir(one)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).params, one.params)
    assert one.get_robustcov_results("HC0").cov_type == "HC0"


def test_functions_of_statsmodels_take_our_results(data: pd.DataFrame) -> None:
    one, other = (m.ols("y ~ x + z", data).fit() for m in (ours, theirs))
    np.testing.assert_allclose(
        het_breuschpagan(one.resid, one.model.exog), het_breuschpagan(other.resid, other.model.exog)
    )
    assert variance_inflation_factor(one.model.exog, 1) == pytest.approx(variance_inflation_factor(other.model.exog, 1))
    assert str(summary_col([one, one], stars=True)) == str(summary_col([other, other], stars=True))


def test_summary2_renders(data: pd.DataFrame) -> None:
    summary = ours.ols("y ~ x", data).fit().summary2(float_format="%.2f", yname="outcome", xname=["a", "b"])
    assert "outcome" in summary.as_text()
    assert "<table" in summary.as_html()
    assert "tabular" in summary.as_latex()
    assert repr(summary) == str(summary)
    assert list(summary.tables[1].index) == ["a", "b"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: ours.mixedlm("y ~ x", d), NotImplementedError, r"statsmodels\.formula\.api\.mixedlm"),
        (lambda d: ours.quantreg("y ~ x", d), NotImplementedError, "quantreg"),
        (lambda d: ours.nothing, AttributeError, "no attribute 'nothing'"),
        (lambda d: ours.ols("y ~ x", d, drop_cols=["x"]), NotImplementedError, "drop_cols"),
        (lambda d: ours.ols("y ~ x", d, missing="omit"), ValueError, "'omit' is not known"),
        (lambda d: ours.ols("y ~ x", d, weights=1), TypeError, "weights"),
        (lambda d: ours.wls("y ~ x", d, weights=[1.0, 2.0]), DataError, "weights has shape"),
        (lambda d: ours.ols("y ~ x", d).fit(method="svd"), ValueError, "'svd' is not known"),
        (lambda d: ours.ols("y ~ x", d).fit(cov="HC1"), TypeError, "cov"),
        (lambda d: ours.ols("y ~ x", d).fit_regularized(), NotImplementedError, r"to_statsmodels\(\)\.model"),
        (lambda d: ours.ols("y ~ x", d).fit().el_test([0], [0]), NotImplementedError, r"to_statsmodels\(\)\.el_test"),
        (lambda d: ours.ols("y ~ (x + 1):g", d), FormulaError, "intercept cannot be part"),
        (lambda d: ours.OLS(d["y"], d[["x"]]), TypeError, "argument"),
    ],
)
def test_refusals(call, error: type, message: str, data: pd.DataFrame) -> None:
    with pytest.raises(error, match=message):
        call(data)


def test_warnings_name_the_users_line(data: pd.DataFrame) -> None:
    with pytest.warns(CollinearityWarning) as caught:
        ours.ols("y ~ x + I(2 * x)", data).fit()
    assert caught[0].filename == __file__
