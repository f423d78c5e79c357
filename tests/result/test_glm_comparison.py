"""Nested generalised linear models and tables of deviance against R's anova, car and lmtest, and by hand."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, InferenceWarning

NAMES = [
    *("births_logit", "births_probit", "insurance_trials", "insurance_poisson", "ships_poisson", "ships_quasi"),
    *("affairs_quasi", "wages_gamma", "wages_inverse", "wages_ig"),
]
SMALLER = {
    "births_logit": ". ~ . - lwt - race:smoke",
    "births_probit": ". ~ . - lwt - smoke",
    "insurance_trials": ". ~ . - engine",
    "insurance_poisson": ". ~ . - engine",
    "ships_poisson": ". ~ . - type",
    "ships_quasi": ". ~ . - type",
    "affairs_quasi": ". ~ . - age - gender",
    "wages_gamma": ". ~ . - union - education:gender",
    "wages_inverse": ". ~ . - experience",
    "wages_ig": ". ~ . - gender",
}


def restricted(name, fit):
    return fit.update(SMALLER[name])


# -- two models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_tests_of_nested_models_equal_r(name, glm_fit, r_says):
    says, fit = r_says[name]["smaller"], glm_fit(name)
    less = restricted(name, fit)
    lr = fit.compare_lr_test(less)
    np.testing.assert_allclose([lr.df_diff, lr.statistic, lr.pvalue], [says["df"], says["statistic"], says["p"]], 1e-7)
    np.testing.assert_allclose(fit.compare_lm_test(less).statistic, says["score"], rtol=1e-7)
    np.testing.assert_allclose(fit.compare_wald_test(less).statistic, says["wald"], rtol=1e-6)
    np.testing.assert_allclose(fit.with_vcov("HC0").compare_wald_test(less).statistic, says["wald_hc0"], rtol=1e-6)
    if says["aic"]:
        np.testing.assert_allclose([less.aic, fit.aic], says["aic"], rtol=1e-9)


def test_chi_squared_of_an_estimated_dispersion(glm_fit):
    fit = glm_fit("wages_gamma")
    less = restricted("wages_gamma", fit)
    chi2, f = fit.compare_lr_test(less, use_f=False), fit.compare_lr_test(less)
    np.testing.assert_allclose(chi2.statistic, 2 * f.statistic)
    np.testing.assert_allclose(chi2.pvalue, stats.chi2.sf(chi2.statistic, 2))
    np.testing.assert_allclose(f.pvalue, stats.f.sf(f.statistic, 2, fit.df_resid))


@pytest.mark.parametrize("vcov", ["HC0", {"cluster": "ftv"}])
def test_robust_score_test_by_hand(vcov, glm_fit, glm_frame):
    fit, data = glm_fit("births_probit"), glm_frame("birthwt")
    less = restricted("births_probit", fit)
    x = fit.held_rows("test").design(fit.recipe)
    dense = np.stack([x.matvec(row).numpy() for row in np.eye(x.k)], axis=1)
    eta, y = less.predict(which="linear").to_numpy(), data["low"].to_numpy()
    mu, slope = stats.norm.cdf(eta), stats.norm.pdf(eta)
    scores = dense * ((y - mu) * slope / (mu * (1 - mu)))[:, None]
    bread = np.linalg.inv(dense.T @ (dense * (slope**2 / (mu * (1 - mu)))[:, None]))
    if vcov != "HC0":
        cells = pd.DataFrame(scores).groupby(data["ftv"]).sum().to_numpy()
        n, k, g = *dense.shape, len(cells)
        meat = cells.T @ cells * g / (g - 1) * (n - 1) / (n - k)
    else:
        meat = scores.T @ scores
    step, v = bread @ scores.sum(0), bread @ meat @ bread
    tested = [fit.names.index(name) for name in fit.names if name not in less.names]
    expected = step[tested] @ np.linalg.solve(v[np.ix_(tested, tested)], step[tested])
    got = fit.compare_lm_test(less, vcov=vcov)
    np.testing.assert_allclose(got.statistic, expected, rtol=1e-8)
    np.testing.assert_allclose(got.pvalue, stats.chi2.sf(expected, len(tested)), rtol=1e-7)
    if vcov == "HC0":
        assert fit.with_vcov("HC0").compare_lm_test(less) == got
    else:
        with pytest.raises(DataError, match="say vcov="):
            fit.with_vcov(vcov).compare_lm_test(less)


def test_restrictions_that_are_not_terms(glm_frame):
    data = glm_frame("birthwt")
    fit = ft.fit("low ~ age + lwt + smoke", data, family="binomial")
    less = ft.fit("low ~ I(age + lwt) + smoke", data, family="binomial")
    np.testing.assert_allclose(
        fit.compare_wald_test(less).statistic, fit.wald_test("age = lwt", use_f=False).statistic, rtol=1e-8
    )
    # A coefficient fixed by an offset: the other offset is in the span.
    fixed = ft.fit("low ~ lwt + smoke + offset(0.02 * age)", data, family="binomial")
    test = fit.compare_wald_test(fixed)
    np.testing.assert_allclose(test.statistic, ((fit.params["age"] - 0.02) / fit.bse["age"]) ** 2, rtol=1e-7)
    np.testing.assert_allclose(fit.compare_lr_test(fixed).statistic, fixed.deviance - fit.deviance, rtol=1e-9)
    score = fit.compare_lm_test(fixed)
    assert abs(score.statistic / test.statistic - 1) < 0.1


def test_what_cannot_be_compared(glm_frame, glm_fit):
    data, fit = glm_frame("birthwt"), glm_fit("births_logit")
    with pytest.raises(DataError, match=r"binomial \(probit\) and binomial \(logit\) are not nested"):
        fit.compare_lr_test(glm_fit("births_probit"))
    with pytest.raises(DataError, match="are not nested"):
        fit.compare_lr_test(ft.fit("low ~ ptl", data, family="binomial"))
    with pytest.raises(DataError, match="different rows"):
        fit.compare_lr_test(ft.fit("low ~ age", data.iloc[5:], family="binomial"))
    with pytest.raises(DataError, match="have different"):
        fit.compare_lr_test(ft.fit("low ~ age", data.assign(low=1 - data["low"]), family="binomial"))
    with pytest.raises(TypeError, match="compared with another one"):
        fit.compare_lr_test(ft.fit("low ~ age", data))
    with pytest.raises(ValueError, match="dispersion of the binomial family is known"):
        fit.compare_lr_test(fit.update("low ~ age"), use_f=True)
    with pytest.raises(DataRemovedError):
        pickle.loads(pickle.dumps(fit)).compare_wald_test(fit.update("low ~ age"))


def test_rows_that_are_gone_are_known_by_their_sums(glm_frame):
    data = glm_frame("birthwt")
    fit, less = (ft.fit(f"low ~ {x}", data, family="binomial") for x in ("age + lwt", "age"))
    expected, bare = fit.compare_lr_test(less), less.remove_data()
    assert fit.compare_lr_test(bare) == expected
    other = ft.fit("low ~ age", data.assign(low=np.roll(data["low"], 1) * (data["lwt"] > 100)), family="binomial")
    with pytest.raises(DataError, match="different"):
        fit.compare_lr_test(other.remove_data())


def test_trials_given_in_two_ways_are_one_response(glm_frame):
    data = glm_frame("insurance").assign(share=lambda d: d["claims"] / (d["claims"] + d["others"]))
    fit = ft.fit("cbind(claims, others) ~ district + age", data, family="binomial")
    weighted = ft.fit("share ~ district + age", data, family="binomial", weights="holders")
    less = [f.update(". ~ . - district") for f in (fit, weighted)]
    np.testing.assert_allclose(
        fit.compare_lr_test(less[0]).statistic, weighted.compare_lr_test(less[1]).statistic, rtol=1e-9
    )
    other = ft.fit("cbind(claims, holders) ~ age", data, family="binomial")
    with pytest.raises(DataError, match="have different response"):
        fit.compare_lr_test(other)


def test_robust_covariances_are_warned_of(glm_fit):
    fit = glm_fit("births_logit")
    less = fit.update("low ~ age + lwt")
    with pytest.warns(InferenceWarning, match="likelihood ratio test assumes the variance of the family") as caught:
        fit.with_vcov("HC1").compare_lr_test(less)
    assert caught[0].filename == __file__


# -- tables ---------------------------------------------------------------------------------------


def check(table, says, pairs):
    for ours, theirs in pairs.items():
        expected = np.array([np.nan if v is None else v for v in says[theirs]], dtype=float)
        got = table[ours].to_numpy()
        np.testing.assert_allclose(got, expected, rtol=2e-7, atol=1e-300, err_msg=ours)


@pytest.mark.parametrize("name", NAMES)
def test_type_one_equals_r(name, glm_fit, r_says):
    says, fit = r_says[name]["tables"]["first"], glm_fit(name)
    table = ft.anova(fit, style="R")
    assert list(table.index) == says["terms"]
    columns = ["Df", "Deviance", "Resid. Df", "Resid. Dev"]
    columns += ["F", "Pr(>F)"] if "F" in says else ["Pr(>Chi)"]
    assert list(table.columns) == columns
    check(table, says, {c: c for c in columns})
    if "F" in says:
        by_chi2 = fit.anova(test="LR", style="R")
        check(by_chi2, r_says[name]["tables"]["first_chi"], {"Pr(>Chi)": "Pr(>Chi)"})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("typ", "which"), [(2, "second"), (3, "third")])
def test_types_two_and_three_equal_car(name, typ, which, glm_fit, r_says):
    says, fit = r_says[name]["tables"][which], glm_fit(name)
    table = fit.anova(typ=typ, style="R")
    if which == "third" and "(Intercept)" not in says["terms"]:
        table = table.drop(index="(Intercept)")
    assert list(table.index) == says["terms"]
    if "LR Chisq" in says:
        check(table, says, {c: c for c in ("LR Chisq", "Df", "Pr(>Chisq)")})
        return
    theirs = "F value" if "F value" in says else "F values"
    check(table, says, {"Sum Sq": "Sum Sq", "Df": "Df", "F value": theirs, "Pr(>F)": "Pr(>F)"})


@pytest.mark.parametrize("name", NAMES)
def test_wald_tables_equal_car(name, glm_fit, r_says):
    table = ft.anova(glm_fit(name), typ="II", vcov="HC0", style="R")
    says = r_says[name]["tables"]["wald"]
    assert list(table.index) == says["terms"]
    np.testing.assert_allclose(table["Chisq"], says["Chisq"], rtol=2e-6)
    np.testing.assert_allclose(table["Df"], says["Df"])


def test_likelihood_ratios_of_a_dispersed_family(glm_fit, r_says):
    table = glm_fit("wages_gamma").anova(typ=2, test="LR", style="R")
    check(table, r_says["wages_gamma"]["tables"]["second_lr"], {"LR Chisq": "LR Chisq", "Pr(>Chisq)": "Pr(>Chisq)"})


def test_several_models(glm_fit):
    fit = glm_fit("wages_gamma")
    small, middle = fit.update("wage ~ education"), fit.update("wage ~ education + gender + experience")
    table = ft.anova(small, middle, fit)
    assert list(table.columns) == ["df_resid", "deviance", "df_diff", "deviance_diff", "F", "Pr(>F)"]
    np.testing.assert_allclose(table["deviance_diff"].iloc[2], middle.deviance - fit.deviance, rtol=1e-10)
    np.testing.assert_allclose(table["F"].iloc[1], (small.deviance - middle.deviance) / 2 / fit.scale, rtol=1e-9)
    np.testing.assert_allclose(table["Pr(>F)"].iloc[1], stats.f.sf(table["F"].iloc[1], 2, fit.df_resid), rtol=1e-7)
    robust = small.anova(middle, fit, vcov="HC1")
    expected = fit.with_vcov("HC1").compare_wald_test(middle.with_vcov("HC1"))
    np.testing.assert_allclose(robust["chi2"].iloc[2], expected.statistic)
    assert list(ft.anova(small, fit, style="R").index) == [1, 2]
    with pytest.raises(DataError, match="from the smallest to the largest"):
        ft.anova(fit, small)
    with pytest.raises(ValueError, match="for one model"):
        ft.anova(small, fit, typ=2)


def test_without_a_constant_nothing_is_the_offset_alone(glm_frame):
    data = glm_frame("ships")
    fit = ft.fit("incidents ~ 0 + construction + operation + offset(log_service)", data, family="poisson")
    y, mu = data["incidents"], np.exp(data["log_service"])
    alone = 2 * np.sum(np.where(y > 0, y * np.log(np.maximum(y, 1) / mu), 0) - (y - mu))
    table = fit.anova()
    np.testing.assert_allclose(table.loc["Null", "resid_deviance"], alone, rtol=1e-10)
    assert table.loc["Null", "df_resid"] == len(data)
    np.testing.assert_allclose(table["resid_deviance"].iloc[-1], fit.deviance)


def test_a_dependent_term_takes_nothing(glm_frame):
    data = glm_frame("birthwt").assign(twice=lambda d: 2 * d["age"] + d["lwt"])
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("low ~ age + lwt + twice + smoke", data, family="binomial")
    table = fit.anova()
    assert table.loc["twice", "df"] == 0
    assert np.isnan(table.loc["twice", "chi2"])
    plain = ft.fit("low ~ age + lwt + smoke", data, family="binomial").anova()
    np.testing.assert_allclose(table.loc["smoke"], plain.loc["smoke"], rtol=1e-8)


def test_clustered_errors_give_f(glm_fit):
    fit = glm_fit("births_logit").with_vcov({"cluster": "ftv"})
    table = fit.anova(typ=3)
    expected = fit.wald_test_terms().table
    np.testing.assert_allclose(table.loc["race", "F"], expected.loc["race", "statistic"], rtol=1e-9)
    np.testing.assert_allclose(table.loc["race", "PR(>F)"], expected.loc["race", "pvalue"], rtol=1e-9)


def test_tables_refuse_and_warn(glm_fit):
    fit = glm_fit("births_logit")
    with pytest.raises(ValueError, match="binomial family is known"):
        fit.anova(test="F")
    with pytest.raises(ValueError, match="'LR', 'F', 'Wald'"):
        fit.anova(test="Rao")
    with pytest.raises(ValueError, match="use 1, 2 or 3"):
        fit.anova(typ=4)
    with pytest.raises(ValueError, match="test= is for generalised"):
        ft.anova(ft.fit("low ~ age", fit.held_rows("test").frame.table), test="LR")
    with pytest.raises(TypeError, match="of one kind"):
        ft.anova(ft.fit("low ~ age", fit.held_rows("test").frame.table), fit)
    with pytest.warns(InferenceWarning, match="test='Wald' uses that") as caught:
        fit.anova(test="LR", vcov="HC1")
    assert caught[0].filename == __file__


# -- beside one another ---------------------------------------------------------------------------


def test_compare(glm_fit):
    fit = glm_fit("births_logit")
    less = fit.update("low ~ age + race + smoke")
    table = ft.compare({"less": less, "all": fit}, test="LR")
    assert list(table.columns) == [
        *("model", "family", "link", "nobs", "df_model", "df_resid", "llf", "aic", "bic", "deviance", "scale"),
        *("delta_aic", "df_diff", "statistic", "p_value"),
    ]
    np.testing.assert_allclose(table["statistic"].iloc[1], fit.compare_lr_test(less).statistic)
    np.testing.assert_allclose(
        table["delta_aic"], [less.aic - min(less.aic, fit.aic), fit.aic - min(less.aic, fit.aic)]
    )
    for test, method in (("LM", fit.compare_lm_test), ("Wald", fit.compare_wald_test)):
        np.testing.assert_allclose(ft.compare(less, fit, test=test)["p_value"].iloc[1], method(less).pvalue)
    with pytest.raises(ValueError, match="test='F' is of linear regressions"):
        ft.compare(less, fit, test="F")


def test_compare_families(glm_fit, glm_frame):
    logit, probit = glm_fit("births_logit"), glm_fit("births_probit")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = ft.compare(probit, logit)
    assert table["link"].tolist() == ["probit", "logit"]
    counts = ft.fit("wage ~ education", glm_frame("wages"), family="quasipoisson")
    with pytest.raises(DataError, match=r"counts and of measurements \(quasipoisson, gamma\)"):
        ft.compare(counts, glm_fit("wages_gamma"))
    inverse = glm_fit("wages_ig")
    assert ft.compare(glm_fit("wages_gamma"), inverse)["family"].tolist() == ["gamma", "inverse_gaussian"]
    with pytest.raises(DataRemovedError, match="different families"):
        ft.compare(glm_fit("wages_gamma"), inverse.remove_data())
    with pytest.raises(TypeError, match="all generalised linear models"):
        ft.compare(logit, ft.fit("low ~ age", glm_frame("birthwt")))
