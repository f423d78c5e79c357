"""What a hostile reader of the inference found: each was wrong once."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
import formula_torch.smf as fsmf

OURS = (ft.errors.CollinearityWarning, ft.errors.DesignWarning, ft.errors.InferenceWarning)


def strict():
    warnings.simplefilter("error")
    for c in OURS:
        warnings.simplefilter("ignore", c)


def data(n=60, seed=3):
    r = np.random.default_rng(seed)
    d = pd.DataFrame(
        {
            "x": r.normal(size=n),
            "z": r.normal(size=n),
            "g": r.choice(list("abc"), n),
            "c": r.integers(0, 7, n),
            "t": r.permutation(n),
        }
    )
    d["y"] = d.x + np.sin(d.t / 5) + r.normal(size=n)
    return d


def cells(seed):
    rng = np.random.default_rng(seed)
    n = 14
    d = pd.DataFrame(
        {
            "g": rng.choice(list("abc"), n),
            "h": rng.choice(list("uv"), n),
            "x": rng.normal(size=n),
            "c": rng.integers(0, 5, n),
        }
    )
    d["y"] = 100 + rng.normal(size=n)
    return d


@pytest.mark.parametrize("vcov", ["HC0", "HC1", {"cluster": "c"}])
def test_rounding_of_a_zero_variance_is_not_a_standard_error(vcov):
    # A cell of one row is fitted exactly: its HC variance is 0 (NaN or 0 expected).
    bad = []
    for seed in range(40):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            d = cells(seed)
            ratio = ft.fit("y ~ C(g):C(h)", d, vcov=vcov).bse / ft.fit("y ~ C(g):C(h)", d).bse
        if ((ratio > 0) & (ratio < 1e-5)).any():
            bad.append(seed)
    assert not bad


def test_zero_variance_of_a_singleton_is_reported_the_same_in_every_coding():
    # The same mean of the same single row has se 0 (y ~ C(g) - 1) and NaN (NeweyWest on y ~ C(g)): expected one answer, and a warning.
    d = data()
    d["g"] = ["s"] + list("ab") * 29 + ["a"]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        se = ft.fit("y ~ C(g) - 1", d, vcov="HC1").bse["C(g)[s]"]
    assert np.isnan(se) and any(issubclass(w.category, ft.errors.InferenceWarning) for w in seen)


@pytest.mark.parametrize(
    "labels",
    [lambda t: t.astype(str), lambda t: "Q" + t.astype(str), lambda t: pd.Series([v if v % 2 else str(v) for v in t])],
)
@pytest.mark.parametrize("what", ["NeweyWest", "DriscollKraay", "PanelHAC", "breusch_godfrey", "durbin_watson"])
def test_text_times_are_not_put_in_alphabetical_order_silently(labels, what):
    # '10' < '2': text has no order in time; expected DataError (or InferenceWarning) naming the column and pd.to_datetime / to_numeric.
    d = data()
    d["k"] = labels(d.t)
    fit = ft.fit("y ~ x + z", d)
    with pytest.raises((ft.errors.DataError, ft.errors.InferenceWarning)), warnings.catch_warnings():
        warnings.simplefilter("error")
        if what == "NeweyWest":
            fit.with_vcov(ft.vcov.NeweyWest(3, time="k"))
        elif what == "DriscollKraay":
            fit.with_vcov(ft.vcov.DriscollKraay("k", lags=3))
        elif what == "PanelHAC":
            fit.with_vcov(ft.vcov.PanelHAC("c", "k", lags=3))
        elif what == "breusch_godfrey":
            fit.breusch_godfrey(2, time="k")
        else:
            fit.durbin_watson(time="k")


def test_groups_on_a_permuted_index_are_not_silently_reordered():
    # statsmodels takes labels by position; weights= and ft.vcov.Cluster raise for this Series; smf's groups are realigned without a word.
    smf = pytest.importorskip("statsmodels.formula.api")
    d = data().sort_values("t")
    groups = d.c.reset_index(drop=True)
    theirs = smf.ols("y ~ x + C(g)", d).fit(cov_type="cluster", cov_kwds={"groups": groups})
    try:
        ours = fsmf.ols("y ~ x + C(g)", d).fit(cov_type="cluster", cov_kwds={"groups": groups})
    except ft.errors.DataError:
        return
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-8)


def test_hac_without_maxlags_is_statsmodels_default():
    # statsmodels takes floor(4 (n/100)^(2/9)) for maxlags=None, which NeweyWest(None) has.
    smf = pytest.importorskip("statsmodels.formula.api")
    d = data()
    kwds = {"cov_type": "HAC", "cov_kwds": {"maxlags": None}}
    np.testing.assert_allclose(fsmf.ols("y ~ x", d).fit(**kwds).bse, smf.ols("y ~ x", d).fit(**kwds).bse, rtol=1e-8)


def test_df_resid_inference_exists():
    # An attribute of statsmodels' results (0.13 on) that scripts read after cov_type='cluster'.
    d = data()
    assert (
        fsmf.ols("y ~ x", d).fit(cov_type="cluster", cov_kwds={"groups": d.c}).df_resid_inference == d.c.nunique() - 1
    )


def indefinite():
    d = data(40, 0)
    r = np.random.default_rng(1)
    d["c"] = np.random.default_rng(0).integers(0, 6, 40)
    for s in range(300):
        r = np.random.default_rng(s)
        d["y"] = d.x + r.normal(size=40)
        d["c2"] = r.integers(0, 3, 40)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            f = ft.fit("y ~ x + z + C(g)", d, vcov={"cluster": ["c", "c2"]})
        v = f.cov_params().to_numpy()
        if not np.isnan(v).any() and np.linalg.eigvalsh(v)[0] < -1e-3:
            return f
    raise AssertionError


def test_indefinite_covariance_leaks_no_numpy_warning_from_margins():
    # A negative delta-method variance (two-way clusters): NaN with an InferenceWarning expected.
    f = indefinite()
    v = np.linalg.eigh(f.cov_params().to_numpy())[1][:, 0]
    with warnings.catch_warnings():
        strict()
        d = data(40, 0)
        for by in ("g", "c", "t", "z"):
            f.average_predictions(newdata=d, by=by).table


def test_indefinite_covariance_gives_no_joint_test():
    # docs: F under a covariance with a negative eigenvalue is NaN; wald_test gives F = 16 on 4 df, saying the rank is 4 (it is 5).
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = indefinite().wald_test(np.eye(5))
    assert np.isnan(test.statistic)


@pytest.mark.parametrize("make", [pd.Index, pd.Categorical, lambda c: c.to_frame(), lambda c: c.to_numpy()[:, None]])
def test_array_likes_of_labels_are_taken_or_refused_in_words(make):
    # Index / Categorical are arrays of labels (smf takes them); DataFrame and (n, 1): DataError in words. Got TypeError 'Unsupported
    # dataframe type', 'Cannot only use `series_only` with DataFrame', ValueError 'Data must be 1-dimensional'.
    d = data()
    fit = ft.fit("y ~ x", d)
    try:
        got = fit.with_vcov(ft.vcov.Cluster(make(d.c))).bse
    except ft.errors.DataError:
        return
    np.testing.assert_allclose(got, fit.with_vcov({"cluster": "c"}).bse)


def test_a_list_of_labels_in_the_dict_spelling():
    # {"cluster": [60 labels]}: is read as 60 ways; 'cluster has 1 labels; the data have 60 rows' misleads. Labels, or an error that says so.
    d = data()
    fit = ft.fit("y ~ x", d)
    try:
        got = fit.with_vcov({"cluster": d.c.tolist()}).bse
    except ft.errors.DataError as error:
        assert "ways" in str(error)
    else:
        np.testing.assert_allclose(got, fit.with_vcov({"cluster": "c"}).bse)


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_robust_errors_do_not_depend_on_the_unit_of_weights(unit):
    # Analytic weights matter up to scale: HC1 bse is 0.0 at 1e-200 (silently) and NaN with numpy's warning at 1e200; iid, cluster hold.
    d = data()
    d["w"] = np.random.default_rng(0).uniform(0.5, 2, 60)
    one = ft.fit("y ~ x", d, weights="w", vcov="HC1").bse
    with warnings.catch_warnings():
        strict()
        other = ft.fit("y ~ x", d.assign(w=d.w * unit), weights="w", vcov="HC1").bse
    np.testing.assert_allclose(other, one, rtol=1e-8)


def test_bca_does_not_depend_on_units():
    # Cubes of influence overflow at x * 1e-120 (underflow at 1e120): 'no quantile', with numpy warnings; scale the influence first.
    d = data()
    with warnings.catch_warnings():
        strict()
        ft.fit("y ~ x", d.assign(x=d.x * 1e-120)).bootstrap(draws=2000).conf_int(method="bca")


@pytest.mark.parametrize("how", ["y", "weights"])
def test_opg_at_extreme_units(how):
    # OverflowError(34) at y * 1e150, LinAlgError at weights * 1e200; iid and HC work at y * 1e150.
    d = data()
    d["w"] = 1e200 * np.random.default_rng(0).uniform(0.5, 2, 60)
    if how == "y":
        d["y"] *= 1e150
    f = ft.fit("y ~ x + C(g)", d, **({"weights": "w"} if how == "weights" else {}))
    try:
        f.with_vcov("OPG")
    except ft.errors.DataError:
        pass
