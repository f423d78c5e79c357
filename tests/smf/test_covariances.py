"""Every covariance with statsmodels' defaults: errors, statistics, p-values, intervals and F."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as theirs

import formula_torch.smf as ours
from formula_torch.errors import DataError

FORMULA = "y ~ x + C(g) + z"


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """Twelve firms over ten years, with missing values, sorted by firm and year."""
    draw = np.random.default_rng(5)
    n, firm = 120, np.repeat(np.arange(12), 10)
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.normal(size=n) + firm / 5,
            "g": draw.choice(["a", "b", "c"], n),
            "w": draw.uniform(0.5, 2, n),
            "firm": firm,
            "year": np.tile(np.arange(10), 12),
            "name": np.array([f"firm {i}" for i in range(12)])[firm],
        },
        index=[f"row {i}" for i in range(n)],
    )
    frame["y"] = 1 + frame["x"] + draw.normal(size=n) * (1 + frame["x"].abs()) + draw.normal(size=12)[firm]
    # Without effects of the years the two-way covariance has a negative eigenvalue, and we refuse its F.
    frame["y"] += 2 * (1 + frame["z"]) * draw.normal(size=10)[frame["year"]]
    frame.loc[["row 7", "row 50", "row 99"], "x"] = np.nan
    return frame


def used(panel: pd.DataFrame) -> pd.DataFrame:
    return panel.dropna()


KINDS = {
    "nonrobust": ("nonrobust", lambda d: {}),
    "HC0": ("HC0", lambda d: {}),
    "HC1": ("HC1", lambda d: {}),
    "HC2": ("HC2", lambda d: {}),
    "HC3": ("HC3", lambda d: {}),
    "hc3": ("hc3", lambda d: {}),
    "HAC": ("HAC", lambda d: {"maxlags": 3}),
    "HAC corrected": ("HAC", lambda d: {"maxlags": 3, "use_correction": True}),
    "HAC uniform": ("HAC", lambda d: {"maxlags": 2, "kernel": "uniform"}),
    "cluster": ("cluster", lambda d: {"groups": d["firm"]}),
    "cluster by name": ("cluster", lambda d: {"groups": d["name"]}),
    "cluster uncorrected": ("cluster", lambda d: {"groups": d["firm"], "use_correction": False}),
    "cluster n - k": ("cluster", lambda d: {"groups": d["firm"], "df_correction": False}),
    "cluster array": ("cluster", lambda d: {"groups": d["firm"].to_numpy()}),
    "cluster list": ("cluster", lambda d: {"groups": d["firm"].tolist()}),
    "two ways": ("cluster", lambda d: {"groups": d[["firm", "year"]]}),
    "two ways array": ("cluster", lambda d: {"groups": d[["firm", "year"]].to_numpy()}),
    "two ways list": ("cluster", lambda d: {"groups": [d["firm"], d["year"]]}),
    "crv3": ("cluster-crv3", lambda d: {"groups": d["firm"]}),
    "jackknife about the mean": ("cluster-jk", lambda d: {"groups": d["firm"]}),
    "crv3 uncorrected": ("cluster-crv3", lambda d: {"groups": d["firm"], "use_correction": False}),
    "panel": ("hac-panel", lambda d: {"groups": d["firm"], "maxlags": 2}),
    "panel by time": ("hac-panel", lambda d: {"time": d["year"], "maxlags": 2}),
    "panel cluster": ("hac-panel", lambda d: {"groups": d["firm"], "maxlags": 2, "use_correction": "cluster"}),
    "panel plain": ("hac-panel", lambda d: {"groups": d["firm"], "maxlags": 1, "use_correction": False}),
    "panel n - k": ("nw-panel", lambda d: {"groups": d["firm"], "maxlags": 1, "df_correction": False}),
    "groupsum": ("hac-groupsum", lambda d: {"time": d["year"].to_numpy(), "maxlags": 2}),
    "groupsum hac": ("hac-groupsum", lambda d: {"time": d["year"].to_numpy(), "maxlags": 2, "use_correction": "hac"}),
    "groupsum n - k": ("nw-groupsum", lambda d: {"time": d["year"].to_numpy(), "maxlags": 1, "df_correction": False}),
}


def compare(one, other) -> None:
    """All to 1e-8, relative; p-values near zero to 1e-12."""
    for name in ("params", "bse", "tvalues", "pvalues", "fvalue", "f_pvalue"):
        np.testing.assert_allclose(
            np.asarray(getattr(one, name)), np.asarray(getattr(other, name)), rtol=1e-8, atol=1e-12, err_msg=name
        )
    np.testing.assert_allclose(np.asarray(one.conf_int(0.1)), np.asarray(other.conf_int(0.1)), rtol=1e-8, atol=1e-10)
    test, reference = one.f_test("x = 0, z = 0.1"), other.f_test("x = 0, z = 0.1")
    np.testing.assert_allclose([test.fvalue, test.pvalue], [reference.fvalue, reference.pvalue], rtol=1e-8, atol=1e-12)
    assert (test.df_denom, test.df_num) == (reference.df_denom, reference.df_num)
    test, reference = one.wald_test("x = z"), other.wald_test("x = z")
    np.testing.assert_allclose(
        [test.statistic, test.pvalue], [reference.statistic, reference.pvalue], rtol=1e-8, atol=1e-12
    )
    assert (one.use_t, one.cov_type) == (other.use_t, other.cov_type)
    assert type(one.params) is type(other.params)


@pytest.mark.parametrize("use_t", [None, True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_fit(kind: str, use_t: bool | None, panel: pd.DataFrame) -> None:
    cov_type, make = KINDS[kind]
    model = "ols" if use_t else "wls"
    kwds = {"cov_type": cov_type, "cov_kwds": make(used(panel)), "use_t": use_t}
    weights = {"weights": panel["w"]} if model == "wls" else {}
    one = getattr(ours, model)(FORMULA, panel, **weights).fit(**kwds)
    other = getattr(theirs, model)(FORMULA, panel, **weights).fit(**kwds)
    compare(one, other)


@pytest.mark.parametrize(("before", "use_t"), [("nonrobust", None), ("nonrobust", False), ("HC1", None), ("HC1", True)])
@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("nonrobust", "panel by time")])
def test_get_robustcov_results(kind: str, before: str, use_t: bool | None, panel: pd.DataFrame) -> None:
    cov_type, make = KINDS[kind]
    one, other = (m.ols(FORMULA, panel).fit(cov_type=before) for m in (ours, theirs))
    one = one.get_robustcov_results(cov_type, use_t, **make(used(panel)))
    other = other.get_robustcov_results(cov_type, use_t, **make(used(panel)))
    compare(one, other)


@pytest.mark.parametrize("groups", ["all rows", "rows used"])
def test_groups_are_aligned(groups: str, panel: pd.DataFrame) -> None:
    labels = {
        "all rows": panel["firm"],
        "rows used": used(panel)["firm"],
    }[groups]
    one = ours.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds={"groups": labels})
    other = theirs.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds={"groups": used(panel)["firm"]})
    compare(one, other)


def test_groups_in_another_order_are_refused(panel: pd.DataFrame) -> None:
    # statsmodels takes them by position.
    model = ours.ols(FORMULA, panel)
    with pytest.raises(DataError, match="index is not that of the data"):
        model.fit(cov_type="cluster", cov_kwds={"groups": panel["firm"].sort_index(ascending=False)})


def test_lags_by_rule_of_thumb(panel: pd.DataFrame) -> None:
    one = ours.ols(FORMULA, panel).fit(cov_type="HAC", cov_kwds={"maxlags": None})
    compare(one, theirs.ols(FORMULA, panel).fit(cov_type="HAC", cov_kwds={"maxlags": None}))


def test_use_t_among_the_keywords(panel: pd.DataFrame) -> None:
    kwds = {"groups": used(panel)["firm"], "use_t": True}
    one = ours.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds=kwds)
    assert kwds["use_t"] is True
    compare(one, theirs.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds=dict(kwds)))


@pytest.mark.parametrize("name", ["HC0", "HC1", "HC2", "HC3"])
def test_columns_of_robust_errors(name: str, panel: pd.DataFrame) -> None:
    one, other = (m.wls(FORMULA, panel, weights=panel["w"]).fit() for m in (ours, theirs))
    pd.testing.assert_series_equal(getattr(one, f"{name}_se"), getattr(other, f"{name}_se"), rtol=1e-8)
    np.testing.assert_allclose(getattr(one, f"cov_{name}"), getattr(other, f"cov_{name}"), rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize(
    ("cov_type", "kwds", "error", "message"),
    [
        ("HC9", {}, ValueError, "'HC9' is not known; use one of 'nonrobust'"),
        ("HC1", {"maxlags": 2}, ValueError, "'HC1' does not take 'maxlags'; it takes no keywords"),
        ("cluster", {}, ValueError, "'cluster' needs groups"),
        ("cluster", {"group": [1]}, ValueError, "does not take 'group'; it takes groups, use_correction"),
        ("cluster", {"groups": [1, 2, 3]}, DataError, "groups has 3 labels; the data have 120 rows, of which 117"),
        ("HAC", {"maxlags": 2, "kernel": "tent"}, ValueError, "'tent' is not known"),
        ("HAC", {"maxlags": 2, "kernel": np.ones}, NotImplementedError, "by name"),
        ("hac-panel", {"maxlags": 2}, ValueError, "groups, or with time"),
        ("hac-panel", {"maxlags": 2, "groups": "f", "use_correction": "x"}, DataError, r"such as data\['f'\]"),
        (
            "hac-panel",
            {"maxlags": 2, "groups": range(120), "use_correction": "x"},
            ValueError,
            "False, 'hac', 'cluster'",
        ),
        ("fixed scale", {}, NotImplementedError, "to_statsmodels"),
    ],
)
def test_errors(cov_type: str, kwds: dict, error: type, message: str, panel: pd.DataFrame) -> None:
    with pytest.raises(error, match=message):
        ours.ols(FORMULA, panel).fit(cov_type=cov_type, cov_kwds=kwds)


def test_missing_groups_are_an_error(panel: pd.DataFrame) -> None:
    groups = panel["firm"].where(panel["firm"] != 3)
    with pytest.raises(DataError, match="missing in 10 of the 117 rows used"):
        ours.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds={"groups": groups})


def test_series_of_another_table_is_an_error(panel: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="not that of the data"):
        ours.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds={"groups": panel["firm"].reset_index(drop=True)})


@pytest.mark.parametrize("kind", ["cluster", "two ways", "panel", "groupsum", "crv3", "HAC uniform"])
def test_to_statsmodels(kind: str, panel: pd.DataFrame) -> None:
    cov_type, make = KINDS[kind]
    fit = ours.wls(FORMULA, panel, weights=panel["w"]).fit(cov_type=cov_type, cov_kwds=make(panel))
    compare(fit, fit.to_statsmodels())


def test_our_own_spellings(panel: pd.DataFrame) -> None:
    fit = ours.ols(FORMULA, panel).fit()
    one = fit.with_vcov({"cluster": "firm"})
    other = theirs.ols(FORMULA, panel).fit(cov_type="cluster", cov_kwds={"groups": used(panel)["firm"]}, use_t=True)
    compare(one, other)
    assert one.cov_kwds["description"] == one.covariance.note
