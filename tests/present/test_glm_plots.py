"""Pictures of generalised linear models: what is drawn is what the numbers say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataError, UnknownNameError

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def data(visits):
    return visits.iloc[:500].assign(months=np.arange(500) % 12 + 1.0)


@pytest.fixture(scope="module")
def logit(data):
    return ft.fit("private ~ age + educ + C(actlim)", data, family="binomial")


@pytest.fixture(scope="module")
def poisson(data):
    return ft.fit("drvisits ~ age + chronic + C(actlim)", data, family="poisson", exposure="months")


def points(ax):
    """Offsets of the largest cloud of points."""
    return max((c.get_offsets() for c in ax.collections), key=len)


@pytest.mark.parametrize("kind", ["deviance", "pearson", "quantile"])
def test_four_panels(kind, poisson):
    axes = poisson.plot_residuals(kind=kind, seed=4)
    assert axes.shape == (2, 2)
    over, quantiles, location, leverage = axes.flat
    expected = {
        "deviance": poisson.resid_deviance,
        "pearson": poisson.resid_pearson,
        "quantile": poisson.resid_quantile(4),
    }[kind]
    drawn = points(over)
    np.testing.assert_allclose(drawn[:, 1], expected)
    np.testing.assert_allclose(drawn[:, 0], poisson.predict(which="linear"))
    np.testing.assert_allclose(points(quantiles)[:, 1], np.sort(poisson.resid_quantile(4)))
    influence = poisson.get_influence()
    standard = influence.resid_studentized if kind == "pearson" else influence.resid_deviance_studentized
    np.testing.assert_allclose(points(location)[:, 1], np.sqrt(np.abs(standard)))
    np.testing.assert_allclose(points(leverage)[:, 1], influence.resid_studentized)
    assert f"largest {influence.cooks_distance[0].max():.2g}" in leverage.get_title(loc="right")
    assert over.get_ylabel() == f"{kind.capitalize()} residual"


def test_panels_of_a_quasi_likelihood(data):
    fit = ft.fit("drvisits ~ age", data, family="quasipoisson")
    quantiles = fit.plot_residuals()[0, 1]
    assert quantiles.get_ylabel() == "Standardised deviance residual"
    np.testing.assert_allclose(points(quantiles)[:, 1], np.sort(fit.get_influence().resid_deviance_studentized))
    with pytest.raises(DataError, match="no distribution function"):
        fit.plot_residuals(kind="quantile")
    with pytest.raises(ValueError, match="'deviance', 'pearson', 'quantile'"):
        fit.plot_residuals(kind="working")


@pytest.mark.parametrize("x", [None, "age"])
def test_binned_residuals(x, logit, data):
    table = logit.binned_residuals(x, bins=7)
    ax = logit.plot_binned_residuals(x, bins=7)
    np.testing.assert_allclose(points(ax), table[["mean", "resid"]])
    along = logit.fittedvalues if x is None else data[x]
    place = pd.cut(along, np.unique(np.quantile(along, np.linspace(0, 1, 8))), include_lowest=True)
    groups = logit.resid_response.groupby(place, observed=True)
    np.testing.assert_allclose(table["resid"], groups.mean())
    np.testing.assert_allclose(table["limit"], 2 * groups.sem())
    np.testing.assert_array_equal(table["n"], groups.size())
    assert len(logit.binned_residuals()) <= 22


def test_binned_residuals_name_their_column(logit):
    with pytest.raises(UnknownNameError, match="`aeg` is not a column that the model read"):
        logit.binned_residuals("aeg")
    with pytest.raises(ValueError, match="at least 1"):
        logit.binned_residuals(bins=0)


@pytest.mark.parametrize("which", ["mean", "linear"])
def test_the_line_is_the_prediction(which, poisson, data):
    ax = poisson.plot_fit("age", by="actlim", which=which)
    lines = ax.get_lines()
    held = {"chronic": data["chronic"].mean(), "months": data["months"].mean()}
    for line, level in zip(lines, (0, 1), strict=True):
        x, y = line.get_data()
        new = pd.DataFrame({"age": x, "actlim": level, **held})
        np.testing.assert_allclose(y, poisson.predict(new, which=which))
        band = poisson.get_prediction(new).conf_int(which=which)
        drawn = ax.collections[-2 + level].get_paths()[0].vertices[:, 1]
        assert drawn.min() == pytest.approx(band.min())
        assert drawn.max() == pytest.approx(band.max())
    assert ax.get_ylabel() == ("drvisits" if which == "mean" else "log(drvisits)")


def test_partial_residuals_about_the_line(logit, data):
    ax = logit.plot_fit("age", which="linear")
    held = pd.DataFrame({"age": data["age"], "educ": data["educ"].mean(), "actlim": 0})
    expected = logit.predict(held, which="linear").to_numpy() + logit.resid_working.to_numpy()
    drawn = points(ax)
    assert {tuple(p) for p in np.round(drawn, 8)} == {
        tuple(p) for p in np.round(np.column_stack([data["age"], expected]), 8)
    }


def test_arrays_are_at_their_means(data):
    months = data["months"].to_numpy()
    fit = ft.fit("drvisits ~ age", data, family="poisson", exposure=months)
    x, y = fit.plot_fit("age", points=False).get_lines()[0].get_data()
    np.testing.assert_allclose(y, fit.predict({"age": x}, exposure=np.full(len(x), months.mean())))


def test_a_weighted_regression_through_the_partial_points_has_the_slope(logit):
    ax = logit.plot_partial("educ")
    design = logit.weighted_design("test")
    dense = np.stack([design.matvec(row).numpy() for row in np.eye(design.k)], axis=1)
    j, w = logit.names.index("educ"), design.weights.numpy()
    others = np.delete(dense, j, axis=1)
    share = np.linalg.lstsq(others * np.sqrt(w)[:, None], dense[:, j] * np.sqrt(w), rcond=None)[0]
    across = dense[:, j] - others @ share
    (line,) = [line for line in ax.get_lines() if len(line.get_xdata()) == 3]
    np.testing.assert_allclose(line.get_xdata()[[0, 2]], [across.min(), across.max()], rtol=1e-6)
    y = logit.resid_working.to_numpy() + logit.params["educ"] * across
    np.testing.assert_allclose((w * across) @ y / ((w * across) @ across), logit.params["educ"], rtol=1e-7)
    assert ax.get_ylabel() == "logit(private) | others"


def test_coefficients_as_ratios(logit):
    ax = logit.plot_coefficients(exp=True)
    assert ax.get_xscale() == "log"


def test_options_are_checked(logit):
    with pytest.raises(ValueError, match="'mean', 'linear'"):
        logit.plot_fit("age", which="link")
    with pytest.raises(ValueError, match="interval"):
        logit.plot_fit("age", interval="obs")
    with pytest.raises(UnknownNameError):
        logit.plot_partial("eudc")
    ax = logit.plot_fit("age", points=False, interval=None)
    assert not ax.collections
