"""Tests of specification and inflation of variances against statsmodels, R's lmtest and car."""

from __future__ import annotations

import json
import pickle
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.diagnostic import acorr_breusch_godfrey, het_breuschpagan, het_white, linear_reset
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, DesignWarning, InferenceWarning

REFERENCE = Path(__file__).parents[1] / "reference"
R = json.loads((REFERENCE / "diagnostics_r.json").read_text())
TOLERANCE = 1e-8
MODELS = [
    ("plant_richness", "ntv_rich ~ area"),
    ("investment.csv", "RealInv ~ RealGNP + RealInt"),
    ("macro.csv", "np.log(realcons) ~ np.log(realdpi) + tbilrate + unemp"),
    ("california_schools.csv", "read ~ english + income*grades"),
    ("employment.csv", "np.log(emp) ~ C(sector, Sum) + np.log(wage) + np.log(capital)"),
    ("visits", "drvisits ~ age + chronic*private"),
]


@cache
def frame(name):
    return pd.read_csv(REFERENCE / "inference" / name) if name.endswith(".csv") else getattr(ft.datasets, name)()


@pytest.fixture(scope="module")
def factors():
    draw = np.random.default_rng(11)
    data = pd.DataFrame({"x": draw.normal(size=300), "z": draw.normal(size=300)})
    data = data.assign(g=draw.choice(list("abc"), 300), h=draw.choice(list("uvw"), 300))
    data["y"] = data["x"] + draw.normal(size=300) * (1 + (data["g"] == "b"))
    return data


def both(data, formula):
    return ft.fit(formula, frame(data)), smf.ols(formula, frame(data)).fit()


def assert_table(table, statistics, pvalues):
    assert list(table.columns) == ["test", "statistic", "df", "df_denom", "p_value"]
    np.testing.assert_allclose(table["statistic"], statistics, rtol=TOLERANCE)
    np.testing.assert_allclose(table["p_value"], pvalues, rtol=TOLERANCE, atol=1e-300)


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
@pytest.mark.parametrize(("data", "formula"), MODELS)
def test_variance_tests_equal_statsmodels(data, formula):
    fit, peer = both(data, formula)
    for robust in (True, False):
        lm, lm_p, f, f_p = het_breuschpagan(peer.resid, peer.model.exog, robust=robust)
        assert_table(fit.breusch_pagan(robust=robust), [lm, f], [lm_p, f_p])
    lm, lm_p, f, f_p = het_white(peer.resid, peer.model.exog)
    assert_table(fit.white(), [lm, f], [lm_p, f_p])


# Higher powers, which statsmodels takes of the fitted values as they are, are compared with R's.
@pytest.mark.parametrize("arguments", [{}, {"power": 2}, {"power": (2, 3)}, {"test_type": "exog", "power": 2}])
@pytest.mark.parametrize(("data", "formula"), [MODELS[0], MODELS[2], MODELS[5]])
def test_reset_equals_statsmodels(data, formula, arguments):
    fit, peer = both(data, formula)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # raw powers are nearly dependent
        chi2, f = (linear_reset(peer, use_f=use_f, **arguments) for use_f in (False, True))
    table = fit.reset(**arguments)
    assert_table(table, [chi2.statistic, f.statistic], [chi2.pvalue, f.pvalue])
    assert table["df"].tolist() == [f.df_num, f.df_num]
    assert table["df_denom"].tolist()[1] == f.df_denom


def dense(fit):
    return fit.moments().scores().source.dense()


def left_by(columns, y):
    return float(np.sum((y - columns @ np.linalg.lstsq(columns, y)[0]) ** 2))


@pytest.mark.parametrize("formula", ["C(g, Sum) + x", "C(g, Sum):x + x:h", "C(g, Helmert):x - 1", "g*h + x"])
def test_reset_takes_powers_of_coded_columns_too(factors, formula):
    fit = ft.fit(f"y ~ {formula}", factors)
    x = dense(fit)
    wider = np.column_stack([x, x**2])
    got = fit.reset(2, "exog").iloc[1]
    added = np.linalg.matrix_rank(wider) - x.shape[1]
    left, df_denom = left_by(wider, factors["y"].to_numpy()), 300 - x.shape[1] - added
    assert (got["df"], got["df_denom"]) == (added, df_denom)
    assert got["statistic"] == pytest.approx((fit.ssr - left) / added / (left / df_denom), rel=TOLERANCE)


@pytest.mark.parametrize("lags", [1, 4])
@pytest.mark.parametrize(("data", "formula"), MODELS)
def test_serial_tests_equal_statsmodels(data, formula, lags):
    fit, peer = both(data, formula)
    lm, lm_p, f, f_p = acorr_breusch_godfrey(peer, lags, result_object=False)
    assert_table(fit.breusch_godfrey(lags), [lm, f], [lm_p, f_p])
    assert fit.durbin_watson().loc[0, "statistic"] == pytest.approx(durbin_watson(peer.resid), rel=TOLERANCE)
    statistic, p, _, _ = jarque_bera(peer.resid)
    assert_table(fit.jarque_bera(), [statistic], [p])


def arguments_of(case):
    given = dict(case["arguments"])
    return {**given, "power": tuple(given["power"])} if isinstance(given.get("power"), list) else given


@pytest.mark.parametrize("case", R["tests"], ids=lambda case: f"{case['model']} {case['call'].replace(' ', '')}")
def test_equals_r(case):
    model = R["models"][case["model"]]
    fit = ft.fit(model["formula"], frame(model["data"]), **model["options"])
    row = getattr(fit, case["method"])(**arguments_of(case)).iloc[case["row"]]
    assert row["statistic"] == pytest.approx(case["statistic"], rel=TOLERANCE)
    assert row["p_value"] == pytest.approx(case["p_value"], rel=TOLERANCE)
    assert [d for d in (row["df"], row["df_denom"]) if not np.isnan(d)] == case["df"]


@pytest.mark.parametrize("case", R["inflation"], ids=lambda case: case["model"])
def test_generalised_inflation_equals_car(case):
    model = R["models"][case["model"]]
    table = ft.fit(model["formula"], frame(model["data"]), **model["options"]).gvif()
    for column in ("gvif", "df", "root"):
        np.testing.assert_allclose(table[column], case[column], rtol=TOLERANCE)


@pytest.mark.parametrize(("data", "formula"), MODELS[1:])
def test_inflation_equals_statsmodels(data, formula):
    fit, peer = both(data, formula)
    exog = peer.model.exog
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # condition number
        expected = [variance_inflation_factor(exog, j) for j in range(exog.shape[1])]
    table = fit.vif()
    assert list(table["term"]) == [name for name in fit.names if name != "Intercept"]
    expected = pd.Series(expected, index=peer.model.exog_names)
    np.testing.assert_allclose(table["vif"], expected[table["term"]], rtol=TOLERANCE)


def test_inflation_without_a_constant_is_about_zero():
    fit, peer = both("investment.csv", "RealInv ~ RealGNP + RealInt - 1")
    expected = [variance_inflation_factor(peer.model.exog, j, standardize=False) for j in range(2)]
    np.testing.assert_allclose(fit.vif()["vif"], expected, rtol=TOLERANCE)


def test_inflation_does_not_depend_on_units_codings_or_rows(visits):
    one = ft.fit("drvisits ~ age + C(chronic) + educ", visits)
    scaled = visits.assign(age=1e5 * visits["age"] - 1e8)
    other = ft.fit("drvisits ~ age + C(chronic, Sum) + educ", scaled)
    # Ages less 1e8 are held to some digits less.
    np.testing.assert_allclose(one.gvif()["gvif"], other.gvif()["gvif"], rtol=1e-7)
    bare = pickle.loads(pickle.dumps(one))
    pd.testing.assert_frame_equal(bare.vif(), one.vif())
    pd.testing.assert_frame_equal(bare.gvif(), one.gvif())


def test_aliased_columns_have_no_inflation(visits):
    data = visits.assign(months=12 * visits["age"])
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("drvisits ~ age + months + educ", data)
    expected = ft.fit("drvisits ~ age + educ", data)
    assert np.isnan(fit.vif().set_index("term")["vif"]["months"])
    np.testing.assert_allclose(fit.vif()["vif"].dropna(), expected.vif()["vif"], rtol=1e-12)
    assert fit.gvif()["df"].tolist() == [1, 0, 1]
    np.testing.assert_allclose(fit.gvif()["gvif"].dropna(), expected.gvif()["gvif"], rtol=1e-12)
    pd.testing.assert_frame_equal(fit.diagnostics(), expected.diagnostics(), rtol=1e-8)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x + g*h",
        "y ~ x*g + h",
        "y ~ C(g, Sum)*h + x",
        "y ~ C(g, Sum) + C(h, Helmert)*x",
        "y ~ C(g, Sum):x + g:h",
        "y ~ x:g + z:g + h",
    ],
)
def test_white_takes_products_of_factors_as_they_are(factors, formula):
    fit = ft.fit(formula, factors)
    x = dense(fit)
    products = np.column_stack([x[:, i] * x[:, j] for i in range(x.shape[1]) for j in range(i, x.shape[1])])
    squares = fit.resid.to_numpy() ** 2
    r2 = 1 - left_by(products, squares) / np.sum((squares - squares.mean()) ** 2)
    got = fit.white().iloc[0]
    assert got["statistic"] == pytest.approx(300 * r2, rel=TOLERANCE)
    assert got["df"] == np.linalg.matrix_rank(products) - 1


def test_white_and_breusch_pagan_add_a_constant_where_there_is_none():
    data = frame("investment.csv")
    fit = ft.fit("RealInv ~ RealGNP + RealInt - 1", data)
    squares = data.assign(squares=fit.resid**2)
    aux = ft.fit("squares ~ RealGNP + RealInt", squares)
    assert fit.breusch_pagan().loc[0, "statistic"] == pytest.approx(aux.nobs * aux.rsquared, rel=TOLERANCE)
    assert fit.breusch_pagan().loc[1, "statistic"] == pytest.approx(aux.fvalue, rel=TOLERANCE)
    aux = ft.fit("squares ~ RealGNP*RealInt + I(RealGNP**2) + I(RealInt**2)", squares)
    assert fit.white().loc[0, "statistic"] == pytest.approx(aux.nobs * aux.rsquared, rel=TOLERANCE)


def test_weights_whiten_the_residuals():
    data = frame("public_schools.csv").dropna()
    fit = ft.fit("expenditure ~ income", data, weights="income")
    root = np.sqrt(data["income"])
    squares = data.assign(squares=fit.wresid**2)
    aux = ft.fit("squares ~ income + I(income**2)", squares)
    assert fit.white().loc[0, "statistic"] == pytest.approx(aux.nobs * aux.rsquared, rel=TOLERANCE)
    whitened = smf.ols(
        "y ~ one + x - 1", pd.DataFrame({"y": data["expenditure"] * root, "one": root, "x": data["income"] * root})
    )
    peer = whitened.fit()
    u = np.asarray(peer.resid)
    columns = np.column_stack([peer.model.exog, np.r_[0, u[:-1]], np.r_[0, 0, u[:-2]]])
    left = u - columns @ np.linalg.lstsq(columns, u)[0]
    expected = len(u) * (1 - left @ left / (u @ u))
    assert fit.breusch_godfrey(2).loc[0, "statistic"] == pytest.approx(expected, rel=TOLERANCE)
    assert fit.durbin_watson().loc[0, "statistic"] == pytest.approx(durbin_watson(u), rel=TOLERANCE)
    # Raw powers of the fitted values are nearly dependent.
    augmented = data.assign(f2=fit.fittedvalues**2, f3=fit.fittedvalues**3)
    wider = ft.fit("expenditure ~ income + f2 + f3", augmented, weights="income")
    assert fit.reset().loc[1, "statistic"] == pytest.approx(float(wider.f_test("f2 = 0, f3 = 0").fvalue), rel=1e-7)


def test_offset_is_part_of_the_model(visits):
    data = visits.head(500)
    fit = ft.fit("drvisits ~ chronic + educ", data, offset="age")
    moved = ft.fit("I(drvisits - age) ~ chronic + educ", data)
    pd.testing.assert_frame_equal(fit.diagnostics(), moved.diagnostics(), rtol=1e-9)


def test_frequency_weights_are_repeated_rows():
    people = frame("titanic.csv")
    repeated = people.loc[people.index.repeat(people["people"])]
    weighted = ft.fit("survived ~ sex + age", people, weights="people", weights_type="frequency")
    plain = ft.fit("survived ~ sex + age", repeated)
    for name, arguments in (("breusch_pagan", {}), ("white", {}), ("reset", {"power": 2}), ("jarque_bera", {})):
        pd.testing.assert_frame_equal(
            getattr(weighted, name)(**arguments), getattr(plain, name)(**arguments), rtol=1e-9
        )
    for test in (weighted.breusch_godfrey, weighted.durbin_watson):
        with pytest.raises(DataError, match="repeat have no order"):
            test()


def test_rows_in_any_order_with_time():
    data = frame("macro.csv")
    formula = "np.log(realcons) ~ np.log(realdpi) + tbilrate"
    sorted_fit = ft.fit(formula, data.sort_values("period"))
    fit = ft.fit(formula, data)
    for time in ("period", data["period"].to_numpy()):
        pd.testing.assert_frame_equal(fit.diagnostics(lags=3, time=time), sorted_fit.diagnostics(lags=3), rtol=1e-9)
    with pytest.raises(DataError, match="203 rows have 51 different values of `year`"):
        fit.breusch_godfrey(time="year")


def test_diagnostics_gathers_all_tests(visits):
    fit = ft.fit("drvisits ~ age + chronic", visits)
    table = fit.diagnostics(lags=2)
    parts = [fit.breusch_pagan(), fit.white(), fit.reset(), fit.breusch_godfrey(2), fit.durbin_watson()]
    pd.testing.assert_frame_equal(table, pd.concat([*parts, fit.jarque_bera()], ignore_index=True))
    pd.testing.assert_frame_equal(fit.with_vcov("HC1").diagnostics(lags=2), table)


def test_diagnostics_says_what_does_not_apply(visits):
    fit = ft.fit("drvisits ~ 1", visits)
    with pytest.warns(InferenceWarning) as caught:
        table = fit.diagnostics().set_index("test")
    said = [str(w.message) for w in caught]
    assert any("no Breusch-Pagan test: breusch_pagan: there is no column but the constant" in text for text in said)
    assert any("no RESET test: reset: the fitted values are constant" in text for text in said)
    assert {w.filename for w in caught} == {__file__}
    assert table.loc[["Breusch-Pagan", "White", "RESET"], "p_value"].isna().all()
    assert table.loc[["Breusch-Godfrey", "Durbin-Watson", "Jarque-Bera"], "p_value"].notna().all()


TESTS = ["breusch_pagan", "white", "reset", "breusch_godfrey", "durbin_watson", "jarque_bera"]


@pytest.mark.parametrize("name", TESTS)
def test_without_residuals_there_is_no_test(name):
    x = np.arange(5.0)
    with pytest.raises(DataError, match=f"{name}: the fit is perfect"):
        getattr(ft.fit("y ~ x", {"x": x, "y": 1 + 2 * x}), name)()
    with pytest.warns(DesignWarning):
        fit = ft.fit("y ~ C(x)", {"x": x, "y": [1.0, 3.0, 2.0, 5.0, 4.0]})
    with pytest.raises(DataError, match=f"{name}: 5 observations for 5 coefficients leave no degrees of freedom"):
        getattr(fit, name)()


@pytest.mark.parametrize("name", TESTS)
def test_sampling_weights_are_refused(visits, name):
    fit = ft.fit("drvisits ~ age", visits, weights="educ", weights_type="sampling", subset="educ > 0")
    with pytest.raises(DataError, match=f"{name}: sampling weights"):
        getattr(fit, name)()


@pytest.mark.parametrize("name", TESTS)
def test_rows_that_are_gone(name, visits):
    bare = ft.fit("drvisits ~ age", visits).remove_data()
    if name == "jarque_bera":
        assert bare.jarque_bera()["p_value"].notna().all()
        return
    with pytest.raises(DataRemovedError, match=f"{name} needs the rows"):
        getattr(bare, name)()


def test_bad_arguments():
    fit = ft.fit("ntv_rich ~ area", frame("plant_richness"))
    with pytest.raises(DataError, match="20 lags are too many for 22 observations and 2 coefficients"):
        fit.breusch_godfrey(20)
    for lags in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="lags="):
            fit.breusch_godfrey(lags)
    for power in (1, (1, 2), (2, 2), ()):
        with pytest.raises(ValueError, match="power="):
            fit.reset(power)
    with pytest.raises(ValueError, match="test_type='princomp' is not known; use one of 'fitted', 'exog'"):
        fit.reset(test_type="princomp")
    with pytest.raises(ValueError, match="alternative='larger' is not known"):
        fit.durbin_watson(alternative="larger")
    with pytest.raises(DataError, match="leave 5 observations no degrees of freedom"):
        ft.fit("y ~ x", {"x": [0.0, 1, 2, 3, 5], "y": [1.0, 3, 2, 5, 4]}).reset(power=4)


def test_tests_that_do_not_apply_say_why(visits):
    with pytest.raises(DataError, match="add nothing to them"):
        ft.fit("breaks ~ wool*tension", frame("warpbreaks.csv")).reset()
    with pytest.raises(DataError, match="add nothing to them"):
        ft.fit("breaks ~ wool*tension", frame("warpbreaks.csv")).reset(test_type="exog")
    with pytest.raises(DataError, match="66 columns have more than 2,000 different products"):
        ft.fit("drvisits ~ bs(age + 0.01 * educ, df=65)", visits).white()
    assert ft.fit("drvisits ~ C(g)*age", visits.assign(g=np.arange(3677) % 70)).white().loc[0, "df"] == 209
    few = pd.DataFrame(np.random.default_rng(0).normal(size=(12, 5)), columns=list("yabcd"))
    with pytest.raises(DataError, match="white: 12 products of columns leave 12 observations no"):
        ft.fit("y ~ a + b + c + d", few).white()
