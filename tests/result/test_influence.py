"""Influence of rows against statsmodels, R (weights, which statsmodels mixes up), and refits without one row."""

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

import formula_torch as ft
from formula_torch.design import design as design_module
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, DesignWarning, InferenceWarning

REFERENCE = Path(__file__).parents[1] / "reference"
R = json.loads((REFERENCE / "diagnostics_r.json").read_text())
TOLERANCE = 1e-8
MODELS = [
    ("plant_richness", "ntv_rich ~ area"),
    ("plant_richness", "ntv_rich ~ area - 1"),
    ("investment.csv", "RealInv ~ RealGNP + RealInt"),
    ("warpbreaks.csv", "breaks ~ wool*tension"),
    ("public_schools.csv", "expenditure ~ income + I(income**2)"),
    ("macro.csv", "np.log(realcons) ~ np.log(realdpi) + tbilrate + unemp"),
    ("california_schools.csv", "read ~ english + income*grades"),
]


@cache
def frame(name):
    return ft.datasets.plant_richness() if name == "plant_richness" else pd.read_csv(REFERENCE / "inference" / name)


def assert_close(got, expected, tolerance=TOLERANCE):
    """Relative to the largest number of each column."""
    got, expected = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    np.testing.assert_allclose(
        got / np.nanmax(np.abs(expected), axis=0), expected / np.nanmax(np.abs(expected), axis=0), atol=tolerance
    )


@pytest.mark.parametrize(("data", "formula"), MODELS)
def test_equals_statsmodels(data, formula):
    peer = smf.ols(formula, frame(data)).fit().get_influence()
    got = ft.fit(formula, frame(data)).get_influence()
    expected, table = peer.summary_frame(), got.summary_frame()
    assert set(table.columns) == set(expected.columns)
    assert list(table.columns[-6:]) == list(expected.columns[-6:])
    assert table.index.equals(expected.index)
    assert_close(table, expected[table.columns])
    for name in ("hat_matrix_diag", "resid_studentized_internal", "resid_studentized_external", "resid_press"):
        assert_close(getattr(got, name), getattr(peer, name))
    assert_close(got.resid_studentized, peer.resid_studentized)
    assert_close(got.sigma2_not_obsi, peer.sigma2_not_obsi)
    assert_close(got.cov_ratio, peer.cov_ratio)
    for mine, theirs in zip(got.cooks_distance, peer.cooks_distance, strict=True):
        assert_close(mine, theirs)
    for mine, theirs in ((got.dffits, peer.dffits), (got.dffits_internal, peer.dffits_internal)):
        assert_close(mine[0], theirs[0])
        assert mine[1] == pytest.approx(theirs[1], rel=1e-14)


@pytest.mark.parametrize("case", R["influence"], ids=lambda case: case["model"])
def test_equals_r_with_weights(case):
    model = R["models"][case["model"]]
    got = ft.fit(model["formula"], frame(model["data"]), **model["options"]).get_influence()
    assert_close(got.hat_matrix_diag, case["hat"])
    assert_close(got.resid_studentized_internal, case["rstandard"])
    assert_close(got.resid_studentized_external, case["rstudent"])
    assert_close(got.resid_press, case["predictive"])
    assert_close(np.sqrt(got.sigma2_not_obsi), case["sigma"])
    assert_close(got.dfbeta, case["dfbeta"])
    assert_close(got.dfbetas, case["dfbetas"])
    assert_close(got.dffits[0], case["dffits"])
    assert_close(got.cov_ratio, case["covratio"])
    assert_close(got.cooks_distance[0], case["cooks"])


@pytest.mark.parametrize("options", [{}, {"weights": "x"}, {"weights": "count", "weights_type": "frequency"}])
def test_equals_refits_without_a_row(options):
    draw = np.random.default_rng(3)
    data = pd.DataFrame({"x": draw.uniform(1, 4, 15), "g": list("abc") * 5, "count": draw.integers(1, 4, 15)})
    data["y"] = 1 + data["x"] + draw.normal(size=15)
    fit = ft.fit("y ~ x + g", data, **options)
    got = fit.get_influence()
    information = np.linalg.inv(fit.cov_params().to_numpy()) * fit.scale
    for i in range(15):
        rest = data.copy()
        if "weights_type" in options:
            rest.loc[i, "count"] -= 1  # one copy
        else:
            rest = rest.drop(index=i)
        without = ft.fit("y ~ x + g", rest, **options)
        change = (fit.params - without.params).to_numpy()
        np.testing.assert_allclose(got.dfbeta[i], change, rtol=TOLERANCE, atol=1e-12)
        errors = np.sqrt(without.scale * np.diag(fit.cov_params()) / fit.scale)
        np.testing.assert_allclose(got.dfbetas[i], change / errors, rtol=TOLERANCE, atol=1e-12)
        cook = change @ information @ change / 4 / fit.scale
        assert got.cooks_distance[0][i] == pytest.approx(cook, rel=TOLERANCE)
        assert got.sigma2_not_obsi[i] == pytest.approx(without.scale, rel=TOLERANCE)
        ratio = np.linalg.det(without.cov_params()) / np.linalg.det(fit.cov_params())
        assert got.cov_ratio[i] == pytest.approx(ratio, rel=TOLERANCE)


def test_frequency_weights_are_repeated_rows():
    people = frame("titanic.csv").query("people > 0")
    repeated = people.loc[people.index.repeat(people["people"])]
    weighted = ft.fit("survived ~ sex + age", people, weights="people", weights_type="frequency")
    plain = ft.fit("survived ~ sex + age", repeated)
    first = np.flatnonzero(~repeated.index.duplicated())
    expected = plain.get_influence().summary_frame().iloc[first]
    pd.testing.assert_frame_equal(weighted.get_influence().summary_frame(), expected, rtol=1e-9)
    for method in ("bonf", "holm", "fdr_bh"):
        pd.testing.assert_frame_equal(weighted.outlier_test(method), plain.outlier_test(method).iloc[first], rtol=1e-9)


def test_covariance_does_not_matter(visits):
    fit = ft.fit("drvisits ~ age + private", visits)
    pd.testing.assert_frame_equal(
        fit.with_vcov("HC3").get_influence().summary_frame(), fit.get_influence().summary_frame()
    )


def test_rows_used_keep_the_users_index(messy):
    fit = ft.fit("y ~ x + z", messy, subset="z > 2")
    table = fit.get_influence().summary_frame()
    assert table.index.equals(fit.resid.index)
    assert not {"r3", "r5"} & set(table.index)
    used = messy.loc[table.index]
    assert_close(table, ft.fit("y ~ x + z", used).get_influence().summary_frame())
    assert fit.outlier_test().index.equals(fit.resid.index)


def test_rows_of_leverage_one_are_nan():
    data = frame("plant_richness").assign(g="common")
    data.loc[4, "g"] = "lone"
    with pytest.warns(InferenceWarning, match=r"1 of 22 rows have leverage 1 \(first: row 4\)"):
        got = ft.fit("ntv_rich ~ area + g", data).get_influence()
    table = got.summary_frame()
    assert "leverage 1" in got.notes[0]
    assert table.loc[4, "hat_diag"] == 1
    assert table.loc[4].drop("hat_diag").isna().all()
    others = ft.fit("ntv_rich ~ area", data.drop(index=4)).get_influence().summary_frame()
    # Cook's distance and the bound of DFFITS count one coefficient more.
    same = ["standard_resid", "hat_diag", "student_resid", "dffits", "dfb_area"]
    assert_close(table.drop(index=4)[same], others[same])


def test_aliased_columns_are_nan(visits):
    data = visits.head(200).assign(months=lambda d: 12 * d["age"])
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("drvisits ~ age + months + educ", data)
    table = fit.get_influence().summary_frame()
    expected = ft.fit("drvisits ~ age + educ", data).get_influence().summary_frame()
    assert table["dfb_months"].isna().all()
    assert_close(table.drop(columns="dfb_months"), expected)


def test_an_outlier_beside_a_perfect_fit_is_infinitely_far():
    x = np.arange(8.0)
    fit = ft.fit("y ~ x", {"x": x, "y": np.where(x == 3, 9.0, 1 + 2 * x)})
    got = fit.get_influence().resid_studentized_external
    assert np.isposinf(got[3])
    assert np.isfinite(np.delete(got, 3)).all()
    assert fit.outlier_test().loc[3, "bonf(p)"] == 0


@pytest.mark.parametrize("options", [{}, {"weights": "educ"}, {"weights": "educ", "weights_type": "frequency"}])
def test_an_outlier_far_off_the_others_keeps_its_digits(visits, options):
    data = visits.head(50).query("educ > 0").copy()
    data.loc[3, ["drvisits", "educ"]] = [1e9, 1]
    fit = ft.fit("drvisits ~ age + private", data, **options)
    without = ft.fit("drvisits ~ age + private", data.drop(index=3), **options)
    got = pd.Series(fit.get_influence().sigma2_not_obsi, index=fit.resid.index)
    assert got[3] == pytest.approx(without.scale, rel=1e-6)  # of residuals that are differences of 1e9
    assert np.isfinite(fit.get_influence().summary_frame()).all(axis=None)


@pytest.mark.parametrize("method", ["bonf", "sidak", "holm", "fdr_bh"])
@pytest.mark.parametrize(("data", "formula"), MODELS[::3])
def test_outlier_test_equals_statsmodels(data, formula, method):
    expected = smf.ols(formula, frame(data)).fit().outlier_test(method)
    got = ft.fit(formula, frame(data)).outlier_test(method)
    assert list(got.columns) == list(expected.columns) == ["student_resid", "unadj_p", f"{method}(p)"]
    assert got.index.equals(expected.index)
    # statsmodels refits without each row; its residuals of 5 and more have p-values good to 1e-9 or so.
    np.testing.assert_allclose(got, expected, rtol=TOLERANCE)


def test_outlier_test_sorts_and_cuts():
    fit = ft.fit("read ~ english + income*grades", frame("california_schools.csv"))
    table = fit.outlier_test(order=True)
    assert table["student_resid"].abs().is_monotonic_decreasing
    cut = fit.outlier_test(order=True, cutoff=0.9)
    pd.testing.assert_frame_equal(cut, table[table["bonf(p)"] < 0.9])
    assert 0 < len(cut) < len(table)
    with pytest.raises(ValueError, match="method='best' is not known"):
        fit.outlier_test("best")
    with pytest.raises(ValueError, match="alpha=5 must lie"):
        fit.outlier_test(alpha=5)


def test_repr_names_the_most_influential_row():
    got = ft.fit("ntv_rich ~ area", frame("plant_richness").set_index(pd.Index([f"island {i}" for i in range(22)])))
    assert repr(got.get_influence()) == "<Influence of 22 rows: largest Cook's distance 0.284, row 'island 7'>"


def test_without_residuals_there_is_no_influence():
    x = np.arange(4.0)
    with pytest.raises(DataError, match="get_influence: the fit is perfect"):
        ft.fit("y ~ x", {"x": x, "y": 1 + 2 * x}).get_influence()
    with pytest.warns(DesignWarning):
        fit = ft.fit("y ~ x + I(x**2) + I(x**3)", {"x": x, "y": [1.0, 3.0, 2.0, 5.0]})
    with pytest.raises(DataError, match="4 observations for 4 coefficients leave no degrees of freedom"):
        fit.get_influence()


def test_one_degree_of_freedom_leaves_none_without_a_row():
    fit = ft.fit("y ~ x", {"x": [0.0, 1.0, 3.0], "y": [1.0, 3.0, 2.0]})
    with pytest.warns(InferenceWarning, match="no degree of freedom"):
        got = fit.get_influence()
    assert np.isfinite(got.cooks_distance[0]).all()
    assert np.isnan(got.resid_studentized_external).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)
        with pytest.raises(DataError, match="outlier_test"):
            fit.outlier_test()


def test_rows_that_are_gone_or_changed():
    fit = ft.fit("ntv_rich ~ area", frame("plant_richness"))
    for bare in (fit.remove_data(), pickle.loads(pickle.dumps(fit))):
        with pytest.raises(DataRemovedError, match="get_influence needs the rows"):
            bare.get_influence()
        with pytest.raises(DataRemovedError):
            bare.outlier_test()
    arrays = {name: column.to_numpy().copy() for name, column in frame("plant_richness").items()}
    got = ft.fit("ntv_rich ~ area", arrays).get_influence()
    arrays["area"][0] += 1
    with pytest.raises(DataError, match="have been changed since"):
        _ = got.dfbetas


def test_too_large_a_table_is_refused(visits, monkeypatch):
    got = ft.fit("drvisits ~ age + private", visits).get_influence()
    monkeypatch.setattr(design_module, "DENSE_LIMIT_BYTES", 8 * 3 * 3000)
    assert len(got.hat_matrix_diag) == 3677
    with pytest.raises(DataError, match="changes of coefficients of 3,677 x 3"):
        _ = got.dfbeta


def test_row_permutation_and_units(visits):
    data = visits.head(300)
    table = ft.fit("drvisits ~ age + private", data).get_influence().summary_frame()
    shuffled = ft.fit("drvisits ~ age + private", data.sample(frac=1, random_state=1)).get_influence().summary_frame()
    assert_close(shuffled.loc[table.index], table)
    scaled = data.assign(age=1e6 * data["age"] + 1e9, drvisits=1e-3 * data["drvisits"])
    got = ft.fit("drvisits ~ age + private", scaled).get_influence().summary_frame()
    # Ages beside 1e9 are held to three digits less.
    assert_close(got.drop(columns="dfb_Intercept"), table.drop(columns="dfb_Intercept"), 1e-7)
