"""Influence of rows on generalised linear models against R, statsmodels, and steps without a row."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import formula_torch as ft
from formula_torch.errors import DataRemovedError, InferenceWarning

NAMES = [
    *("births_logit", "births_probit", "insurance_trials", "insurance_poisson", "ships_poisson", "ships_quasi"),
    *("affairs_quasi", "wages_gamma", "wages_inverse", "wages_ig"),
]


@pytest.mark.parametrize("name", NAMES)
def test_equals_r(name, glm_fit, r_says):
    says, got = r_says[name]["influence"], glm_fit(name).get_influence()
    rows = says["rows"]
    pairs = {
        "hat": got.hat_matrix_diag,
        "cooks": got.cooks_distance[0],
        "pearson": got.resid_studentized,
        "deviance": got.resid_deviance_studentized,
        "student": got.resid_studentized_external,
    }
    for what, values in pairs.items():
        np.testing.assert_allclose(values[rows], says[what], rtol=1e-7, atol=1e-10, err_msg=what)


@pytest.mark.parametrize("name", NAMES)
def test_the_step_without_a_row_is_one_of_iterated_least_squares(name, glm_fit, r_says):
    says, fit = r_says[name]["influence"], glm_fit(name)
    got = fit.get_influence()
    expected = np.array(says["step"])
    spread = np.abs(expected).max(axis=0)
    # R's glm ends where the deviance no longer changes, which leaves half the digits of the gradient.
    np.testing.assert_allclose(got.d_params[says["rows"]] / spread, expected / spread, atol=5e-6)
    np.testing.assert_allclose(got.params_one, fit.params.to_numpy() - got.dfbeta)


@pytest.mark.parametrize(
    ("formula", "family", "peer"),
    [
        ("drvisits ~ private + age + chronic", "poisson", sm.families.Poisson()),
        ("private ~ age + educ", "binomial", sm.families.Binomial()),
        ("I(drvisits + 1) ~ age + educ", "gamma", sm.families.Gamma(sm.families.links.Log())),
    ],
)
def test_summary_frame_equals_statsmodels(formula, family, peer, visits):
    data = visits.iloc[:400].set_index(pd.Index([f"r{i}" for i in range(400)]))
    fit = ft.fit(formula, data, family=family, link="log" if family == "gamma" else None)
    theirs = smf.glm(formula, data, family=peer).fit(tol=1e-14, maxiter=200).get_influence(observed=False)
    expected, got = theirs.summary_frame(), fit.get_influence()
    table = got.summary_frame()
    assert list(table.columns) == list(expected.columns)
    assert table.index.equals(data.index)
    np.testing.assert_allclose(table / expected.abs().max(), expected / expected.abs().max(), atol=1e-7)
    for name in ("d_linpred", "d_linpred_scaled", "d_fittedvalues", "d_fittedvalues_scaled"):
        np.testing.assert_allclose(getattr(got, name), getattr(theirs, name), rtol=1e-6, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(got.cooks_distance[1], theirs.cooks_distance[1], rtol=1e-7)


def test_a_falling_link_keeps_its_signs(glm_fit):
    fit = glm_fit("wages_inverse")
    got = fit.get_influence()
    eta, slope = fit.predict(which="linear").to_numpy(), -1 / fit.predict(which="linear").to_numpy() ** 2
    x = fit.held_rows("test").design(fit.recipe)
    moved = np.array([(x.rows(i, i + 1).matvec(got.d_params[i])).item() for i in range(20)])
    np.testing.assert_allclose(got.d_linpred[:20], moved, rtol=1e-8)
    np.testing.assert_allclose(got.d_fittedvalues[:20], (slope * got.d_linpred)[:20], rtol=1e-8)
    assert (eta > 0).all()


def test_one_step_is_near_the_fit_without_the_row(glm_frame, glm_fit):
    data, fit = glm_frame("birthwt"), glm_fit("births_logit")
    row = int(np.nanargmax(fit.get_influence().cooks_distance[0]))
    without = fit.update(". ~ .", data.drop(index=row))
    change = (fit.params - without.params).to_numpy() / fit.bse.to_numpy()
    np.testing.assert_allclose(fit.get_influence().dfbetas[row], change, atol=0.1)
    assert np.abs(change).max() > 0.3


def test_frequency_weights_are_of_one_copy():
    data = pd.DataFrame({"y": [0, 1, 2, 5, 3, 1], "x": [0, 1, 2, 3, 4, 5], "m": [1, 2, 1, 3, 1, 2]})
    counted = ft.fit("y ~ x", data, family="poisson", weights="m", weights_type="frequency").get_influence()
    repeated = ft.fit("y ~ x", data.loc[data.index.repeat(data["m"])], family="poisson").get_influence()
    expected = repeated.summary_frame().groupby(level=0).first()
    np.testing.assert_allclose(counted.summary_frame(), expected, rtol=1e-8)


def test_leverage_of_one_is_said():
    data = pd.DataFrame({"y": [3, 1, 2, 5, 4], "x": [1.0, 2, 3, 4, 5], "g": ["a", "a", "b", "a", "a"]})
    fit = ft.fit("y ~ x + g", data, family="poisson")
    with pytest.warns(InferenceWarning, match=r"1 of 5 rows have leverage 1 \(first: row 2\)"):
        got = fit.get_influence()
    assert got.hat_matrix_diag[2] == 1
    assert np.isnan(got.cooks_distance[0][2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(np.delete(got.dfbetas, 2, axis=0)).all()


def test_an_aliased_column_is_nan_and_rows_are_needed(glm_frame):
    data = glm_frame("birthwt").assign(twice=lambda d: 2 * d["age"])
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.fit("low ~ age + twice + lwt", data, family="binomial")
    table = fit.get_influence().summary_frame()
    assert table["dfb_twice"].isna().all()
    plain = ft.fit("low ~ age + lwt", data, family="binomial").get_influence()
    np.testing.assert_allclose(table["cooks_d"], plain.cooks_distance[0], rtol=1e-8)
    with pytest.raises(DataRemovedError, match="get_influence needs the rows"):
        pickle.loads(pickle.dumps(fit)).get_influence()
    assert "largest Cook's distance" in repr(plain)
