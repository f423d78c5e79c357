"""Another covariance for the same fit: where labels come from, what is refused, what a pickle keeps."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import formula_torch as ft

FORMULA = "y ~ x"


@pytest.fixture
def panel() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    firm = np.repeat(np.arange(12), 9)
    x = rng.normal(size=108) + rng.normal(size=12)[firm]
    y = 1 + x + rng.normal(size=108) + rng.normal(size=12)[firm]
    return pd.DataFrame({"y": y, "x": x, "firm": firm, "when": np.tile(np.arange(9), 12)})


def test_a_column_the_formula_does_not_read_comes_from_the_table(panel) -> None:
    at_fit = ft.fit(FORMULA, panel, vcov={"cluster": "firm"})
    after = ft.fit(FORMULA, panel).with_vcov({"cluster": "firm"})
    np.testing.assert_array_equal(at_fit.cov_params(), after.cov_params())
    np.testing.assert_array_equal(at_fit.bse, ft.fit(FORMULA, panel).with_vcov(ft.vcov.Cluster(panel["firm"])).bse)


def test_the_coefficients_are_not_touched(panel) -> None:
    fit = ft.fit(FORMULA, panel)
    robust = fit.with_vcov("HC3")
    assert robust.coefficients is fit.coefficients
    assert robust.solution is fit.solution


def test_a_table_that_changed_is_refused(panel) -> None:
    fit = ft.fit(FORMULA, panel)
    panel.loc[:, ["y", "x"]] = panel[["y", "x"]].to_numpy()[::-1]
    with pytest.raises(ft.errors.DataError, match="changed since the fit"):
        fit.with_vcov({"cluster": "firm"})


def test_a_new_column_of_an_unchanged_table_is_found(panel) -> None:
    fit = ft.fit(FORMULA, panel)
    panel["region"] = panel["firm"] % 4
    assert "4 clusters of `region`" in str(fit.with_vcov({"cluster": "region"}).summary())


def test_a_table_that_is_gone_is_named(panel) -> None:
    fit = ft.fit(FORMULA, panel.copy())
    with pytest.raises(ft.errors.UnknownNameError, match="its table is gone"):
        fit.with_vcov({"cluster": "firm"})
    assert ft.fit(FORMULA, panel.copy(), vcov={"cluster": "firm"}).with_vcov({"CRV3": "firm"}).bse.notna().all()


def test_labels_align_with_the_rows_used(panel) -> None:
    holes = panel.astype({"y": float})
    holes.loc[[0, 17, 50], "y"] = np.nan
    clean = holes.dropna()
    ours = ft.fit(FORMULA, holes, vcov={"cluster": "firm"}, subset="when < 8")
    theirs = ft.fit(FORMULA, clean[clean["when"] < 8], vcov={"cluster": "firm"})
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-12)
    array = ft.fit(FORMULA, holes, subset="when < 8", vcov=ft.vcov.Cluster(holes["firm"].to_numpy()))
    np.testing.assert_array_equal(array.bse, ours.bse)


def test_only_the_labels_of_rows_used_must_be_there(panel) -> None:
    panel["firm"] = panel["firm"].astype(float)
    panel.loc[5, "firm"] = np.nan
    with pytest.raises(ft.errors.DataError, match=r"`firm`, used as cluster, is missing in 1 of the 108 rows.*row 5"):
        ft.fit(FORMULA, panel, vcov={"cluster": "firm"})
    panel.loc[5, "y"] = np.nan
    assert "12 clusters" in ft.fit(FORMULA, panel, vcov={"cluster": "firm"}).covariance.note


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c,
        lambda c: c.astype(str),
        lambda c: c.astype("category").cat.set_categories(range(-3, 40)),
        lambda c: c * 10**12 - 7,
        lambda c: c.astype(np.uint8),
        lambda c: c.astype("Int64"),
        lambda c: pd.Timestamp("2020-01-01") + pd.to_timedelta(c, unit="D"),
        lambda c: c.map({k: f"f{k}" if k % 2 else k for k in range(12)}),
        lambda c: c / 3,
    ],
    ids=["int", "text", "unused", "far", "unsigned", "nullable", "dates", "mixed", "float"],
)
def test_names_of_clusters_do_not_matter(panel, change) -> None:
    expected = ft.fit(FORMULA, panel, vcov={"cluster": "firm"})
    renamed = ft.fit(FORMULA, panel.assign(firm=change(panel["firm"])), vcov={"cluster": "firm"})
    np.testing.assert_allclose(renamed.bse, expected.bse, rtol=1e-12)
    assert renamed.covariance.df == 11


def test_polars_columns_cluster_too(panel) -> None:
    expected = ft.fit(FORMULA, panel, vcov={"cluster": ["firm", "when"]})
    frame = pl.from_pandas(panel).with_columns(pl.col("when").cast(pl.String))
    np.testing.assert_allclose(ft.fit(FORMULA, frame, vcov={"cluster": ["firm", "when"]}).bse, expected.bse, rtol=1e-12)


def test_a_pickle_keeps_the_covariance_and_can_return_to_iid(panel) -> None:
    fit = ft.fit(FORMULA, panel, vcov={"cluster": "firm"})
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.bse, fit.bse)
    np.testing.assert_array_equal(again.with_vcov("iid").bse, fit.with_vcov("iid").bse)
    with pytest.raises(ft.errors.DataRemovedError, match="this covariance needs the rows"):
        again.with_vcov("HC1")


def test_update_keeps_the_covariance(panel) -> None:
    fit = ft.fit(FORMULA, panel, vcov={"cluster": "firm"}).update(". ~ . + I(x^2)")
    np.testing.assert_array_equal(fit.bse, ft.fit("y ~ x + I(x^2)", panel, vcov={"cluster": "firm"}).bse)


def test_t_or_normal(panel) -> None:
    fit = ft.fit(FORMULA, panel, vcov={"cluster": "firm"})
    assert (fit.use_t, fit.covariance.df) == (True, 11)
    normal = fit.with_vcov({"cluster": "firm"}, use_t=False)
    assert not normal.use_t
    assert (normal.pvalues < fit.pvalues).all()
    assert normal.df_denom == 11
    assert ft.fit(FORMULA, panel, vcov="HC1", use_t=False).with_vcov("HC1", use_t=True).covariance.df == 106


def test_a_matrix_is_checked(panel) -> None:
    fit = ft.fit(FORMULA, panel)
    np.testing.assert_allclose(fit.with_vcov(4 * fit.cov_params()).bse, 2 * fit.bse)
    with pytest.raises(ft.errors.DataError, match="shape"):
        fit.with_vcov(np.eye(3))
    with pytest.raises(ft.errors.DataError, match="symmetric"):
        fit.with_vcov(np.array([[1.0, 0.5], [0.2, 1.0]]))


@pytest.mark.parametrize("given", ["hc9", {"clustr": "firm"}, {}, 3, {"cluster": "firm", "HAC": 2}, ft.vcov.Cluster])
def test_unknown_spellings_list_the_known(panel, given) -> None:
    with pytest.raises(ValueError, match=r"'HC1'.*'cluster'"):
        ft.fit(FORMULA, panel, vcov=given)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ft.vcov.Cluster("firm", kind="CRV2"),
        lambda: ft.vcov.Cluster("firm", adjust="max"),
        lambda: ft.vcov.Cluster("firm", adjust=1.0),
        lambda: ft.vcov.Cluster(),
        lambda: ft.vcov.NeweyWest(lags=-1),
        lambda: ft.vcov.NeweyWest(lags=2.5),
        lambda: ft.vcov.DriscollKraay("when", kernel="flat"),
    ],
)
def test_estimators_refuse_what_they_do_not_know(make) -> None:
    with pytest.raises(ValueError, match=r"not known|needs a column|whole number"):
        make()


def test_what_cannot_be_computed_is_refused(panel) -> None:
    with pytest.raises(ft.errors.UnknownNameError, match="did you mean `firm`"):
        ft.fit(FORMULA, panel, vcov={"cluster": "frim"})
    with pytest.raises(ft.errors.DataError, match="at least 2 clusters"):
        ft.fit(FORMULA, panel.assign(firm=1), vcov={"cluster": "firm"})
    with pytest.raises(ft.errors.DataError, match="single series"):
        ft.fit(FORMULA, panel, vcov=ft.vcov.NeweyWest(2, time="when"))
    with pytest.raises(ft.errors.DataError, match="too many for 9 periods"):
        ft.fit(FORMULA, panel, vcov=ft.vcov.DriscollKraay("when", lags=9))
    with pytest.raises(ft.errors.DataError, match="99 labels; the data have 108"):
        ft.fit(FORMULA, panel, vcov=ft.vcov.Cluster(np.arange(99)))
    with pytest.raises(ft.errors.DataError, match="index is not that of the data"):
        ft.fit(FORMULA, panel, vcov=ft.vcov.Cluster(panel["firm"][::-1]))


def test_without_freedom_every_error_is_nan() -> None:
    with pytest.warns(ft.errors.DesignWarning, match="no degrees of freedom"):
        fit = ft.fit("y ~ x", {"y": [1.0, 2.0], "x": [0.0, 1.0]}, vcov="HC1")
    assert fit.bse.isna().all()
    assert fit.pvalues.isna().all()


def test_a_perfect_fit_has_no_tests() -> None:
    fit = ft.fit("y ~ x", {"y": [1.0, 3.0, 5.0, 7.0], "x": [0.0, 1.0, 2.0, 3.0]}, vcov="HC1")
    assert fit.tvalues.isna().all()
    assert np.isnan(fit.fvalue)


def test_a_coefficient_of_one_cluster_has_no_jackknife_error(panel) -> None:
    with pytest.warns(ft.errors.InferenceWarning, match="12 coefficients are determined by a single cluster"):
        fit = ft.fit("y ~ x + C(firm)", panel, vcov={"CRV3": "firm"})
    assert fit.bse[["x"]].notna().all()
    assert fit.bse.drop("x").isna().all()


def test_negative_variances_are_not_square_rooted() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"y": rng.normal(size=30), "x": rng.normal(size=30)})
    data["a"], data["b"] = np.arange(30) % 3, np.arange(30) // 10
    for seed in range(40):
        data["y"] = np.random.default_rng(seed).normal(size=30)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = ft.fit("y ~ x", data, vcov=ft.vcov.Cluster("a", "b"))
        assert [w.category for w in caught] == [ft.errors.InferenceWarning] * bool(fit.bse.isna().any())
        if caught:
            assert ft.fit("y ~ x", data, vcov=ft.vcov.Cluster("a", "b", fix=True)).bse.notna().all()
            return
    pytest.fail("no sample with a negative variance; the test shows nothing")


def test_sampling_weights_have_robust_errors(panel) -> None:
    weights = np.random.default_rng(0).uniform(1, 5, 108)
    sampled = ft.fit(FORMULA, panel, weights=weights, weights_type="sampling")
    assert sampled.covariance.label == "HC1"
    np.testing.assert_array_equal(sampled.bse, ft.fit(FORMULA, panel, weights=weights, vcov="HC1").bse)


def test_overall_f_is_nan_with_fewer_clusters_than_slopes(panel) -> None:
    few = panel.assign(z=panel["when"] ** 2 * 1.0, few=panel["firm"] % 2, u=np.cos(np.arange(108)))
    fit = ft.fit("y ~ x + z + u", few, vcov={"cluster": "few"})
    assert np.isnan(fit.fvalue)
    assert np.isnan(fit.f_pvalue)


def test_scores_that_cancel_have_no_error(panel) -> None:
    with pytest.warns(ft.errors.InferenceWarning, match="12 coefficients cancel"):
        fit = ft.fit("y ~ C(firm)", panel, vcov={"cluster": "firm"})
    assert fit.bse.isna().all()
    assert fit.tvalues.isna().all()


@pytest.mark.parametrize("make", [lambda: ft.vcov.NeweyWest(1, time="t"), lambda: ft.vcov.PanelHAC("u", "t", lags=1)])
def test_counted_rows_have_no_order_in_time(make) -> None:
    data = {"y": [1.0, 3.0, 2.0, 5.0, 4.0, 7.0], "x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "t": range(6), "u": [1] * 6}
    with pytest.raises(ft.errors.DataError, match="gives each copy the same time"):
        ft.fit("y ~ x", data, weights=[1, 2, 1, 1, 1, 1], weights_type="frequency", vcov=make())


@pytest.mark.parametrize("shift", [2.0**20, -(2.0**23)])
def test_a_large_level_of_the_response_costs_no_digits(panel, shift) -> None:
    panel["y"] = panel["y"].astype(np.float32).astype(float)
    moved = ft.fit("y ~ x", panel.assign(y=panel["y"] + shift), vcov={"cluster": "firm"})
    np.testing.assert_allclose(moved.bse, ft.fit("y ~ x", panel, vcov={"cluster": "firm"}).bse, rtol=1e-11)


def test_a_coefficient_of_one_row_has_no_error_that_divides_by_its_leverage(panel) -> None:
    lone = panel.assign(one=(np.arange(108) == 3) * 1.0)
    with pytest.warns(
        ft.errors.InferenceWarning, match="1 rows have leverage 1 .the first is number 3.*1 coefficients"
    ):
        fit = ft.fit("y ~ x + one", lone, vcov="HC3")
    assert np.isnan(fit.bse["one"])
    without = ft.fit("y ~ x", panel, subset=np.arange(108) != 3, vcov="HC3")
    np.testing.assert_allclose(fit.bse[["Intercept", "x"]], without.bse, rtol=1e-10)


@pytest.mark.parametrize("given", ["hc3", "Robust", "IID", ft.vcov.HC3])
def test_spellings_are_forgiving_where_nothing_is_ambiguous(panel, given) -> None:
    assert ft.fit(FORMULA, panel, vcov=given).covariance.label in ("HC3", "HC1", "nonrobust")
