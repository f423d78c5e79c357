"""Generalised linear models beside statsmodels' own, attribute by attribute, on real data."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as theirs
from statsmodels.genmod.families import links

import formula_torch.smf as ours
from formula_torch.errors import DataError, DataRemovedError, FormulaError, InferenceWarning

DATA = Path(__file__).parents[1] / "reference" / "glm"
LEAVE = ("family", "model", "cov_kwds", "fit_history", "mle_settings", "mle_retvals", "converged", "n_groups")
FAMILIES = sm.families


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """A survey of 601 with whole numbers as weights, and an index of its own."""
    frame = pd.read_csv(DATA / "affairs.csv").rename(columns={"any": "had"})
    frame["w"] = frame["rating"]
    frame["years"] = frame["yearsmarried"] + 1
    frame["paid"] = np.exp(frame["education"] / 10) * (1 + frame["affairs"] / 5 + frame["age"] / 30)
    frame["log_age"] = np.log(frame["age"] / 32)
    frame["tries"] = frame["occupation"] + 1
    frame["wins"] = np.minimum(frame["affairs"], frame["tries"])
    frame["losses"] = frame["tries"] - frame["wins"]
    frame["share"] = frame["wins"] / frame["tries"]
    return frame.set_index(pd.Index([f"p{i}" for i in range(len(frame))]))


COUNTS = "affairs ~ age + C(gender) + religiousness"
CHANCES = "had ~ age + C(gender) + religiousness"
AMOUNTS = "paid ~ age + C(gender) + religiousness"
PAIRS = "wins + losses ~ age + C(gender) + religiousness"
SHARES = "share ~ age + C(gender) + religiousness"

# Formula, family, row arguments by column, options of the fit.
CASES: dict[str, tuple[str, Any, dict[str, str], dict[str, Any]]] = {
    "normal": (AMOUNTS, None, {}, {}),
    "normal t": (AMOUNTS, FAMILIES.Gaussian(), {}, {"use_t": True}),
    "normal log": (AMOUNTS, FAMILIES.Gaussian(links.Log()), {}, {}),
    "normal var": (AMOUNTS, FAMILIES.Gaussian(), {"var_weights": "w"}, {}),
    "normal freq": (AMOUNTS, FAMILIES.Gaussian(), {"freq_weights": "w"}, {"cov_type": "HC0"}),
    "normal inverse": (AMOUNTS, FAMILIES.Gaussian(links.InversePower()), {}, {"cov_type": "HC1"}),
    "poisson": (COUNTS, FAMILIES.Poisson(), {}, {}),
    "poisson without a constant": ("affairs ~ age - 1", FAMILIES.Poisson(), {}, {}),
    "poisson all levels": (COUNTS + " - 1", FAMILIES.Poisson(), {}, {}),
    "poisson offset": (COUNTS, FAMILIES.Poisson(), {"offset": "log_age"}, {}),
    "poisson exposure": (COUNTS, FAMILIES.Poisson(), {"offset": "log_age", "exposure": "years"}, {"cov_type": "HC3"}),
    "poisson freq": (COUNTS, FAMILIES.Poisson(), {"freq_weights": "w"}, {"cov_type": "HC1"}),
    "poisson var": (COUNTS, FAMILIES.Poisson(), {"var_weights": "w"}, {}),
    "poisson sqrt": (COUNTS, FAMILIES.Poisson(links.Sqrt()), {}, {"cov_type": "HC0"}),
    "poisson X2": (COUNTS, FAMILIES.Poisson(), {}, {"scale": "X2"}),
    "poisson dev": (COUNTS, FAMILIES.Poisson(), {}, {"scale": "dev"}),
    "poisson scale": (COUNTS, FAMILIES.Poisson(), {}, {"scale": 2.5}),
    "binomial": (CHANCES, FAMILIES.Binomial(), {}, {}),
    "binomial X2": (CHANCES, FAMILIES.Binomial(), {}, {"scale": "X2"}),
    "binomial freq": (CHANCES, FAMILIES.Binomial(), {"freq_weights": "w"}, {}),
    "probit": (CHANCES, FAMILIES.Binomial(links.Probit()), {}, {}),
    "probit HC0": (CHANCES, FAMILIES.Binomial(links.Probit()), {}, {"cov_type": "HC0"}),
    "probit newton": (CHANCES, FAMILIES.Binomial(links.Probit()), {}, {"method": "newton"}),
    "probit eim": (CHANCES, FAMILIES.Binomial(links.Probit()), {}, {"method": "newton", "cov_type": "eim"}),
    "cloglog": (CHANCES, FAMILIES.Binomial(links.CLogLog()), {}, {"cov_type": "HC0"}),
    "loglog": (CHANCES, FAMILIES.Binomial(links.LogLog()), {}, {"cov_type": "HC0"}),
    "cauchit": (CHANCES, FAMILIES.Binomial(links.Cauchy()), {}, {}),
    "pairs": (PAIRS, FAMILIES.Binomial(), {}, {"cov_type": "HC0"}),
    "pairs offset": (PAIRS, FAMILIES.Binomial(), {"offset": "log_age"}, {}),
    "shares": (SHARES, FAMILIES.Binomial(), {}, {}),
    "shares of trials": (SHARES, FAMILIES.Binomial(), {"var_weights": "tries"}, {}),
    "gamma": (AMOUNTS, FAMILIES.Gamma(), {}, {}),
    "gamma log": (AMOUNTS, FAMILIES.Gamma(links.Log()), {}, {"cov_type": "HC0", "use_t": True}),
    "gamma newton": (AMOUNTS, FAMILIES.Gamma(links.Log()), {}, {"method": "newton"}),
    "gamma var": (AMOUNTS, FAMILIES.Gamma(links.Identity()), {"var_weights": "w"}, {}),
    "gamma freq": (AMOUNTS, FAMILIES.Gamma(links.Log()), {"freq_weights": "w"}, {"cov_type": "HC0"}),
    "inverse gaussian": (AMOUNTS, FAMILIES.InverseGaussian(links.InversePower()), {}, {}),
    "inverse gaussian log": (AMOUNTS, FAMILIES.InverseGaussian(links.Log()), {}, {}),
    "tweedie": (COUNTS, FAMILIES.Tweedie(var_power=1.5), {}, {}),
    "tweedie var": (COUNTS, FAMILIES.Tweedie(var_power=1.3), {"var_weights": "w"}, {"cov_type": "HC0"}),
    "tweedie of power one": (COUNTS, FAMILIES.Tweedie(var_power=1), {}, {}),
    "negative binomial": (COUNTS, FAMILIES.NegativeBinomial(alpha=0.7), {}, {}),
    "negative binomial HC0": (COUNTS, FAMILIES.NegativeBinomial(alpha=2), {}, {"cov_type": "HC0"}),
}


def fitted(module: Any, case: str, data: pd.DataFrame, **further: Any) -> Any:
    formula, family, rows, options = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = module.glm(formula, data, family=family, **{k: data[v] for k, v in rows.items()})
        return model.fit(**options, **further)


def both(case: str, data: pd.DataFrame) -> tuple[Any, Any]:
    return fitted(ours, case, data), fitted(theirs, case, data, tol=1e-13)


@pytest.mark.parametrize("case", CASES)
def test_every_attribute(case: str, data: pd.DataFrame, compare) -> None:
    one, other = both(case, data)
    compare(one, other, leave=LEAVE)
    np.testing.assert_allclose(one.cov_params(), other.cov_params(), rtol=1e-7)
    pd.testing.assert_frame_equal(one.conf_int(0.1), other.conf_int(0.1), rtol=1e-7, atol=1e-7)
    for kind in ("cs", "mcf"):
        assert one.pseudo_rsquared(kind) == pytest.approx(other.pseudo_rsquared(kind), rel=1e-7)
    assert one.llf_scaled(1.7) == pytest.approx(other.llf_scaled(1.7), rel=1e-9)
    for criterion in ("aic", "bic"):
        assert one.info_criteria(criterion, dk_params=1) == pytest.approx(other.info_criteria(criterion, dk_params=1))
    header, expected = (
        [[str(cell).strip() for cell in row] for row in r.summary().tables[0].data if "Iterations" not in row[0]]
        for r in (one, other)
    )
    skipped = ("Date:", "Time:")
    assert [r[2:] if r[0] in skipped else r for r in header] == [r[2:] if r[0] in skipped else r for r in expected]


@pytest.mark.parametrize("case", ["poisson", "pairs", "probit HC0", "gamma log", "normal t", "negative binomial"])
def test_tables(case: str, data: pd.DataFrame) -> None:
    one, other = both(case, data)
    for mine, expected in zip(one.summary().tables[1].data[1:], other.summary().tables[1].data[1:], strict=True):
        assert mine[0] == expected[0].strip()
        # Ours shows more digits of small numbers.
        np.testing.assert_allclose([float(x) for x in mine[1:]], [float(x) for x in expected[1:]], atol=6e-4)
    for mine, expected in zip(one.summary2().tables, other.summary2().tables, strict=True):
        assert mine.shape == expected.shape
    pd.testing.assert_frame_equal(one.summary2().tables[1], other.summary2().tables[1], rtol=1e-7, atol=1e-9)
    mine, expected = (r.summary2().tables[0].map(lambda cell: str(cell).strip()) for r in (one, other))
    same = mine == expected
    assert (same | (mine[0] == "Date:").to_numpy()[:, None]).all().all()


@pytest.mark.parametrize("case", ["poisson exposure", "probit", "gamma log", "normal", "pairs"])
def test_predictions(case: str, data: pd.DataFrame) -> None:
    one, other = both(case, data)
    new = data.iloc[::50].drop(columns=["affairs", "had", "paid", "wins", "losses"])
    for which in ("mean", "linear", "var_unscaled"):
        for mine, expected in (
            (one.predict(new, which=which), other.predict(new, which=which)),
            (one.predict(which=which), other.predict(which=which)),
        ):
            assert type(mine) is type(expected)
            np.testing.assert_allclose(mine, expected, rtol=1e-7)
    offset = np.linspace(0, 1, len(new))
    np.testing.assert_allclose(one.predict(new, offset=offset), other.predict(new, offset=offset), rtol=1e-7)
    np.testing.assert_allclose(one.predict(new, offset=0.5), other.predict(new, offset=0.5), rtol=1e-7)
    exog = other.model.data.orig_exog.iloc[:4]
    np.testing.assert_allclose(one.predict(exog, transform=False), other.predict(exog, transform=False), rtol=1e-7)
    np.testing.assert_allclose(one.model.predict(one.params, exog), other.model.predict(other.params, exog), rtol=1e-7)
    for options in ({}, {"which": "mean"}, {"which": "linear"}):
        mine, expected = (r.get_prediction(new, **options).summary_frame(0.1) for r in (one, other))
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-7)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bounds_of_a_falling_link_are_in_order(data: pd.DataFrame) -> None:
    one, other = (r.get_prediction(data[:5]).summary_frame() for r in both("gamma", data))
    assert (one["mean_ci_lower"] < one["mean_ci_upper"]).all()
    np.testing.assert_allclose(one["mean_ci_lower"], other["mean_ci_upper"], rtol=1e-7)


@pytest.mark.parametrize("case", ["poisson", "gamma log", "probit HC0", "poisson freq", "binomial X2"])
@pytest.mark.parametrize("observed", [True, False])
def test_leverage(case: str, observed: bool, data: pd.DataFrame) -> None:
    one, other = (r.get_hat_matrix_diag(observed=observed) for r in both(case, data))
    np.testing.assert_allclose(one, other, rtol=1e-7)


@pytest.mark.parametrize("case", ["poisson", "binomial", "gamma log"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # theirs divide by zero
def test_margins_and_tests(case: str, data: pd.DataFrame) -> None:
    one, other = both(case, data)
    for at, method in (("overall", "dydx"), ("mean", "eydx"), ("zero", "dydx"), ("median", "dyex")):
        mine, expected = (r.get_margeff(at=at, method=method).summary_frame() for r in (one, other))
        # Their derivatives are numerical.
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-5, atol=1e-9)
    for hypothesis in ("age = 0", "age = religiousness", "C(gender)[T.male] = 0.2, age = 0"):
        mine, expected = (r.t_test(hypothesis).summary_frame() for r in (one, other))
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-7, atol=1e-12)
        mine, expected = (r.wald_test(hypothesis) for r in (one, other))
        assert mine.statistic == pytest.approx(other.wald_test(hypothesis, scalar=True).statistic, rel=1e-7)
        assert mine.pvalue == pytest.approx(float(expected.pvalue), rel=1e-7)
    assert one.f_test("age = 0").pvalue == pytest.approx(float(other.f_test("age = 0").pvalue), rel=1e-7)


def test_influence_of_a_canonical_link(data: pd.DataFrame) -> None:
    one, other = (r.get_influence() for r in both("poisson", data))
    pd.testing.assert_frame_equal(one.summary_frame(), other.summary_frame(), rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(one.hat_matrix_diag, other.hat_matrix_diag, rtol=1e-7)


COVARIANCES = {
    "cluster": ("cluster", lambda d: {"groups": d["occupation"]}),
    "uncorrected": ("cluster", lambda d: {"groups": d["occupation"], "use_correction": False}),
    "n - k": ("cluster", lambda d: {"groups": d["occupation"], "df_correction": False}),
    "scaled": ("cluster", lambda d: {"groups": d["occupation"], "scaling_factor": 1.5}),
    "two ways": ("cluster", lambda d: {"groups": d[["occupation", "education"]]}),
    "HAC": ("HAC", lambda d: {"maxlags": 3}),
    "HAC corrected": ("HAC", lambda d: {"maxlags": 3, "use_correction": True}),
    "panel": ("hac-panel", lambda d: {"groups": d["gender"], "maxlags": 2}),
}


@pytest.mark.parametrize("use_t", [None, True])
@pytest.mark.parametrize("kind", COVARIANCES)
@pytest.mark.parametrize("case", ["poisson", "probit", "gamma log"])
def test_covariances(case: str, kind: str, use_t: bool | None, data: pd.DataFrame) -> None:
    cov_type, kwds = COVARIANCES[kind]
    formula, family, _, _ = CASES[case]
    ordered = data.sort_values("gender", kind="stable")
    options = {"cov_type": cov_type, "cov_kwds": kwds(ordered), "use_t": use_t}
    one = ours.glm(formula, ordered, family=family).fit(**options)
    their_kwds = {
        k: np.unique(v, return_inverse=True)[1] if k == "groups" and np.ndim(v) == 1 else v
        for k, v in kwds(ordered).items()
    }
    other = theirs.glm(formula, ordered, family=family).fit(tol=1e-13, **{**options, "cov_kwds": their_kwds})
    for name in ("bse", "pvalues"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-7, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(one.conf_int(), other.conf_int(), rtol=1e-7)
    assert (one.cov_type, one.use_t) == (other.cov_type, other.use_t)


def test_clusters_with_frequencies(data: pd.DataFrame) -> None:
    kwds = {"cov_type": "cluster", "cov_kwds": {"groups": data["occupation"]}}
    one = ours.glm(COUNTS, data, family=FAMILIES.Poisson(), freq_weights=data["w"]).fit(**kwds)
    with pytest.warns(sm.tools.sm_exceptions.SpecificationWarning):
        other = theirs.glm(COUNTS, data, family=FAMILIES.Poisson(), freq_weights=data["w"]).fit(tol=1e-13, **kwds)
    np.testing.assert_allclose(one.bse, other.bse, rtol=1e-7)


def test_missing_values_and_subsets(data: pd.DataFrame) -> None:
    holes = data.assign(age=data["age"].mask(data["age"] == 27), w=data["w"] + 1.0)
    subset = holes["education"] > 14
    options = {"family": FAMILIES.Poisson(), "subset": subset, "offset": holes.loc[subset, "log_age"]}
    one = ours.glm(COUNTS, holes, **options).fit()
    other = theirs.glm(COUNTS, holes, **options).fit(tol=1e-13)
    pd.testing.assert_series_equal(one.bse, other.bse, rtol=1e-7)
    pd.testing.assert_series_equal(one.resid_response, other.resid_response, rtol=1e-7)
    with pytest.raises(DataError, match="age"):
        ours.glm(COUNTS, holes, family="poisson", missing="raise")


def test_models_hold_what_theirs_do(data: pd.DataFrame) -> None:
    one = ours.glm(
        COUNTS, data, family="poisson", offset=data["log_age"], exposure=data["years"], var_weights=data["w"]
    )
    other = theirs.glm(
        COUNTS, data, family=FAMILIES.Poisson(), offset=data["log_age"], exposure=data["years"], var_weights=data["w"]
    )
    for name in ("exog", "endog", "offset", "exposure", "freq_weights", "var_weights", "iweights", "n_trials"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, err_msg=name)
    for name in ("nobs", "wnobs", "df_model", "df_resid", "k_constant", "exog_names", "endog_names", "formula"):
        assert getattr(one, name) == getattr(other, name), name
    pairs, expected = (m.glm(PAIRS, data, family=FAMILIES.Binomial()) for m in (ours, theirs))
    assert pairs.endog_names == expected.endog_names
    np.testing.assert_allclose(pairs.endog, expected.endog)
    np.testing.assert_allclose(pairs.n_trials, expected.n_trials)
    pd.testing.assert_frame_equal(pairs.data.orig_endog, expected.data.orig_endog, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize(
    "family",
    [
        FAMILIES.Poisson(links.Sqrt()),
        FAMILIES.Poisson(links.Power(power=0.5), check_link=False),
        "poisson",
        FAMILIES.NegativeBinomial(alpha=0.7),
        FAMILIES.Tweedie(var_power=1.5),
    ],
)
def test_pickles_have_no_rows(family: Any, data: pd.DataFrame, tmp_path: Path) -> None:
    fit = ours.glm(COUNTS, data, family=family).fit(cov_type="HC0")
    text = pickle.dumps(fit)
    assert len(text) < 20_000
    again = pickle.loads(text)
    assert again.summary().tables[1].data == fit.summary().tables[1].data
    pd.testing.assert_series_equal(again.predict(data[:9]), fit.predict(data[:9]))
    with pytest.raises(DataRemovedError):
        _ = again.resid_deviance
    fit.save(tmp_path / "fit.pickle")
    pd.testing.assert_series_equal(ours.GLMResults.load(tmp_path / "fit.pickle").bse, fit.bse)


@pytest.mark.parametrize(
    "case", ["poisson exposure", "pairs", "gamma freq", "shares of trials", "probit newton", "tweedie"]
)
def test_to_statsmodels(case: str, data: pd.DataFrame) -> None:
    fit = fitted(ours, case, data)
    other = fit.to_statsmodels()
    assert type(other.model).__module__.startswith("statsmodels")
    np.testing.assert_allclose(fit.bse, other.bse, rtol=1e-6)
    assert fit.llf == pytest.approx(other.llf, rel=1e-8)


def test_update_keeps_the_family_and_the_covariance(data: pd.DataFrame) -> None:
    fit = ours.glm(COUNTS, data, family=FAMILIES.Poisson(), exposure=data["years"]).fit(cov_type="HC0", scale="X2")
    new = fit.update(". ~ . + education")
    other = theirs.glm(COUNTS + " + education", data, family=FAMILIES.Poisson(), exposure=data["years"]).fit(
        tol=1e-13, cov_type="HC0", scale="X2"
    )
    pd.testing.assert_series_equal(new.bse, other.bse, rtol=1e-7)
    assert new.scale == pytest.approx(other.scale, rel=1e-9)


def test_two_categories_are_the_other_way_round(data: pd.DataFrame) -> None:
    with pytest.warns(
        InferenceWarning, match=r"`gender` is 'male'; statsmodels' GLM models that of 'female'"
    ) as caught:
        one = ours.glm("gender ~ age", data, family=FAMILIES.Binomial()).fit()
    assert caught[0].filename == __file__
    other = theirs.glm("gender ~ age", data, family=FAMILIES.Binomial()).fit(tol=1e-13)
    np.testing.assert_allclose(one.params, -other.params, rtol=1e-7)
    np.testing.assert_allclose(one.bse, other.bse, rtol=1e-7)
    assert "P(gender = 'male')" in str(one.summary())


def test_weights_count_in_margins(data: pd.DataFrame) -> None:
    fit = ours.glm(COUNTS, data, family="poisson", freq_weights=data["w"]).fit()
    with pytest.warns(InferenceWarning, match="leaves weights and exposure out"):
        weighted = fit.get_margeff().margeff
    copies = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    expected = theirs.glm(COUNTS, copies, family=FAMILIES.Poisson()).fit(tol=1e-13).get_margeff().margeff
    np.testing.assert_allclose(weighted, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: ours.glm(COUNTS, d, family=FAMILIES.Poisson), ValueError, r"pass an object.*Poisson\(\)"),
        (lambda d: ours.glm(COUNTS, d, family=3), ValueError, "family=3 is not known"),
        (lambda d: ours.glm(COUNTS, d, family="poison"), ValueError, "'poison' is not known"),
        (lambda d: ours.glm(CHANCES, d, family=FAMILIES.Binomial(links.LogC())), NotImplementedError, "LogC"),
        (lambda d: ours.glm(COUNTS, d, family=FAMILIES.Tweedie(var_power=1.5, eql=True)), NotImplementedError, "eql"),
        (lambda d: ours.glm(CHANCES, d, family="binomial", exposure=d["w"]), ValueError, "log link"),
        (lambda d: ours.glm(COUNTS, d, freq_weights=d["w"], var_weights=d["w"]), NotImplementedError, "together"),
        (lambda d: ours.glm(PAIRS, d, family="binomial", var_weights=d["w"]), NotImplementedError, "successes"),
        (lambda d: ours.glm(PAIRS, d, family="poisson"), FormulaError, "2 columns"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit(method="irsl"), ValueError, "'irsl' is not known"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit(maxit=9), TypeError, "no argument 'maxit'"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit(scale="x3"), ValueError, "'x3' is not known"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit(maxiter=0), NotImplementedError, "maxiter=0"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit(cov_type="cluster-jk"), ValueError, "cluster-jk"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit().score_test(), NotImplementedError, "to_statsmodels"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit().get_margeff(at="all"), NotImplementedError, "all"),
        (lambda d: ours.glm(COUNTS, d, family="poisson").fit().info_criteria("qaic"), ValueError, "needs scale"),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str, data: pd.DataFrame) -> None:
    with pytest.raises(error, match=message):
        call(data)
