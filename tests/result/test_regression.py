"""What a result offers beyond statsmodels' numbers: tables, updates, life without rows."""

from __future__ import annotations

import copy
import math

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataRemovedError, UnknownNameError
from formula_torch.present.tidy import GLOSSARY


@pytest.fixture(scope="module")
def fit(visits):
    return ft.fit("drvisits ~ private + age + I(educ > 12)", visits)


def test_tidy(fit) -> None:
    table = fit.tidy(conf_level=0.9)
    assert list(table.columns) == ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    np.testing.assert_array_equal(table["estimate"], fit.params)
    np.testing.assert_allclose(table[["conf_low", "conf_high"]], fit.conf_int(0.1))
    exponentiated = fit.tidy(exp=True)
    np.testing.assert_allclose(np.log(exponentiated["estimate"]), fit.params)
    np.testing.assert_allclose(np.log(exponentiated["conf_high"]), fit.conf_int()[1])


def test_glance(fit) -> None:
    table = fit.glance()
    assert len(table) == 1
    assert table.loc[0, "r_squared"] == fit.rsquared
    assert table.loc[0, "sigma"] == math.sqrt(fit.scale)


def test_every_column_is_in_the_glossary(fit) -> None:
    added = set(fit.augment().columns) - {"drvisits", "private", "age", "educ"}
    assert set(fit.tidy().columns) | set(fit.glance().columns) | added <= set(GLOSSARY)


def test_augment(fit, visits) -> None:
    own, given = fit.augment(), fit.augment(visits)
    pd.testing.assert_series_equal(own["resid"], fit.resid, check_names=False)
    pd.testing.assert_series_equal(given["fitted"], fit.fittedvalues, check_names=False)
    assert len(given.columns) == len(visits.columns) + 2


def test_update(fit, visits) -> None:
    smaller = fit.update(". ~ . - age")
    assert set(smaller.params.index) == {"Intercept", "private", "I(educ > 12)[T.True]"}
    np.testing.assert_allclose(smaller.rsquared, ft.fit("drvisits ~ private + I(educ > 12)", visits).rsquared)
    assert fit.update("log(. + 1) ~ .").recipe.response_name == "log(drvisits + 1)"
    assert "chronic" in fit.update(". ~ . + chronic").params
    assert "chronic" in fit.update(". ~ . + chronic", visits).params


def test_update_with_a_subset_when_the_table_is_gone(visits) -> None:
    fit = ft.fit("drvisits ~ age", visits.copy(), subset="educ > 10")
    assert fit.update(". ~ I(age^2)").nobs == fit.nobs


def test_update_when_the_table_is_gone(visits) -> None:
    fit = ft.fit("drvisits ~ age", visits.copy())
    assert list(fit.update(". ~ I(age^2)").params.index) == ["Intercept", "I(age ** 2)"]
    with pytest.raises(UnknownNameError, match=r"pass update\(formula, data\)"):
        fit.update(". ~ . + chronic")


def test_update_keeps_the_options(visits) -> None:
    fit = ft.fit("drvisits ~ age", visits, weights="educ", subset="age > 70")
    again = fit.update(". ~ . + age:educ", visits)
    assert again.nobs == fit.nobs
    assert again.model.weights_type == "analytic"


def test_remove_data(fit, visits) -> None:
    bare = fit.remove_data()
    assert str(bare) == str(fit)
    np.testing.assert_array_equal(bare.predict(visits), fit.predict(visits))
    for name in ("resid", "fittedvalues", "used"):
        with pytest.raises(DataRemovedError, match=name):
            getattr(bare, name)
    with pytest.raises(DataRemovedError):
        bare.update(". ~ . - age")
    assert fit.resid.notna().all()


def test_a_result_is_short_in_a_list(fit) -> None:
    shown = f"<RegressionFit 'drvisits ~ private + age + I(educ > 12)': 3677 observations, R2 {fit.rsquared:.4g}>"
    assert repr([fit]) == f"[{shown}]"


def test_a_copy_is_the_result_itself(fit) -> None:
    assert copy.copy(fit) is fit
    assert copy.deepcopy(fit) is fit


def test_results_cannot_be_changed_through_what_they_return(fit) -> None:
    params, covariance = fit.params, fit.cov_params()
    params.iloc[0] = covariance.iloc[0, 0] = 1e9
    assert fit.params.iloc[0] != 1e9
    assert fit.cov_params().iloc[0, 0] != 1e9


def test_conf_int_needs_a_level(fit) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit.conf_int(95)


def test_info_criteria_lists_what_it_knows(fit) -> None:
    with pytest.raises(ValueError, match="aicc"):
        fit.info_criteria("dic")


def test_a_frame_is_held_by_its_used_columns_only(visits) -> None:
    fit = ft.fit("drvisits ~ age", visits)
    assert fit.rows.frame.names == ("drvisits", "age")
    held = fit.rows.frame.table.to_native()["age"].to_numpy()
    assert np.shares_memory(held, visits["age"].to_numpy())
