"""Negative binomial regression and the multinomial logit beside statsmodels' own, on real data."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as theirs

import formula_torch.smf as ours
from formula_torch.errors import DataRemovedError

DATA = Path(__file__).parents[1] / "reference" / "glm"
LEAVE = ("model", "cov_kwds", "mle_settings", "mle_retvals", "n_groups", "fittedvalues", "margeff")
COUNTS = "affairs ~ age + C(gender) + rating"
LEVELS = "faith ~ age + C(gender) + rating"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """A survey of 601, with an index of its own."""
    frame = pd.read_csv(DATA / "affairs.csv")
    frame["years"] = frame["yearsmarried"] + 1
    frame["log_age"] = np.log(frame["age"] / 32)
    frame["faith"] = frame["religiousness"].clip(1, 3)
    return frame.set_index(pd.Index([f"p{i}" for i in range(len(frame))]))


COUNTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nb2": ({}, {}),
    "nb2 HC1": ({}, {"cov_type": "HC1"}),
    "nb1": ({"loglike_method": "nb1"}, {}),
    "exposure": ({"offset": "log_age", "exposure": "years"}, {"cov_type": "HC0"}),
    "clusters": ({}, {"cov_type": "cluster"}),
}


def counted(case: str, data: pd.DataFrame) -> tuple[Any, Any]:
    rows, options = COUNTED[case]
    arguments = {k: data.get(v, v) for k, v in rows.items()}
    if options.get("cov_type") == "cluster":
        options = options | {"cov_kwds": {"groups": data["occupation"]}}
    one = ours.negativebinomial(COUNTS, data, **arguments).fit(disp=0, **options)
    model = theirs.negativebinomial(COUNTS, data, **arguments)
    near = model.fit(disp=0, maxiter=500).params.to_numpy()
    return one, model.fit(disp=0, maxiter=500, method="newton", tol=1e-11, start_params=near, **options)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # theirs overflow on their way
@pytest.mark.parametrize("case", COUNTED)
def test_counts(case: str, data: pd.DataFrame, compare) -> None:
    one, other = counted(case, data)
    compare(one, other, leave=LEAVE, rtol=2e-7)
    pd.testing.assert_series_equal(one.fittedvalues, other.fittedvalues, rtol=1e-7)
    np.testing.assert_allclose(one.cov_params(), other.cov_params(), rtol=1e-6)
    for criterion in ("aic", "bic", "tic", "gbic"):
        np.testing.assert_allclose(one.info_criteria(criterion), other.info_criteria(criterion), rtol=1e-8)
    mine, expected = (r.t_test("age = 0, alpha = 5").summary_frame() for r in (one, other))
    pd.testing.assert_frame_equal(mine, expected, rtol=1e-6)
    header, expected = ([[c.strip() for c in row] for row in r.summary().tables[0].data] for r in (one, other))
    assert [r[2:] if r[0] in ("Date:", "Time:") else r for r in header] == [
        r[2:] if r[0] in ("Date:", "Time:") else r for r in expected
    ]
    assert [row[0] for row in one.summary().tables[1].rows] == [*one.model.exog_names, "alpha"]


@pytest.mark.filterwarnings("ignore:using default log-link")
@pytest.mark.parametrize("case", ["nb2", "nb1"])
def test_predictions_and_margins_of_counts(case: str, data: pd.DataFrame) -> None:
    one, other = counted(case, data)
    new = data.iloc[::50]
    for which in ("mean", "linear"):
        pd.testing.assert_series_equal(one.predict(new, which=which), other.predict(new, which=which), rtol=1e-7)
        np.testing.assert_allclose(one.predict(which=which), other.predict(which=which), rtol=1e-7)
        mine, expected = (r.get_prediction(new, which=which).summary_frame(0.1) for r in (one, other))
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-6)
    np.testing.assert_allclose(one.predict(new, offset=0.5), other.predict(new, offset=0.5), rtol=1e-7)
    few = np.arange(4)
    mine = one.predict(new, which="prob", y_values=few)
    np.testing.assert_allclose(mine, other.predict(new, which="prob", y_values=few), rtol=1e-6)
    for at, method in (("overall", "dydx"), ("mean", "eydx"), ("zero", "dydx")):
        mine, expected = (r.get_margeff(at=at, method=method).summary_frame() for r in (one, other))
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC0"])
def test_levels(cov_type: str, data: pd.DataFrame, compare) -> None:
    one = ours.mnlogit(LEVELS, data).fit(disp=0, cov_type=cov_type)
    other = theirs.mnlogit(LEVELS, data).fit(disp=0, tol=1e-12, cov_type=cov_type)
    compare(one, other, leave=LEAVE)
    pd.testing.assert_frame_equal(one.conf_int(0.1), other.conf_int(0.1), rtol=1e-7)
    pd.testing.assert_frame_equal(one.cov_params(), other.cov_params(), rtol=1e-7)
    pd.testing.assert_frame_equal(one.predict(data[:9]), other.predict(data[:9]), rtol=1e-7)
    np.testing.assert_allclose(one.predict(), other.predict(), rtol=1e-7)
    np.testing.assert_array_equal(one.pred_table(), other.pred_table())
    for at, method, dummy in (("overall", "dydx", False), ("mean", "dydx", False), ("overall", "eydx", False)):
        mine, expected = (r.get_margeff(at=at, method=method, dummy=dummy).summary_frame() for r in (one, other))
        pd.testing.assert_frame_equal(mine, expected, rtol=1e-5, atol=1e-8)
    header, expected = ([[c.strip() for c in row] for row in r.summary().tables[0].data] for r in (one, other))
    assert [r[2:] if r[0] in ("Date:", "Time:") else r for r in header] == [
        r[2:] if r[0] in ("Date:", "Time:") else r for r in expected
    ]
    first, second = one.summary().tables[1:]
    assert (first.header[0], second.header[0]) == ("faith=2", "faith=3")
    assert "faith=3" in str(one.summary())
    np.testing.assert_allclose(one.summary2().tables[2]["Coef."], other.params[1], rtol=1e-7)
    assert one.t_test("`3:age` = 0").tvalue.item() == pytest.approx(other.tvalues.loc["age", 1], rel=1e-7)
    assert (one.model.J, one.model.K) == (other.model.J, other.model.K)
    np.testing.assert_array_equal(one.model.wendog, other.model.wendog)


def test_categories_are_levels(data: pd.DataFrame) -> None:
    named = data.assign(word=data["faith"].map({1: "a little", 2: "some", 3: "very"}))
    one = ours.mnlogit("word ~ age", named).fit(disp=0)
    pd.testing.assert_frame_equal(one.params, ours.mnlogit("faith ~ age", data).fit(disp=0).params)
    assert one.conf_int().index.get_level_values(0).unique().tolist() == ["some", "very"]
    assert one.fittedvalues.columns.tolist() == ["a little", "some", "very"]


def test_life(data: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    counts, levels = ours.negativebinomial(COUNTS, data).fit(), ours.mnlogit(LEVELS, data).fit()
    assert capsys.readouterr().out.count("Optimization terminated successfully.") == 2
    for fit in (counts, levels):
        again = pickle.loads(pickle.dumps(fit))
        np.testing.assert_array_equal(again.params, fit.params)
        assert again.summary().tables[1].data == fit.summary().tables[1].data
        with pytest.raises(DataRemovedError):
            _ = again.resid_pearson
        assert len(fit.augment()) == len(data)
        assert fit.mle_retvals["converged"] is True
    np.testing.assert_allclose(counts.to_statsmodels().params, counts.params, rtol=1e-3)
    np.testing.assert_allclose(levels.to_statsmodels().bse, levels.bse, rtol=1e-6)
    assert counts.update(". ~ . + education").params.index[-2:].tolist() == ["education", "alpha"]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda d: ours.negativebinomial(COUNTS, d, loglike_method="geometric"), NotImplementedError, "alpha=1"),
        (lambda d: ours.negativebinomial(COUNTS, d, loglike_method="nb3"), ValueError, "'nb3' is not known"),
        (lambda d: ours.mnlogit(LEVELS, d).fit(tolerance=1), TypeError, "no argument 'tolerance'"),
        (lambda d: ours.mnlogit(LEVELS, d).fit(callback=print), NotImplementedError, "callback"),
        (lambda d: ours.mnlogit(LEVELS, d).fit(disp=0).get_influence(), NotImplementedError, "to_statsmodels"),
        (lambda d: ours.mnlogit(LEVELS, d).fit(disp=0).predict(d, transform=False), NotImplementedError, "transform"),
        (lambda d: ours.mnlogit(LEVELS, d).fit(disp=0).get_margeff(at="all"), NotImplementedError, "all"),
    ],
)
def test_refusals(call: Any, error: type[Exception], message: str, data: pd.DataFrame) -> None:
    with pytest.raises(error, match=message):
        call(data)
