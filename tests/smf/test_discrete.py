"""Logit, probit and Poisson beside statsmodels' own, attribute by attribute, on real data."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as theirs
from scipy.stats import poisson

import formula_torch.smf as ours
from formula_torch.errors import DataError, DataRemovedError, FormulaError

DATA = Path(__file__).parents[1] / "reference" / "glm"
LEAVE = ("model", "cov_kwds", "mle_settings", "mle_retvals", "n_groups", "family")
CHANCES = "had ~ age + C(gender) + religiousness"
COUNTS = "affairs ~ age + C(gender) + religiousness"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """A survey of 601, with an index of its own."""
    frame = pd.read_csv(DATA / "affairs.csv").rename(columns={"any": "had"})
    frame["years"] = frame["yearsmarried"] + 1
    frame["log_age"] = np.log(frame["age"] / 32)
    return frame.set_index(pd.Index([f"p{i}" for i in range(len(frame))]))


# Model, formula, row arguments by column, options of the fit.
CASES: dict[str, tuple[str, str, dict[str, str], dict[str, Any]]] = {
    "logit": ("logit", CHANCES, {}, {}),
    "logit HC1": ("logit", CHANCES, {}, {"cov_type": "HC1"}),
    "logit t": ("logit", CHANCES, {}, {"cov_type": "HC0", "use_t": True}),
    "logit offset": ("logit", CHANCES, {"offset": "log_age"}, {}),
    "logit all levels": ("logit", CHANCES + " - 1", {}, {}),
    "logit powers": ("logit", "had ~ age * religiousness + I(age**2) + np.log(years)", {}, {}),
    "probit": ("probit", CHANCES, {}, {}),
    "probit HC3": ("probit", CHANCES, {}, {"cov_type": "HC3"}),
    "probit offset": ("probit", CHANCES, {"offset": "log_age"}, {}),
    "poisson": ("poisson", COUNTS, {}, {}),
    "poisson HC1": ("poisson", COUNTS, {}, {"cov_type": "HC1"}),
    "poisson exposure": ("poisson", COUNTS, {"offset": "log_age", "exposure": "years"}, {"cov_type": "HC0"}),
}


def both(case: str, data: pd.DataFrame, **further: Any) -> tuple[Any, Any]:
    name, formula, rows, options = CASES[case]
    arguments = {k: data[v] for k, v in rows.items()}
    one = getattr(ours, name)(formula, data, **arguments).fit(disp=0, **options, **further)
    other = getattr(theirs, name)(formula, data, **arguments).fit(disp=0, tol=1e-12, **options, **further)
    return one, other


@pytest.mark.parametrize("case", CASES)
def test_every_attribute(case: str, data: pd.DataFrame, compare) -> None:
    one, other = both(case, data)
    compare(one, other, leave=LEAVE)
    np.testing.assert_allclose(one.cov_params(), other.cov_params(), rtol=1e-7)
    pd.testing.assert_frame_equal(one.conf_int(0.1), other.conf_int(0.1), rtol=1e-7)
    for criterion in ("aic", "bic", "tic", "gbic"):
        np.testing.assert_allclose(one.info_criteria(criterion), other.info_criteria(criterion), rtol=1e-8)
    for name in ("fopt", "Hessian", "warnflag", "converged"):
        np.testing.assert_allclose(one.mle_retvals[name], other.mle_retvals[name], rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("case", ["logit", "probit HC3", "poisson exposure", "logit t"])
def test_tables(case: str, data: pd.DataFrame) -> None:
    one, other = both(case, data)
    header, expected = ([[c.strip() for c in row] for row in r.summary().tables[0].data] for r in (one, other))
    skipped = ("Date:", "Time:")
    assert [r[2:] if r[0] in skipped else r for r in header] == [r[2:] if r[0] in skipped else r for r in expected]
    assert one.summary().title == other.summary().tables[0].title
    pd.testing.assert_frame_equal(one.summary2().tables[1], other.summary2().tables[1], rtol=1e-7, atol=1e-9)
    mine, expected = (r.summary2().tables[0].map(lambda cell: str(cell).strip()) for r in (one, other))
    kept = ~mine[0].isin(["Date:", "No. Iterations:"])
    pd.testing.assert_frame_equal(mine[kept], expected[kept])
    custom = one.summary(yname="outcome", xname=list("abcd"), title="A title", alpha=0.1)
    assert custom.title == "A title"
    assert [row[0] for row in custom.tables[1].rows] == list("abcd")


@pytest.mark.parametrize("case", ["logit", "logit offset", "probit", "poisson exposure"])
def test_predictions(case: str, data: pd.DataFrame) -> None:
    one, other = both(case, data)
    new = data.iloc[::50].drop(columns=["affairs", "had"])
    for which in ("mean", "linear", "var"):
        for mine, expected in (
            (one.predict(new, which=which), other.predict(new, which=which)),
            (one.predict(which=which), other.predict(which=which)),
        ):
            assert type(mine) is type(expected)
            np.testing.assert_allclose(mine, expected, rtol=1e-7)
    offset = np.linspace(0, 1, len(new))
    np.testing.assert_allclose(one.predict(new, offset=offset), other.predict(new, offset=offset), rtol=1e-7)
    for which in ("mean", "linear"):
        mine, expected = (r.get_prediction(new, which=which) for r in (one, other))
        pd.testing.assert_frame_equal(mine.summary_frame(0.1), expected.summary_frame(0.1), rtol=1e-7)
        np.testing.assert_allclose(mine.tvalues, expected.tvalues, rtol=1e-7)
    mine, expected = (r.get_prediction(new).conf_int(method="delta") for r in (one, other))
    np.testing.assert_allclose(mine, expected, rtol=1e-7)


def test_predictions_of_the_rows_have_their_offset(data: pd.DataFrame) -> None:
    one, other = both("logit offset", data)
    np.testing.assert_allclose(one.get_prediction().predicted, one.predict())
    # Theirs leave it out.
    assert not np.allclose(other.get_prediction().predicted, other.predict())


@pytest.mark.parametrize("case", ["logit", "probit", "poisson"])
@pytest.mark.parametrize(
    ("at", "method", "dummy"),
    [
        ("overall", "dydx", False),
        ("overall", "dydx", True),
        ("overall", "eydx", True),
        ("mean", "dydx", False),
        ("mean", "dydx", True),
        ("zero", "dydx", False),
    ],
)
def test_margins(case: str, at: str, method: str, dummy: bool, data: pd.DataFrame) -> None:
    one, other = both(case, data)
    mine, expected = (r.get_margeff(at=at, method=method, dummy=dummy) for r in (one, other))
    # Their derivatives are numerical.
    pd.testing.assert_frame_equal(mine.summary_frame(), expected.summary_frame(), rtol=1e-5, atol=1e-8)
    assert mine.summary().tables[1].data[0][1] == "dy/dx" if method == "dydx" else "d(lny)/dx"


@pytest.mark.parametrize("case", ["logit", "poisson"])
def test_influence(case: str, data: pd.DataFrame) -> None:
    one, other = (r.get_influence().summary_frame() for r in both(case, data))
    pd.testing.assert_frame_equal(one, other, rtol=1e-6, atol=1e-10)


def test_outcomes(data: pd.DataFrame) -> None:
    for case in ("logit", "probit"):
        one, other = both(case, data)
        for threshold in (0.5, 0.3):
            np.testing.assert_array_equal(one.pred_table(threshold), other.pred_table(threshold))
    one, other = both("poisson exposure", data)
    np.testing.assert_allclose(one.predict_prob(), other.predict_prob(), rtol=1e-7)
    few = np.arange(3)
    np.testing.assert_allclose(one.predict_prob(few), other.predict_prob(few), rtol=1e-7)
    np.testing.assert_allclose(
        one.predict_prob(few, data[:5]), poisson.pmf(few, one.predict(data[:5]).to_numpy()[:, None])
    )


COVARIANCES = {
    "cluster": ("cluster", lambda d: {"groups": d["occupation"]}),
    "array": ("cluster", lambda d: {"groups": d["occupation"].to_numpy()}),
    "uncorrected": ("cluster", lambda d: {"groups": d["occupation"], "use_correction": False}),
    "scaled": ("cluster", lambda d: {"groups": d["occupation"], "scaling_factor": 1.5}),
    "two ways": ("cluster", lambda d: {"groups": d[["occupation", "education"]]}),
    "HAC": ("HAC", lambda d: {"maxlags": 3}),
}


@pytest.mark.parametrize("use_t", [None, True])
@pytest.mark.parametrize("kind", COVARIANCES)
@pytest.mark.parametrize("case", ["logit", "probit", "poisson"])
def test_covariances(case: str, kind: str, use_t: bool | None, data: pd.DataFrame) -> None:
    cov_type, kwds = COVARIANCES[kind]
    name, formula, _, _ = CASES[case]
    options = {"disp": 0, "cov_type": cov_type, "cov_kwds": kwds(data)} | ({} if use_t is None else {"use_t": use_t})
    one = getattr(ours, name)(formula, data).fit(**options)
    other = getattr(theirs, name)(formula, data).fit(tol=1e-12, **options)
    for attribute in ("bse", "pvalues", "tvalues"):
        np.testing.assert_allclose(getattr(one, attribute), getattr(other, attribute), rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(one.conf_int(), other.conf_int(), rtol=1e-7)
    assert (one.cov_type, one.use_t) == (other.cov_type, other.use_t)
    if kind == "two ways":
        return  # of the Poisson not positive definite, where we refuse to test
    mine, expected = (r.wald_test("age = 0, religiousness = 0", scalar=True) for r in (one, other))
    assert mine.pvalue == pytest.approx(expected.pvalue, rel=1e-7)
    pd.testing.assert_frame_equal(
        one.wald_test_terms().table, other.wald_test_terms(scalar=True).table, check_dtype=False, rtol=1e-7
    )


def test_what_is_printed(data: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for module in (ours, theirs):
        module.logit(CHANCES, data).fit()
        printed.append(capsys.readouterr().out)
        module.logit(CHANCES, data).fit(disp=0)
        assert not capsys.readouterr().out
    mine, expected = ([line.split("Iterations")[0] for line in text.splitlines()] for text in printed)
    assert mine == expected


@pytest.mark.parametrize("method", ["bfgs", "lbfgs", "nm", "cg"])
def test_solvers_are_accepted(method: str, data: pd.DataFrame) -> None:
    fit = ours.logit(CHANCES, data).fit(method=method, maxiter=500, disp=False, gtol=1e-8, start_params=np.zeros(4))
    assert fit.mle_settings["optimizer"] == method
    pd.testing.assert_series_equal(fit.params, ours.logit(CHANCES, data).fit(disp=0).params)


def test_pickles_have_no_rows(data: pd.DataFrame) -> None:
    fit = ours.probit(CHANCES, data).fit(disp=0, cov_type="HC1")
    text = pickle.dumps(fit)
    assert len(text) < 20_000
    again = pickle.loads(text)
    assert again.summary().tables[1].data == fit.summary().tables[1].data
    assert again.mle_retvals["converged"] is True
    pd.testing.assert_series_equal(again.predict(data[:9]), fit.predict(data[:9]))
    with pytest.raises(DataRemovedError):
        _ = again.resid_dev


def test_update_and_to_statsmodels(data: pd.DataFrame) -> None:
    fit = ours.poisson(COUNTS, data, exposure=data["years"]).fit(disp=0, cov_type="HC0")
    new = fit.update(". ~ . + education")
    other = theirs.poisson(COUNTS + " + education", data, exposure=data["years"]).fit(disp=0, cov_type="HC0", tol=1e-12)
    pd.testing.assert_series_equal(new.bse, other.bse, rtol=1e-7)
    for result in (
        new,
        ours.probit(CHANCES, data).fit(disp=0, cov_type="cluster", cov_kwds={"groups": data["gender"]}),
    ):
        np.testing.assert_allclose(result.to_statsmodels().bse, result.bse, rtol=1e-6)


def test_truth_values_and_categories_are_outcomes(data: pd.DataFrame) -> None:
    expected = ours.logit("had ~ age", data).fit(disp=0)
    for response in ("yes", "truth"):
        made = data.assign(yes=np.where(data["had"] == 1, "yes", "no"), truth=data["had"] == 1)
        fit = ours.logit(f"{response} ~ age", made).fit(disp=0)
        pd.testing.assert_series_equal(fit.params, expected.params)
        with pytest.raises(ValueError, match="multiple columns"):
            theirs.logit(f"{response} ~ age", made)


def test_models_hold_what_theirs_do(data: pd.DataFrame) -> None:
    one, other = (m.poisson(COUNTS, data, offset=data["log_age"], exposure=data["years"]) for m in (ours, theirs))
    for name in ("exog", "endog", "offset", "exposure"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-12, err_msg=name)
    for name in ("df_model", "df_resid", "k_constant", "exog_names", "endog_names", "formula"):
        assert getattr(one, name) == getattr(other, name), name
    np.testing.assert_allclose(one.predict([0.1, 0.2, 0.3, 0.4]), other.predict([0.1, 0.2, 0.3, 0.4]))
    assert type(one).__name__ == type(other).__name__


def test_a_level_of_zeros_only_is_said(data: pd.DataFrame) -> None:
    separated = data.assign(zero=np.where(data["had"] == 0, data["had"].cumsum() % 2, 0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ours.logit("had ~ age + zero", separated).fit(disp=0)
    assert any("zero" in str(w.message) for w in caught)
    assert caught[0].filename == __file__
    assert np.isnan(fit.bse["zero"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: ours.logit("affairs ~ age", d), DataError, "0"),
        (lambda d: ours.logit("share ~ age", d.assign(share=d["had"] / 2)), DataError, "neither 0 nor 1.*smf.glm"),
        (lambda d: ours.poisson("had + affairs ~ age", d).fit(), FormulaError, "2 columns; one is needed"),
        (lambda d: ours.logit(CHANCES, d).fit(method="newtn"), ValueError, "'newtn' is not known"),
        (lambda d: ours.logit(CHANCES, d).fit(tolerance=1), TypeError, "no argument 'tolerance'"),
        (lambda d: ours.logit(CHANCES, d).fit(callback=print), NotImplementedError, "callback"),
        (lambda d: ours.logit(CHANCES, d).fit(disp=0).get_distribution(), NotImplementedError, "to_statsmodels"),
        (lambda d: ours.logit(CHANCES, d).fit(disp=0).get_prediction(which="var"), ValueError, "'var' is not known"),
        (lambda d: ours.logit(CHANCES, d).fit_regularized(), NotImplementedError, "fit_regularized"),
        (lambda d: ours.poisson("affairs - 5 ~ age", d).fit(), DataError, "negative"),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str, data: pd.DataFrame) -> None:
    with pytest.raises(error, match=message):
        call(data)
