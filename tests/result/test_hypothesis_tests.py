"""t_test, f_test, wald_test and their kin against statsmodels; combinations and joint intervals."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.tools.sm_exceptions import ValueWarning

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, FormulaError, InferenceWarning, UnknownNameError

TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}


def data(name: str) -> pd.DataFrame:
    frame = getattr(ft.datasets, name)()
    if name == "visits":
        frame = frame.assign(region=np.array(["north", "west", "south"])[np.arange(len(frame)) * 7 % 3])
        frame = frame.rename(columns={"educ": "years of school"})
    if name == "city_homicides":
        return frame[frame["city"].isin(sorted(frame["city"].unique())[:5])].reset_index(drop=True)
    return frame


CASES = {
    "visits": (
        'drvisits ~ C(region) * private + np.log(age) + Q("years of school") + C(actlim, Treatment(1)) + chronic',
        [
            "chronic = 2",
            "chronic",
            "C(region)[T.south] = C(region)[T.west] = 0",
            "np.log(age) = 1, chronic + 2*private = 3",
            "(C(region)[T.south]:private = 0), (C(region)[T.west]:private = 0)",
            'Q("years of school") - chronic / 10',
            "C(actlim, Treatment(1))[T.0] = -chronic, Intercept = 0",
            np.eye(10)[[2, 4, 8]],
            (np.eye(10)[1:3] - np.eye(10)[4:6], np.array([1.0, -1.0])),
            {"chronic": 2, "private": 1},
            ["chronic = 2", "private"],
        ],
    ),
    "plant_richness": ("ntv_rich ~ area", ["area = 0.3", "area = 1, Intercept = 1", [[1.0, 2.0]]]),
    "city_homicides": (
        "np.log(homicides) ~ C(city) + np.log(population) + I(year - 2000) + I((year - 2000) ** 2)",
        [
            "np.log(population) = 1",
            "I(year - 2000) = I((year - 2000) ** 2) = 0",
            "C(city)[T.Anaheim, CA/Orange County] = 0",
        ],
    ),
}
PAIRS = [(name, hypothesis) for name, (_, given) in CASES.items() for hypothesis in given]
# Ours, statsmodels': a name for with_vcov, use_t, and arguments for fit.
COVARIANCES: dict[str, tuple[str, bool | None, dict[str, Any]]] = {
    "iid": ("iid", None, {}),
    "iid z": ("iid", False, {"use_t": False}),
    "HC1 t": ("HC1", True, {"cov_type": "HC1", "use_t": True}),
    "HC3 z": ("HC3", False, {"cov_type": "HC3"}),
}


@pytest.fixture(scope="module", params=COVARIANCES)
def fits(request: pytest.FixtureRequest) -> dict[str, tuple[Any, Any]]:
    """Of each data set, our fit and statsmodels'."""
    vcov, use_t, options = COVARIANCES[request.param]
    return {
        name: (
            ft.fit(formula, data(name)).with_vcov(vcov, use_t=use_t),
            smf.ols(formula, data(name)).fit(**options),
        )
        for name, (formula, _) in CASES.items()
    }


def reordered(hypothesis: Any, ours: Any, theirs: Any) -> Any:
    """Columns of a matrix in statsmodels' order of coefficients."""
    matrix = hypothesis[0] if isinstance(hypothesis, tuple) else hypothesis
    if isinstance(matrix, (str, dict)) or isinstance(matrix[0], str):
        return hypothesis
    order = [list(ours.names).index(name) for name in theirs.params.index]
    moved = np.asarray(matrix)[:, order]
    return (moved, hypothesis[1]) if isinstance(hypothesis, tuple) else moved


def same(ours: Any, theirs: Any) -> None:
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_allclose(ours, theirs, **TOLERANCE)


@pytest.mark.parametrize(("name", "hypothesis"), PAIRS, ids=str)
def test_t_test(fits: dict[str, tuple[Any, Any]], name: str, hypothesis: Any) -> None:
    ours, theirs = fits[name]
    mine, other = ours.t_test(hypothesis), theirs.t_test(reordered(hypothesis, ours, theirs))
    for attribute in ("effect", "sd", "tvalue", "statistic", "pvalue"):
        same(getattr(mine, attribute), getattr(other, attribute))
    same(mine.conf_int(), other.conf_int())
    same(mine.conf_int(0.2), other.conf_int(0.2))
    assert mine.distribution == other.distribution
    assert mine.c_names == other.c_names
    if mine.distribution == "t":
        assert mine.df_denom == other.df_denom
    table, wanted = mine.summary_frame(alpha=0.1), other.summary_frame(alpha=0.1)
    assert list(table.columns) == list(wanted.columns)
    assert list(table.index) == list(wanted.index)
    same(table, wanted)


@pytest.mark.parametrize(("name", "hypothesis"), PAIRS, ids=str)
def test_joint_tests(fits: dict[str, tuple[Any, Any]], name: str, hypothesis: Any) -> None:
    ours, theirs = fits[name]
    other = reordered(hypothesis, ours, theirs)
    pairs = [
        (ours.f_test(hypothesis), theirs.f_test(other)),
        *(
            (ours.wald_test(hypothesis, use_f=f, scalar=s), theirs.wald_test(other, use_f=f, scalar=s))
            for f in (None, True, False)
            for s in (True, False)
        ),
    ]
    for mine, wanted in pairs:
        assert mine.distribution == wanted.distribution
        same(mine.statistic, wanted.statistic)
        same(mine.pvalue, wanted.pvalue)
        assert mine.df_denom == wanted.df_denom
        if mine.distribution == "F":
            same(mine.fvalue, wanted.fvalue)
            assert mine.df_num == wanted.df_num


@pytest.mark.parametrize("use_t", [True, False])
def test_clusters_count_their_degrees_of_freedom(visits: pd.DataFrame, use_t: bool) -> None:
    frame = visits.assign(g=np.arange(len(visits)) * 7 % 13)
    ours = ft.fit("drvisits ~ age + educ", frame, vcov={"cluster": "g"}, use_t=use_t)
    theirs = smf.ols("drvisits ~ age + educ", frame).fit(
        cov_type="cluster", cov_kwds={"groups": frame["g"]}, use_t=use_t
    )
    same(ours.t_test("age = educ").pvalue, theirs.t_test("age = educ").pvalue)
    same(ours.t_test("age = educ").conf_int(), theirs.t_test("age = educ").conf_int())
    for mine, wanted in [
        (ours.f_test("age = educ = 0"), theirs.f_test("age = educ = 0")),
        (ours.wald_test("age = educ = 0"), theirs.wald_test("age = educ = 0")),
    ]:
        assert (mine.distribution, mine.df_denom) == (wanted.distribution, wanted.df_denom)
        same(mine.statistic, wanted.statistic)
        same(mine.pvalue, wanted.pvalue)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("skip_single", [False, True])
def test_terms(fits: dict[str, tuple[Any, Any]], name: str, skip_single: bool) -> None:
    ours, theirs = fits[name]
    if skip_single and name == "plant_richness":
        return
    mine, wanted = ours.wald_test_terms(skip_single), theirs.wald_test_terms(skip_single)
    assert set(mine.table.index) == set(wanted.table.index)
    assert list(mine.table.columns) == list(wanted.table.columns)
    same(mine.table, wanted.table.loc[mine.table.index])
    frame = mine.summary_frame()
    assert list(frame.columns) == list(wanted.summary_frame().columns)
    assert len(mine.statistic) == len(mine.pvalues) == len(mine.df_constraints) == len(frame)


def test_combined_terms() -> None:
    formula, _ = CASES["visits"]
    ours, theirs = ft.fit(formula, data("visits")), smf.ols(formula, data("visits")).fit()
    mine, wanted = (f.wald_test_terms(combine_terms=["region", "private"]).table[-2:] for f in (ours, theirs))
    assert list(mine.index) == list(wanted.index) == ["region", "private"]
    same(mine, wanted)
    with pytest.raises(UnknownNameError, match="no term contains 'zzz'"):
        ours.wald_test_terms(combine_terms=["zzz"])


@pytest.mark.parametrize("method", ["hs", "bonferroni", "fdr_bh"])
@pytest.mark.parametrize(
    ("name", "formula", "term"),
    [
        ("visits", "drvisits ~ C(region) + age", "C(region)"),
        ("visits", "drvisits ~ age + C(region, Sum)", "C(region, Sum)"),
        ("visits", "drvisits ~ C(region) - 1 + age", "C(region)"),
        ("visits", "drvisits ~ C(region, Treatment('south')) * private", "C(region, Treatment('south'))"),
        ("city_homicides", "homicides ~ city + year", "city"),
    ],
)
def test_pairwise(name: str, formula: str, term: str, method: str) -> None:
    ours, theirs = ft.fit(formula, data(name)), smf.ols(formula, data(name)).fit()
    mine, wanted = ours.t_test_pairwise(term, method), theirs.t_test_pairwise(term, method)
    assert list(mine.result_frame.columns) == list(wanted.result_frame.columns)
    assert list(mine.result_frame.index) == list(wanted.result_frame.index) == mine.contrast_labels
    same(mine.result_frame.to_numpy(dtype=float), wanted.result_frame.to_numpy(dtype=float))
    assert mine.contrasts.shape == wanted.contrasts.shape


def test_pairwise_needs_a_factor(visits: pd.DataFrame) -> None:
    fit = ft.fit("drvisits ~ age * C(actlim)", visits)
    with pytest.raises(FormulaError, match="`age` is no factor"):
        fit.t_test_pairwise("age")
    with pytest.raises(FormulaError, match="no factor by itself"):
        fit.t_test_pairwise("age:C(actlim)")
    with pytest.raises(UnknownNameError, match=r"did you mean `C\(actlim\)`"):
        fit.t_test_pairwise("actlim")
    with pytest.raises(ValueError, match="'holm'"):
        fit.t_test_pairwise("C(actlim)", "tukey")


def test_text_of_results(visits: pd.DataFrame) -> None:
    formula = "drvisits ~ age + educ"
    ours, theirs = ft.fit(formula, visits), smf.ols(formula, visits).fit()
    for use_t in (True, False):
        mine, wanted = (str(f.t_test("age = 1, educ", use_t=use_t)).split("\n") for f in (ours, theirs))
        assert [line.rstrip() for line in mine[: len(wanted)]] == [line.rstrip() for line in wanted]
    assert str(ours.t_test("age = 1")).endswith("[1] c0: age = 1")
    named = ours.t_test("age = 1").summary(xname=["slope"], alpha=0.1, title="Slope")
    assert "slope" in str(named)
    assert "[0.05" in str(named)
    assert "Slope" in str(named)
    assert "<table" in ours.t_test("age")._repr_html_()
    assert str(ours.wald_test_terms()).split() == str(ours.wald_test_terms().summary_frame()).split()
    assert str(ours.f_test("age"))[:12] == str(theirs.f_test("age"))[:12]
    chi2 = [str(f.wald_test("age", use_f=False)) for f in (ours, theirs)]
    assert chi2[0][:38] == chi2[1][:38]
    assert chi2[0].endswith("df_denom=1>")
    with pytest.raises(ValueError, match="2 names for 1"):
        ours.t_test("age").summary(xname=["a", "b"])
    with pytest.raises(ValueError, match="alpha"):
        ours.t_test("age").conf_int(1.5)


def test_adjusted_tests(visits: pd.DataFrame) -> None:
    fit = ft.fit("drvisits ~ age + educ + private + medicaid", visits)
    plain, holm = fit.t_test(np.eye(5)), fit.t_test(np.eye(5), adjust="holm")
    same(holm.pvalue, plain.pvalue)
    same(plain.adjusted_pvalue, plain.pvalue)
    assert (holm.adjusted_pvalue >= holm.pvalue).all()
    same(holm.summary_frame()["pvalue-holm"], holm.adjusted_pvalue)
    assert "P holm" in str(holm)
    with pytest.raises(ValueError, match="not known"):
        fit.t_test("age", adjust="tukey")


# -- nonlinear ------------------------------------------------------------------------------------


def test_a_ratio_by_the_delta_method(visits: pd.DataFrame) -> None:
    fit = ft.fit("drvisits ~ age + educ + chronic", visits, vcov="HC1")
    a, b = fit.params["chronic"], fit.params["educ"]
    v = fit.cov_params().loc[["chronic", "educ"], ["chronic", "educ"]].to_numpy()
    gradient = np.array([1 / b, -a / b**2])
    sd = math.sqrt(gradient @ v @ gradient)
    test = fit.t_test("chronic / educ = 10")
    same(test.effect, [a / b])
    same(test.sd, [[sd]])
    same(test.tvalue, [[(a / b - 10) / sd]])
    same(test.pvalue, 2 * stats.t.sf(abs(a / b - 10) / sd, fit.df_resid))
    table = fit.nlcom("chronic / educ, exp(age)", "sqrt(chronic)", level=0.9)
    assert table["term"].tolist() == ["chronic / educ", "exp(age)", "sqrt(chronic)"]
    same(
        table["std_error"], [sd, math.exp(fit.params["age"]) * fit.bse["age"], fit.bse["chronic"] / (2 * math.sqrt(a))]
    )
    reach = stats.t.ppf(0.95, fit.df_resid) * sd
    same(table.loc[0, ["conf_low", "conf_high"]].astype(float), [a / b - reach, a / b + reach])
    same(table["statistic"], table["estimate"] / table["std_error"])
    joint = fit.wald_test("chronic / educ = 10, exp(age) = 1", use_f=False)
    j = np.zeros((2, 4))
    j[0, [3, 2]], j[1, 1] = gradient, math.exp(fit.params["age"])
    distance = np.array([a / b - 10, math.exp(fit.params["age"]) - 1])
    same(joint.statistic, distance @ np.linalg.solve(j @ fit.cov_params().to_numpy() @ j.T, distance))
    assert joint.df_num == 2


def test_units_and_coding_do_not_matter(visits: pd.DataFrame) -> None:
    one = ft.fit("drvisits ~ age + educ", visits)
    scaled = ft.fit("drvisits ~ a + e", visits.assign(a=visits["age"] * 1e6, e=visits["educ"] * 1e-3))
    for mine, other in [("age = educ", "a * 1e6 = e / 1e3"), ("age / educ = 1", "1e9 * a / e = 1")]:
        same(scaled.t_test(other).tvalue, one.t_test(mine).tvalue)
        same(scaled.f_test(other).fvalue, one.f_test(mine).fvalue)
    treatment, total = (ft.fit(f"drvisits ~ C(chronic, {c}) + age", visits) for c in ("Treatment(3)", "Sum"))
    terms = [f.wald_test_terms().table.iloc[1].to_numpy() for f in (treatment, total)]
    same(*terms)


# -- combinations and bands -----------------------------------------------------------------------


def test_lincom(visits: pd.DataFrame) -> None:
    fit = ft.fit("np.log(drvisits + 1) ~ age + educ + private", visits, vcov="HC3")
    theirs = smf.ols("np.log(drvisits + 1) ~ age + educ + private", visits).fit(cov_type="HC3", use_t=True)
    table, test = fit.lincom("10*age - educ", "private", level=0.9), theirs.t_test("10*age - educ, private")
    assert list(table.columns) == ["term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    assert table["term"].tolist() == ["10*age - educ", "private"]
    same(table.iloc[:, 1:], np.column_stack([test.effect, test.sd, test.tvalue, test.pvalue, test.conf_int(0.1)]))
    ratios = fit.lincom("10*age - educ", "private", exp=True, level=0.9)
    same(ratios[["estimate", "conf_low", "conf_high"]], np.exp(table[["estimate", "conf_low", "conf_high"]]))
    same(ratios[["statistic", "p_value"]], table[["statistic", "p_value"]])
    delta = fit.nlcom("exp(10*age - educ)", "exp(private)")
    same(ratios["std_error"], delta["std_error"])
    same(fit.lincom("age + 1")["estimate"], [fit.params["age"] + 1])


@pytest.mark.parametrize(
    ("expressions", "message"),
    [(("age / educ",), "use nlcom"), (("age = 1",), "t_test"), ((), "as text"), ((np.eye(3),), "as text")],
)
def test_what_lincom_refuses(visits: pd.DataFrame, expressions: tuple[Any, ...], message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        ft.fit("drvisits ~ age + educ", visits).lincom(*expressions)


def test_confint(visits: pd.DataFrame) -> None:
    fit = ft.fit("drvisits ~ age + educ + I(educ ** 2) + private", visits)
    same(fit.confint(0.9), fit.conf_int(0.1))
    assert list(fit.confint().columns) == ["conf_low", "conf_high"]
    assert list(fit.confint(joint="sup-t").index) == list(fit.names)
    reach = fit.confint(joint="scheffe")["conf_high"] - fit.params
    same(reach, math.sqrt(5 * stats.f.ppf(0.95, 5, fit.df_resid)) * fit.bse)
    widths = [
        (t["conf_high"] - t["conf_low"]).to_numpy()
        for t in (fit.confint(joint=j) for j in (None, "sup-t", "bonferroni", "scheffe"))
    ]
    assert all((a < b).all() for a, b in itertools.pairwise(widths))
    same(fit.confint(joint="sup-t", seed=5), fit.confint(joint="sup-t", seed=5))
    with pytest.raises(ValueError, match="level=95"):
        fit.confint(95)


# -- bad input and corners ------------------------------------------------------------------------


def test_aliased_coefficients(visits: pd.DataFrame) -> None:
    with pytest.warns(CollinearityWarning):
        fit = ft.fit("drvisits ~ age + twice + educ", visits.assign(twice=2 * visits["age"]))
    for touch in ("twice = 0", "age = twice", {"twice": 1}, np.eye(4), "age / twice = 1"):
        with pytest.raises(DataError, match="`twice`, dropped from the model"):
            fit.t_test(touch)
    with pytest.raises(DataError, match="`twice`"):
        fit.wald_test_terms()
    with pytest.raises(DataError, match="`twice`"):
        fit.lincom("age + 2*twice")
    plain = ft.fit("drvisits ~ age + educ", visits)
    same(fit.f_test("age = educ = 0").fvalue, plain.f_test("age = educ = 0").fvalue)
    band = fit.confint(joint="bonferroni")
    assert band.loc["twice"].isna().all()
    same(band.drop("twice"), plain.confint(joint="bonferroni"))


def test_hypotheses_that_follow_from_others_warn(visits: pd.DataFrame) -> None:
    formula = "drvisits ~ age + educ"
    fit, theirs = ft.fit(formula, visits), smf.ols(formula, visits).fit()
    with pytest.warns(InferenceWarning, match="3 hypotheses are tested with 2 degrees of freedom: only 2"):
        mine = fit.f_test("age = 0, educ = 0, age = educ")
    with pytest.warns(ValueWarning):
        wanted = theirs.f_test("age = 0, educ = 0, age = educ")
    same(mine.fvalue, wanted.fvalue)
    assert mine.df_num == wanted.df_num == 2
    with pytest.raises(DataError, match="`age = 0`; `age = 1` contradict"):
        fit.wald_test("age = 0, age = 1, educ = 0")


def test_few_clusters_have_few_degrees_of_freedom(visits: pd.DataFrame) -> None:
    fit = ft.fit("drvisits ~ age + educ + private", visits.assign(g=np.arange(len(visits)) % 3), vcov={"cluster": "g"})
    with pytest.warns(InferenceWarning, match=r"\(cluster.*has rank 2"):
        assert fit.wald_test(np.eye(4)[1:]).df_num == 2


def test_a_perfect_fit_and_no_degrees_of_freedom() -> None:
    with pytest.warns(Warning):  # noqa: PT030 - what the fit says of itself is tested elsewhere
        fit = ft.fit("y ~ x", {"y": [1.0, 3.0], "x": [0.0, 1.0]})
    test = fit.t_test("x = 1")
    assert test.effect == pytest.approx([2.0])
    assert np.isnan(test.pvalue)
    assert np.isnan(fit.f_test("x = 1").pvalue)
    assert fit.confint(joint="sup-t").isna().all(axis=None)


def test_results_outlive_the_data(visits: pd.DataFrame) -> None:
    fit = ft.fit("drvisits ~ age + C(actlim)", visits)
    kept = pickle.loads(pickle.dumps(fit))
    same(kept.t_test("age = 1").tvalue, fit.t_test("age = 1").tvalue)
    same(kept.wald_test_terms().table, fit.wald_test_terms().table)
    same(kept.t_test_pairwise("C(actlim)").result_frame["coef"], fit.t_test_pairwise("C(actlim)").result_frame["coef"])
    assert str(pickle.loads(pickle.dumps(fit.t_test("age")))) == str(fit.t_test("age"))


def test_what_depends_on_a_coefficient_without_error_has_none_either() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=60), "g": np.repeat(range(6), 10)})
    frame = frame.assign(y=frame["x"] + rng.normal(size=60), z=1.0 * (frame["g"] == 2))
    with pytest.warns(InferenceWarning, match="determined by a single cluster"):
        fit = ft.fit("y ~ x + z", frame, vcov=ft.vcov.Cluster("g", kind="CRV3"))
    same(fit.t_test("x + z = 0, x = 0").sd, [np.nan, fit.bse["x"]])
    assert np.isnan(fit.wald_test("x + z = 0").pvalue)
    same(fit.marginal_effects().margeff_se, [fit.bse["x"], np.nan])
