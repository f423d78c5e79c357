"""What a hostile reader of the inference found: each was once a silent wrong number or a raw Python error."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import formula_torch as ft
import formula_torch.smf as fsmf
from formula_torch.errors import DataError, InferenceWarning


def table(n: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.normal(size=n),
            "g": draw.choice(["a", "b", "c"], n),
            "c": draw.integers(0, 7, n),
            "t": draw.permutation(n),
        }
    )
    return frame.assign(y=frame["x"] + np.sin(frame["t"] / 5) + draw.normal(size=n))


@pytest.fixture
def data() -> pd.DataFrame:
    return table(60, seed=3)


@pytest.fixture
def weighted(data) -> pd.DataFrame:
    return data.assign(w=np.random.default_rng(0).uniform(0.5, 2, 60))


def close(a, b, rtol: float = 1e-8) -> None:
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol)


# -- variances that are zero ------------------------------------------------------------------------


def small_cells(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "g": draw.choice(["a", "b", "c"], 14),
            "h": draw.choice(["u", "v"], 14),
            "x": draw.normal(size=14),
            "c": draw.integers(0, 5, 14),
            "y": 100 + draw.normal(size=14),
        }
    )


@pytest.fixture(scope="module")
def fits_of_small_cells() -> list[tuple[pd.DataFrame, ft.Fit]]:
    tables = [small_cells(seed) for seed in (*range(40), 46)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [(cells, ft.fit("y ~ C(g):C(h)", cells)) for cells in tables]  # a fit does not keep its table alive


@pytest.mark.filterwarnings("ignore::formula_torch.errors.InferenceWarning")
@pytest.mark.parametrize("vcov", ["HC0", "HC1", {"cluster": "c"}], ids=str)
def test_rounding_is_no_standard_error(fits_of_small_cells, vcov) -> None:
    """A cell of one row is fitted exactly, and what its variance keeps is rounding."""
    ratios = pd.concat([fit.with_vcov(vcov).bse / fit.bse for _, fit in fits_of_small_cells])
    assert ratios.isna().any()
    assert not ((ratios > 0) & (ratios < 1e-5)).any()


def test_a_mean_of_one_row_has_no_robust_error(data) -> None:
    single = data.assign(g=["s", *["a", "b"] * 29, "a"])
    with pytest.warns(InferenceWarning, match="single rows determine a coefficient"):
        fit = ft.fit("y ~ C(g) - 1", single, vcov="HC1")
    assert fit.bse.isna().to_dict() == {"C(g)[a]": False, "C(g)[b]": False, "C(g)[s]": True}


# -- labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "label", [str, "Q{}".format, lambda t: t if t % 2 else str(t)], ids=["digits", "words", "mixed"]
)
@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda fit: fit.with_vcov(ft.vcov.NeweyWest(3, time="k")), id="NeweyWest"),
        pytest.param(lambda fit: fit.with_vcov(ft.vcov.DriscollKraay("k", lags=3)), id="DriscollKraay"),
        pytest.param(lambda fit: fit.with_vcov(ft.vcov.PanelHAC("c", "k", lags=3)), id="PanelHAC"),
        pytest.param(lambda fit: fit.breusch_godfrey(2, time="k"), id="breusch_godfrey"),
        pytest.param(lambda fit: fit.durbin_watson(time="k"), id="durbin_watson"),
    ],
)
def test_text_is_no_time(data, label, use) -> None:
    """In the order of text, 10 comes before 2."""
    data["k"] = [label(t) for t in data["t"]]
    fit = ft.fit("y ~ x + z", data)
    with pytest.raises(DataError, match=r"`k`, used as time, holds text.*pandas\.to_datetime or pandas\.to_numeric"):
        use(fit)


def test_smf_groups_of_another_index_are_refused(data) -> None:
    """statsmodels takes groups by position, this package aligns them: neither is done in silence."""
    ordered = data.sort_values("t")
    groups = ordered["c"].reset_index(drop=True)
    with pytest.raises(DataError, match="groups: the Series' index is not that of the data"):
        fsmf.ols("y ~ x + C(g)", ordered).fit(cov_type="cluster", cov_kwds={"groups": groups})


@pytest.mark.parametrize("make", [pd.Index, pd.Categorical, pd.Series.tolist])
def test_labels_in_any_container(data, make) -> None:
    fit = ft.fit("y ~ x", data)
    expected = fit.with_vcov({"cluster": "c"}).bse
    close(fit.with_vcov(ft.vcov.Cluster(make(data["c"]))).bse, expected)
    close(fit.with_vcov({"cluster": make(data["c"])}).bse, expected)


@pytest.mark.parametrize("make", [pd.Series.to_frame, lambda c: c.to_numpy()[:, None]], ids=["frame", "array"])
def test_labels_of_two_dimensions_are_refused(data, make) -> None:
    fit = ft.fit("y ~ x", data)
    with pytest.raises(DataError, match="cluster has 2 dimensions"):
        fit.with_vcov(ft.vcov.Cluster(make(data["c"])))


# -- as in statsmodels ------------------------------------------------------------------------------


def test_smf_hac_has_statsmodels_default_lags(data) -> None:
    options = {"cov_type": "HAC", "cov_kwds": {"maxlags": None}}
    close(fsmf.ols("y ~ x", data).fit(**options).bse, smf.ols("y ~ x", data).fit(**options).bse)


def test_smf_counts_clusters_for_inference(data) -> None:
    options = {"cov_type": "cluster", "cov_kwds": {"groups": data["c"]}}
    assert fsmf.ols("y ~ x", data).fit(**options).df_resid_inference == data["c"].nunique() - 1


# -- two ways of clustering with a negative eigenvalue ----------------------------------------------


@pytest.fixture
def two_ways() -> pd.DataFrame:
    frame = table(40, seed=0)
    draw = np.random.default_rng(1)
    return frame.assign(
        c=np.random.default_rng(0).integers(0, 6, 40),
        y=frame["x"] + draw.normal(size=40),
        c2=draw.integers(0, 3, 40),
    )


@pytest.fixture
def indefinite(two_ways) -> ft.Fit:
    fit = ft.fit("y ~ x + z + C(g)", two_ways, vcov={"cluster": ["c", "c2"]})
    assert np.linalg.eigvalsh(fit.cov_params())[0] < -1e-3
    return fit


@pytest.mark.filterwarnings("ignore::formula_torch.errors.InferenceWarning")
def test_negative_variances_of_margins_are_missing(indefinite, two_ways) -> None:
    """And numpy says nothing about their roots."""
    errors = {by: indefinite.average_predictions(newdata=two_ways, by=by).table["std_error"] for by in "gctz"}
    assert {by: error.isna().any() for by, error in errors.items()} == {"g": False, "c": False, "t": True, "z": True}


def test_an_indefinite_covariance_has_no_joint_test(indefinite) -> None:
    with pytest.warns(InferenceWarning, match="not positive definite"):
        test = indefinite.wald_test(np.eye(5))
    assert np.isnan(test.statistic)


# -- units ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vcov", ["HC1", "OPG"])
@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_weights_does_not_reach_the_errors(weighted, vcov: str, unit: float) -> None:
    one = ft.fit("y ~ x + C(g)", weighted, weights="w", vcov=vcov)
    two = ft.fit("y ~ x + C(g)", weighted.assign(w=unit * weighted["w"]), weights="w", vcov=vcov)
    close(two.bse, one.bse)


def test_opg_in_large_units(data) -> None:
    one = ft.fit("y ~ x + C(g)", data, vcov="OPG")
    two = ft.fit("y ~ x + C(g)", data.assign(y=1e150 * data["y"]), vcov="OPG")
    close(two.bse / 1e150, one.bse)


@pytest.mark.parametrize("unit", [1e-120, 1e120])
def test_bca_in_any_units(data, unit: float) -> None:
    """Its acceleration takes cubes, which overflow long before the data do."""
    scaled = data.assign(x=unit * data["x"])
    one, two = (ft.fit("y ~ x", d).bootstrap(draws=2000, seed=0).conf_int(method="bca") for d in (data, scaled))
    close(two.mul([1, unit], axis=0), one)
