"""Generalized linear models against R (glm, sandwich, car) and statsmodels on real data.

The records are written by tests/reference/glm/glm.R and glm_statsmodels.py; README.md there says how.
"""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft
from formula_torch.errors import CollinearityWarning

REFERENCE = Path(__file__).parent / "reference" / "glm"
MODELS = json.loads((REFERENCE / "models.json").read_text())
NEW_ROWS = json.loads((REFERENCE / "new_rows.json").read_text())
R = json.loads((REFERENCE / "glm_r.json").read_text())
STATSMODELS = json.loads((REFERENCE / "glm_statsmodels.json").read_text())
OPTIONS = ("link", "weights", "weights_type", "offset", "exposure")
RESIDUALS = ("resid_deviance", "resid_pearson", "resid_working", "resid_response")
TOLERANCE = 1e-7
# R has for its null deviance that of a linear predictor of zero, and statsmodels has one less for df_model; ours are
# those of a constant, and of all coefficients.
WITHOUT_CONSTANT = "visits_poisson_no_constant"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A thousand small problems are faster so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def frame(name):
    return pd.read_csv(REFERENCE / name)


def family(spelling):
    power = re.fullmatch(r"tweedie\((.*)\)", spelling)
    return ft.families.tweedie(float(power[1])) if power else spelling


@cache
def fitted(name):
    model = MODELS[name]
    options = {option: model[option] for option in OPTIONS if option in model}
    with warnings.catch_warnings():
        if model.get("dependent"):
            warnings.simplefilter("ignore", CollinearityWarning)
        return ft.fit(model["formula"], frame(model["data"]), family=family(model["family"]), **options)


def generalized(records):
    """All but the normal with its identity link: that is a linear regression here, with the vocabulary of those."""
    return [record for record in records if not is_linear(record)]


def is_linear(record):
    model = MODELS[record["model"]]
    return (model["family"], model["link"]) == ("gaussian", "identity")


def label(record):
    return f"{record['model']}-{record['peer'].split()[0]}"


def having(records, part):
    return [record for record in records if record.get(part)]


def per(records):
    return pytest.mark.parametrize("record", records, ids=label)


def numbers(values):
    return np.asarray(values, dtype=np.float64)  # None becomes NaN


def close(got, expected, *, unit=0.0, rtol=TOLERANCE):
    """To seven digits of the number, or of `unit` where that is larger; missing where the reference is."""
    got, expected = numbers(got), numbers(expected)
    assert got.shape == expected.shape
    size = np.fmax(np.abs(expected), unit)
    size = np.where(size > 0, size, 1.0)
    np.testing.assert_allclose(got / size, expected / size, rtol=0, atol=rtol)


def estimator(about):
    if about["estimator"] == "Cluster":
        return ft.vcov.Cluster(*about["by"], adjust=about["adjust"])
    return getattr(ft.vcov, about["estimator"])()


@cache
def classical(name):
    sampled = MODELS[name].get("weights_type") == "sampling"
    return fitted(name).with_vcov("iid") if sampled else fitted(name)


@cache
def of_rows(name, kind):
    return getattr(fitted(name), kind)


@cache
def influence_of(name):
    influence = classical(name).get_influence()
    return influence.hat_matrix_diag, influence.cooks_distance[0]


@cache
def predicted(name):
    return classical(name).get_prediction(new_rows(name))


def new_rows(name):
    return pd.DataFrame(NEW_ROWS[Path(MODELS[name]["data"]).name])


# -- estimates, errors, likelihood --------------------------------------------------------------------


@per(R + STATSMODELS)
def test_coefficients_and_errors(record):
    fit = classical(record["model"])
    assert set(fit.params.index) == set(record["terms"])
    close(fit.params[record["terms"]], record["params"], unit=np.nan_to_num(numbers(record["bse"])))
    close(fit.bse[record["terms"]], record["bse"])


@per(R)
def test_our_order_of_coefficients_is_that_of_r(record):
    assert list(fitted(record["model"]).params.index) == record["terms"]


@per(generalized(R + STATSMODELS))
def test_deviances_and_scale(record):
    fit = fitted(record["model"])
    for name in ("deviance", "scale", "df_resid"):
        close(getattr(fit, name), record[name])
    if (record["model"], record["peer"][0]) != (WITHOUT_CONSTANT, "R"):
        close(fit.null_deviance, record["null_deviance"])


@per(generalized(STATSMODELS))
def test_sizes_and_pearson_chi2(record):
    fit = fitted(record["model"])
    for name in ("pearson_chi2", "nobs"):
        close(getattr(fit, name), record[name])
    assert fit.df_model == record["df_model"] + (record["model"] == WITHOUT_CONSTANT)


@per([record for record in R if record["llf"] is not None])
def test_loglikelihood_of_r(record):
    close(fitted(record["model"]).llf, record["llf"])


@per(generalized(having(STATSMODELS, "llf")))
def test_likelihood_and_criteria_of_statsmodels(record):
    fit = fitted(record["model"])
    for name in ("llf", "llnull", "aic", "bic", "prsquared"):
        close(getattr(fit, name), record[name])


# -- covariances --------------------------------------------------------------------------------------


@per(having(R, "vcov"))
def test_robust_errors_of_r(record):
    fit = fitted(record["model"])
    for about in record["vcov"]:
        close(fit.with_vcov(estimator(about)).bse[record["terms"]], about["bse"])


@per([record for record in having(STATSMODELS, "vcov") if record["canonical"]])
def test_robust_errors_of_statsmodels(record):
    """About observed information there: ours where that is the expected one."""
    fit = fitted(record["model"])
    for about in record["vcov"]:
        close(fit.with_vcov(estimator(about)).bse[record["terms"]], about["bse"])


def test_sampling_weights_take_hc1():
    record = next(record for record in R if record["model"] == "visits_poisson_sampling")
    hc1 = next(about["bse"] for about in record["vcov"] if about["estimator"] == "HC1")
    close(fitted(record["model"]).bse, hc1)


# -- predictions, residuals, influence ----------------------------------------------------------------


@per(generalized(R))
def test_predictions_of_r(record):
    name, expected = record["model"], record["new"]
    fit, new, prediction = fitted(name), new_rows(name), predicted(name)
    close(fit.predict(new, which="linear"), expected["linear"], unit=numbers(expected["linear_se"]))
    close(fit.predict(new), expected["mean"])
    close(prediction.se_linpred, expected["linear_se"])
    close(prediction.se_mean, expected["mean_se"])


@per(generalized(STATSMODELS))
def test_predictions_of_statsmodels(record):
    """Under a link that falls statsmodels exchanges the ends of an interval."""
    table, expected = predicted(record["model"]).summary_frame(), record["new"]
    for name in ("mean", "mean_se"):
        close(table[name], expected[name])
    ends = np.sort([expected["mean_ci_lower"], expected["mean_ci_upper"]], axis=0)
    close([table["mean_ci_lower"], table["mean_ci_upper"]], ends)


@per(generalized(having(R + STATSMODELS, "rows")))
def test_residuals_and_fitted_values(record):
    name, rows = record["model"], record["rows"]
    close(of_rows(name, "fittedvalues").loc[rows["rows"]], rows["fittedvalues"])
    for kind in RESIDUALS:
        if kind in rows:
            close(of_rows(name, kind).loc[rows["rows"]], rows[kind], unit=1e-3)


@per(generalized(having(R + STATSMODELS, "rows")))
def test_influence(record):
    name, rows = record["model"], record["rows"]
    at = of_rows(name, "fittedvalues").index.get_indexer(rows["rows"])
    hat, cooks = influence_of(name)
    close(hat[at], rows["hat"])
    close(cooks[at], rows["cooks"])


# -- tests --------------------------------------------------------------------------------------------


@per([record for record in having(R, "tests") if record["tests"]["test"] == "LRT"])
def test_likelihood_ratio_tests(record):
    """Terms in turn."""
    tests, full = record["tests"], fitted(record["model"])
    larger = full
    for i in reversed(range(len(tests["terms"]))):
        smaller = larger.update(f". ~ . - {tests['terms'][i]}")
        test = larger.compare_lr_test(smaller)
        assert test.df_diff == tests["df"][i]
        close(test.statistic, tests["statistic"][i])
        close(test.pvalue, tests["p"][i], rtol=1e-6)
        larger = smaller


@per(generalized(having(R, "tests")))
@pytest.mark.parametrize("typ", [1, 2])
def test_analysis_of_deviance(record, typ):
    tests = record["tests"]
    prefix = "" if typ == 1 else "second_"
    table = ft.anova(fitted(record["model"]), typ=typ, style="R")
    terms = tests["terms" if typ == 1 else "second_terms"]
    table = table.loc[terms]
    close(table["Df"], tests[prefix + "df"])
    statistic = next(name for name in ("F value", "F", "LR Chisq", "Deviance") if name in table)
    close(table[statistic], tests[prefix + "statistic"])
    close(table.iloc[:, -1], tests[prefix + "p"], rtol=1e-6)


# -- discrete models ----------------------------------------------------------------------------------


@per(having(STATSMODELS, "discrete"))
def test_likelihood_of_discrete_models(record):
    fit, discrete = fitted(record["model"]), record["discrete"]
    for name in ("llf", "llnull", "prsquared", "llr", "aic", "bic"):
        close(getattr(fit, name), discrete[name])
    close(fit.llr_pvalue, discrete["llr_pvalue"], rtol=1e-6)


@per(having(STATSMODELS, "discrete"))
def test_marginal_effects(record):
    fit = fitted(record["model"])
    for margins in record["discrete"]["margins"]:
        effects = fit.get_margeff(**margins["options"])
        table = pd.DataFrame({"effect": effects.margeff, "se": effects.margeff_se}, index=list(fit.params.index[1:]))
        close(table["effect"][margins["terms"]], margins["margeff"], unit=numbers(margins["margeff_se"]))
        close(table["se"][margins["terms"]], margins["margeff_se"])


@per([record for record in having(STATSMODELS, "discrete") if record["discrete"]["pred_table"]])
def test_prediction_tables(record):
    assert fitted(record["model"]).pred_table().tolist() == record["discrete"]["pred_table"]


# -- the records --------------------------------------------------------------------------------------


def test_the_records_cover_families_links_weights_offsets_and_covariances():
    models = MODELS.values()
    assert len(MODELS) >= 60
    assert {"gaussian", "binomial", "poisson", "gamma", "inverse_gaussian", "quasipoisson", "quasibinomial"} <= {
        model["family"] for model in models
    }
    assert len({(model["family"], model["link"]) for model in models}) >= 23
    assert {model.get("weights_type") for model in models} == {None, "frequency", "sampling"}
    assert sum("offset" in model or "exposure" in model for model in models) >= 10
    assert sum(len(record["vcov"]) for record in R) >= 300
