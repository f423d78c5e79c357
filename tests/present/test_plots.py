"""What pictures show: their artists hold the numbers of the fit, on the axes that were given."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.formula.api as smf
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from scipy import stats
from statsmodels.nonparametric.smoothers_lowess import lowess as statsmodels_lowess

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, UnknownNameError
from formula_torch.inference.residual_curves import cooks_contour, normal_envelope, normal_positions
from formula_torch.numerics.lowess import lowess, lowess_curve

matplotlib.use("Agg")
EXACT = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def ax() -> Any:
    return Figure().subplots()


@pytest.fixture(scope="module")
def islands() -> Any:
    return ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())


@pytest.fixture(scope="module")
def doctor() -> Any:
    return ft.fit("drvisits ~ private * poly(age, 2) + C(actlim) + educ", ft.datasets.visits(), vcov="HC1")


@pytest.fixture(scope="module")
def odd() -> pd.DataFrame:
    """Columns and levels with signs that mathematical text would swallow."""
    draw = np.random.default_rng(3)
    frame = pd.DataFrame({"cost_$": draw.uniform(1, 9, 80), "_g$": draw.choice(["_a_$x$", "$b$", "c^2"], 80)})
    return frame.assign(**{"y_$1$": np.log(frame["cost_$"]) + draw.normal(size=80)})


def points(ax: Any) -> np.ndarray:
    """Positions of the first cloud of points."""
    return np.asarray(next(c for c in ax.collections if isinstance(c, PathCollection)).get_offsets())


def band(ax: Any, number: int = 0) -> np.ndarray:
    """Lowest and highest y of a band at each x, shape (m, 3) with x first."""
    found = [c for c in ax.collections if isinstance(c, PolyCollection) and not isinstance(c, PathCollection)]
    x, y = found[number].get_paths()[0].vertices.T
    return pd.DataFrame({"y": y}).groupby(x)["y"].agg(["min", "max"]).reset_index().to_numpy()


def intervals(ax: Any, number: int = 0) -> np.ndarray:
    """Segments, shape (m, 2, 2)."""
    found = [c for c in ax.collections if hasattr(c, "get_segments")]
    return np.array(found[number].get_segments())


# -- coefficients -------------------------------------------------------------------------------------


def test_coefficients_and_intervals_are_those_of_the_fit(doctor: Any, ax: Any) -> None:
    assert doctor.plot(ax) is ax
    names = [name for name in doctor.names if name != "Intercept"]
    assert [t.get_text() for t in ax.get_yticklabels()] == names
    np.testing.assert_allclose(ax.get_lines()[1].get_xdata(), doctor.params[names], **EXACT)
    np.testing.assert_allclose(intervals(ax)[:, :, 0], doctor.conf_int().loc[names], **EXACT)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert ax.get_lines()[0].get_xdata()[0] == 0


def test_joint_intervals_level_and_ratios(doctor: Any, ax: Any) -> None:
    doctor.plot_coefficients(ax, drop_intercept=False, level=0.9, joint="bonferroni", exp=True)
    expected = np.exp(doctor.confint(0.9, joint="bonferroni"))
    np.testing.assert_allclose(intervals(ax)[:, :, 0], expected, **EXACT)
    assert ax.get_xscale() == "log"
    assert ax.get_lines()[0].get_xdata()[0] == 1
    assert "90% joint (bonferroni)" in ax.get_xlabel()


def test_terms_choose_and_order_coefficients(doctor: Any, ax: Any) -> None:
    doctor.plot_coefficients(ax, terms=["educ", "poly(age, 2)"], labels={"educ": "years of $chool$"})
    shown = [t.get_text() for t in ax.get_yticklabels()]
    assert shown == ["years of $chool$", "poly(age, 2)[1]", "poly(age, 2)[2]"]
    with pytest.raises(UnknownNameError, match="did you mean `educ`"):
        doctor.plot_coefficients(ax, terms="edcu")
    with pytest.raises(UnknownNameError, match="labels: `privat`"):
        doctor.plot_coefficients(ax, labels={"privat": "insurance"})


def test_several_fits_stand_side_by_side(doctor: Any, ax: Any) -> None:
    other = ft.fit("drvisits ~ private + chronic", ft.datasets.visits())
    ft.plot_coefficients({"a": doctor, "_b$": other}, ax, terms=["private", "chronic"])
    first, second = ax.get_lines()[1:]
    assert np.isnan(first.get_xdata()[1])
    np.testing.assert_allclose(second.get_xdata(), other.params[["private", "chronic"]], **EXACT)
    assert (first.get_ydata() < second.get_ydata()).all()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "_b$"]
    with pytest.raises(TypeError, match="got a Series"):
        ft.plot_coefficients([doctor.params], ax)
    with pytest.raises(ValueError, match="9 fits"):
        ft.plot_coefficients([doctor] * 9, ax)


def test_dropped_coefficients_are_named_so(ax: Any) -> None:
    visits = ft.datasets.visits()
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.fit("drvisits ~ age + months", visits.assign(months=12 * visits["age"]))
    fit.plot(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["age", "months (dropped)"]


def test_too_many_or_no_coefficients(ax: Any) -> None:
    many = pd.DataFrame({"y": np.arange(400.0) ** 2, "g": np.arange(400) // 2})
    with pytest.raises(DataError, match="199 coefficients"):
        ft.fit("y ~ C(g)", many).plot(ax)
    with pytest.raises(DataError, match="drop_intercept=False"):
        ft.fit("y ~ 1", many).plot(ax)


def test_a_pickled_fit_still_draws_coefficients_only(islands: Any, ax: Any) -> None:
    bare = pickle.loads(pickle.dumps(islands))
    bare.plot(ax)
    for draw in (bare.plot_residuals, lambda: bare.plot_fit("area"), lambda: bare.plot_partial("area")):
        with pytest.raises(DataRemovedError):
            draw()


# -- the fitted line ----------------------------------------------------------------------------------


def test_the_line_its_bands_and_the_points(islands: Any, ax: Any) -> None:
    data = ft.datasets.plant_richness()
    assert islands.plot_fit("area", ax, interval="both", level=0.9) is ax
    (line,) = ax.get_lines()
    x, y = line.get_data()
    np.testing.assert_allclose(y, islands.predict({"area": x}), **EXACT)
    assert (x.min(), x.max()) == (data["area"].min(), data["area"].max())
    reference = smf.ols("ntv_rich ~ area", data).fit().get_prediction(pd.DataFrame({"area": x})).summary_frame(0.1)
    np.testing.assert_allclose(band(ax, 0)[:, 1:], reference[["obs_ci_lower", "obs_ci_upper"]], rtol=1e-10)
    np.testing.assert_allclose(band(ax, 1)[:, 1:], reference[["mean_ci_lower", "mean_ci_upper"]], rtol=1e-10)
    drawn = points(ax)
    np.testing.assert_array_equal(
        drawn[np.lexsort(drawn.T)], data[["area", "ntv_rich"]].sort_values(["ntv_rich", "area"])
    )
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("area", "ntv_rich")


def test_others_are_at_means_and_the_most_frequent_level(doctor: Any, ax: Any) -> None:
    visits = ft.datasets.visits()
    doctor.plot_fit("age", ax, at={"private": 1}, points=False)
    x, y = ax.get_lines()[0].get_data()
    rows = {"age": x, "private": 1, "actlim": 0, "educ": visits["educ"].mean()}
    expected = doctor.get_prediction(rows).summary_frame()
    np.testing.assert_allclose(y, expected["mean"], **EXACT)
    np.testing.assert_allclose(band(ax)[:, 1:], expected[["mean_ci_lower", "mean_ci_upper"]], **EXACT)
    assert not any(isinstance(c, PathCollection) for c in ax.collections)
    shown = ax.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ")
    assert shown == "95% interval of the mean; at private = 1, actlim = 0, educ = 11.2"


def test_a_line_for_each_level(doctor: Any, ax: Any) -> None:
    visits = ft.datasets.visits()
    doctor.plot_fit("age", ax, by="private", at={"educ": 12})
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["0", "1"]
    for private, line in enumerate(ax.get_lines()):
        x, y = line.get_data()
        np.testing.assert_allclose(y, doctor.predict({"age": x, "private": private, "actlim": 0, "educ": 12}), **EXACT)
    # Rows that coincide are drawn once, with the area of all.
    for private, cloud in enumerate(c for c in ax.collections if isinstance(c, PathCollection)):
        own = visits[visits["private"] == private].value_counts(["age", "drvisits"])
        places = pd.MultiIndex.from_arrays(np.asarray(cloud.get_offsets()).T)
        areas = pd.Series(cloud.get_sizes(), index=places)
        assert set(places) == set(own.index)
        large = own[areas.reindex(own.index).to_numpy() > 2.01]
        np.testing.assert_allclose(np.ptp(areas.reindex(large.index) / large), 0, atol=1e-9)
    assert "larger points hold more rows" in ax.get_xlabel()


def test_chosen_levels_and_values(ax: Any) -> None:
    cities = ft.datasets.city_homicides()
    fit = ft.fit("np.log(homicides + 1) ~ np.log(population) + year + C(city)", cities)
    fit.plot_fit("year", ax, by={"city": ["Austin", "Atlanta"]})
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Austin", "Atlanta"]
    own = cities[cities["city"] == "Austin"]
    np.testing.assert_allclose(np.sort(points(ax)[:, 1]), np.sort(np.log(own["homicides"] + 1)), **EXACT)
    with pytest.raises(DataError, match=r"has 86 levels.*by=\{'city': \['Albuquerque'"):
        fit.plot_fit("year", by="city")
    with pytest.raises(DataError, match="no level 'Austen'; did you mean `Austin`"):
        fit.plot_fit("year", by={"city": ["Austen"]})
    with pytest.raises(DataError, match=r"86 levels.*plot_coefficients"):
        fit.plot_fit("city")
    numeric = Figure().subplots()
    fit.plot_fit("year", numeric, by={"population": [2e5, 1e6]}, interval=None)
    assert len(numeric.get_lines()) == 2
    assert len(points(numeric)) == len(cities)


def test_a_factor_gets_points_with_intervals(doctor: Any, ax: Any) -> None:
    visits = ft.datasets.visits()
    doctor.plot_fit("actlim", ax)
    means = visits[["private", "age", "educ"]].mean()
    expected = doctor.get_prediction({"actlim": [0, 1], **means}).summary_frame()
    np.testing.assert_allclose(ax.get_lines()[0].get_data(), [[0, 1], expected["mean"]], **EXACT)
    np.testing.assert_allclose(intervals(ax)[:, :, 1], expected[["mean_ci_lower", "mean_ci_upper"]], **EXACT)
    drawn = points(ax)
    np.testing.assert_array_equal(np.round(drawn[:, 0]), visits["actlim"])
    np.testing.assert_array_equal(drawn[:, 1], visits["drvisits"])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1"]


def test_levels_stand_in_the_order_of_the_data_wherever_the_reference_is(messy: pd.DataFrame, ax: Any) -> None:
    fit = ft.fit("y ~ C(g, Treatment('b')) + b", messy)
    fit.plot_fit("g", ax, by="b")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    for truth, line in zip([False, True], ax.get_lines(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), fit.predict({"g": ["a", "b", "c"], "b": truth}), **EXACT)


def test_steps_of_a_cut_number_are_a_line(messy: pd.DataFrame, ax: Any) -> None:
    fit = ft.fit("y ~ cut(z, 3)", messy)
    fit.plot_fit("z", ax)
    x, y = ax.get_lines()[0].get_data()
    np.testing.assert_allclose(y, fit.predict({"z": x}), **EXACT)
    assert len(np.unique(y)) == 3


def test_offsets_and_weights(ax: Any) -> None:
    draw = np.random.default_rng(0)
    data = pd.DataFrame({"x": draw.normal(size=50), "y": draw.normal(size=50), "w": draw.integers(1, 5, 50)})
    offset = draw.normal(size=50)
    fit = ft.fit("y ~ x", data, weights="w", offset=offset)
    fit.plot_fit("x", ax)
    x, y = ax.get_lines()[0].get_data()
    held = np.average(offset, weights=data["w"])
    np.testing.assert_allclose(y, fit.predict({"x": x}, offset=np.full(len(x), held)), **EXACT)
    sizes = next(c for c in ax.collections if isinstance(c, PathCollection)).get_sizes()
    drawn = pd.Series(sizes, index=points(ax)[:, 0])[data["x"]]
    np.testing.assert_allclose(np.ptp(drawn.to_numpy() / data["w"]), 0, atol=1e-12)
    assert ax.get_xlabel() == "x\n(larger points weigh more)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": "aeg"}, UnknownNameError, "did you mean `age`"),
        ({"x": "drvisits"}, UnknownNameError, "does not use `drvisits`"),
        ({"x": "age", "at": {"age": 3}}, ValueError, "only of x, by= and at="),
        ({"x": "age", "at": {"private": [0, 1]}}, ValueError, "by= draws a line"),
        ({"x": "age", "at": {"chronic": 1}}, UnknownNameError, "does not use `chronic`"),
        ({"x": "age", "by": "edcu"}, UnknownNameError, "by=: .*did you mean `educ`"),
        ({"x": "age", "by": {"educ": [1], "private": [1]}}, ValueError, "one column"),
        ({"x": "age", "by": {"educ": []}}, ValueError, "names no level"),
        ({"x": "age", "by": "educ"}, DataError, r"values; by= draws a line"),
        ({"x": "age", "interval": "confidence"}, ValueError, "'mean', 'obs', 'both', None"),
        ({"x": "age", "level": 95}, ValueError, "between 0 and 1"),
    ],
)
def test_what_cannot_be_drawn(doctor: Any, ax: Any, arguments: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        doctor.plot_fit(**arguments, ax=ax)


# -- partial regression -------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, "chronic"])
def test_the_slope_of_a_partial_regression_is_the_coefficient(weights: str | None, ax: Any) -> None:
    visits = ft.datasets.visits().query("chronic > 0").reset_index(drop=True)
    fit = ft.fit("drvisits ~ age + educ + C(actlim) + I(age^2)", visits, weights=weights, vcov="HC3")
    fit.plot_partial("age", ax)
    x, y = np.asarray(next(c for c in ax.collections if isinstance(c, PathCollection)).get_offsets()).T
    w = np.ones(len(visits)) if weights is None else visits[weights].to_numpy()
    own = [
        smf.wls(f"{name} ~ educ + C(actlim) + I(age**2)", visits, weights=w).fit().resid for name in ("age", "drvisits")
    ]
    # The reference regresses raw powers of age, and keeps ten digits.
    expected = pd.DataFrame({"x": own[0], "y": own[1]})
    np.testing.assert_allclose(x, expected.drop_duplicates()["x"] if len(x) < len(w) else expected["x"], atol=1e-9)
    slope = fit.params["age"]
    np.testing.assert_allclose((w * x * y).sum() / (w * x * x).sum(), slope, rtol=1e-10)
    np.testing.assert_allclose(np.diff(ax.get_lines()[1].get_ydata()), slope * np.diff(ax.get_lines()[1].get_xdata()))
    low, high = fit.conf_int().loc["age"]
    ends = band(ax)
    np.testing.assert_allclose(ends[-1], [x.max(), low * x.max(), high * x.max()], rtol=1e-10)
    np.testing.assert_allclose(ends[0], [x.min(), high * x.min(), low * x.min()], rtol=1e-10)


def test_partial_regressions_go_by_coefficients(doctor: Any, ax: Any) -> None:
    assert doctor.plot_partial("C(actlim)", ax) is ax
    assert ax.get_xlabel() == "C(actlim)[T.1] | others"
    with pytest.raises(UnknownNameError, match="did you mean `educ`"):
        doctor.plot_partial("edcu")
    with pytest.raises(UnknownNameError, match=r"has 2 coefficients; draw one of them: `poly\(age, 2\)\[1\]`"):
        doctor.plot_partial("poly(age, 2)")
    visits = ft.datasets.visits()
    with pytest.warns(ft.errors.CollinearityWarning):
        fit = ft.fit("drvisits ~ age + months", visits.assign(months=12 * visits["age"]))
    with pytest.raises(DataError, match="`months` was dropped"):
        fit.plot_partial("months")


# -- residuals ----------------------------------------------------------------------------------------


def test_the_four_panels(islands: Any) -> None:
    axes = Figure().subplots(2, 2)
    assert islands.plot_residuals(axes) is axes
    over_fitted, quantiles, scale, leverage = axes.flat
    influence = smf.ols("ntv_rich ~ area", ft.datasets.plant_richness()).fit().get_influence()
    internal = influence.resid_studentized_internal
    np.testing.assert_allclose(sorted(points(over_fitted)[:, 1]), sorted(islands.resid), **EXACT)
    np.testing.assert_allclose(sorted(points(over_fitted)[:, 0]), sorted(islands.fittedvalues), **EXACT)
    n = len(internal)
    expected = np.column_stack([stats.norm.ppf((np.arange(n) + 0.5) / n), np.sort(internal)])
    np.testing.assert_allclose(points(quantiles), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(sorted(points(scale)[:, 1]), sorted(np.sqrt(np.abs(internal))), rtol=1e-10)
    drawn = pd.DataFrame(points(leverage)).sort_values(1)
    np.testing.assert_allclose(drawn[1], np.sort(internal), rtol=1e-10)
    np.testing.assert_allclose(drawn[0], influence.hat_matrix_diag[np.argsort(internal)], rtol=1e-10)
    at, smooth = lowess_curve(islands.fittedvalues.to_numpy(), islands.resid.to_numpy())
    np.testing.assert_allclose(over_fitted.get_lines()[1].get_data(), [at, smooth], **EXACT)


def test_extreme_rows_are_named_by_the_users_index() -> None:
    data = ft.datasets.plant_richness()
    data.index = pd.Index([f"island_{i}$" for i in range(len(data))])
    fit = ft.fit("ntv_rich ~ area", data)
    axes = fit.plot_residuals(Figure().subplots(1, 4))
    influence = smf.ols("ntv_rich ~ area", data).fit().get_influence()
    ranks = pd.Series(np.abs(influence.resid_studentized_internal), index=data.index).nlargest(3)
    for ax in axes[:3]:
        assert [t.get_text() for t in ax.texts] == list(ranks.index)
    cooks = pd.Series(influence.cooks_distance[0], index=data.index).nlargest(3)
    assert [t.get_text() for t in axes[3].texts[-3:]] == list(cooks.index)
    assert axes[3].get_title(loc="right") == f"Cook's distance: largest {cooks.iloc[0]:.2g}"


def test_contours_of_cooks_distance_where_they_pass() -> None:
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"x": np.append(draw.normal(size=30), 12.0)})
    data["y"] = data["x"] + np.append(draw.normal(size=30), -9.0)
    ax = ft.fit("y ~ x", data).plot_residuals(Figure().subplots(2, 2))[1, 1]
    dashed = [line for line in ax.get_lines() if line.is_dashed()]
    for line, distance in zip(dashed, (0.5, 0.5, 1.0, 1.0), strict=True):
        h, r = line.get_data()
        np.testing.assert_allclose(r**2 * h / (2 * (1 - h)), distance, rtol=1e-12)


def test_frequency_weights_draw_the_repeated_rows() -> None:
    table = ft.datasets.visits().value_counts(["drvisits", "age"]).reset_index(name="people").query("drvisits > 40")
    repeated = table.loc[table.index.repeat(table["people"])].reset_index(drop=True)
    counted = ft.fit("drvisits ~ age", table, weights="people", weights_type="frequency")
    axes = counted.plot_residuals(Figure().subplots(2, 2))
    other = ft.fit("drvisits ~ age", repeated).plot_residuals(Figure().subplots(2, 2))
    few, many = points(axes[0, 1]), points(other[0, 1])
    np.testing.assert_allclose(np.repeat(few[:, 1], counts_of(few[:, 1], many[:, 1])), many[:, 1], rtol=1e-9)
    means = [many[np.isclose(many[:, 1], value), 0] for value in few[:, 1]]
    assert all(place.min() - 1e-9 <= at <= place.max() + 1e-9 for at, place in zip(few[:, 0], means, strict=True))
    title = [a[1, 1].get_title(loc="right") for a in (axes, other)]
    assert title[0] == title[1]


def counts_of(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    return np.array([np.isclose(among, value).sum() for value in values])


def test_rows_of_leverage_one_are_said_to_be_missing() -> None:
    data = pd.DataFrame({"y": [1.0, 3.0, 2.0, 5.0, 4.0], "g": ["a", "a", "b", "b", "c"]})
    fit = ft.fit("y ~ g", data)
    with pytest.warns(ft.errors.InferenceWarning, match="leverage 1"):
        axes = fit.plot_residuals(Figure().subplots(2, 2))
    assert "1 row of leverage 1 not drawn" in axes[1, 1].get_xlabel()
    assert len(points(axes[1, 1])) == 4


def test_four_axes_are_needed(islands: Any) -> None:
    with pytest.raises(ValueError, match="given 2 axes"):
        islands.plot_residuals(Figure().subplots(1, 2))


# -- many rows ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> Any:
    draw = np.random.default_rng(0)
    data = pd.DataFrame({"x": draw.normal(size=30_000), "g": draw.choice(["a", "b"], 30_000)})
    data["y"] = data["x"] + draw.normal(size=30_000)
    return ft.fit("y ~ x + g", data)


def test_many_rows_are_counted_in_hexagons(large: Any, ax: Any) -> None:
    large.plot_fit("x", ax)
    (hexagons,) = (c for c in ax.collections if isinstance(c, PolyCollection) and c.get_array() is not None)
    assert hexagons.get_array().sum() == 30_000
    assert "30,000 rows; darker hexagons hold more rows" in ax.get_xlabel()
    axes = large.plot_residuals(Figure().subplots(2, 2))
    assert sum(len(c.get_offsets()) for c in axes[0, 1].collections if isinstance(c, PathCollection)) < 5_000
    assert "3,000 quantiles of 30,000 rows" in axes[0, 1].get_xlabel()


def test_coloured_points_of_many_rows_are_a_sample(large: Any, ax: Any) -> None:
    large.plot_fit("x", ax, by="g")
    clouds = [np.asarray(c.get_offsets()) for c in ax.collections if isinstance(c, PathCollection)]
    assert sum(map(len, clouds)) == 5_000
    assert "5,000 of 30,000 rows drawn" in ax.get_xlabel()
    again = Figure().subplots()
    large.plot_fit("x", again, by="g")
    np.testing.assert_array_equal(points(again), clouds[0])


# -- axes, names, libraries ---------------------------------------------------------------------------


def test_axes_that_are_passed_are_all_that_is_touched(doctor: Any, ax: Any) -> None:
    other = plt.figure().subplots()
    before = (plt.get_fignums(), dict(plt.rcParams))
    for draw in (doctor.plot, lambda a: doctor.plot_fit("age", a), lambda a: doctor.plot_partial("educ", a)):
        assert draw(ax) is ax
    doctor.plot_residuals(Figure().subplots(2, 2))
    assert (plt.get_fignums(), dict(plt.rcParams)) == before
    assert plt.gca() is other
    assert not other.has_data()
    assert ax.spines["top"].get_visible()


def test_without_axes_a_figure_is_made(doctor: Any) -> None:
    assert doctor.plot().figure.number in plt.get_fignums()
    assert doctor.plot_residuals().shape == (2, 2)
    assert len(plt.get_fignums()) == 2


def test_any_sign_may_stand_in_names(odd: pd.DataFrame) -> None:
    fit = ft.fit("Q('y_$1$') ~ np.log(Q('cost_$')) + Q('_g$')", odd)
    drawn = [fit.plot(), fit.plot_fit("cost_$", by="_g$"), fit.plot_fit("_g$"), fit.plot_partial("np.log(Q('cost_$'))")]
    for ax in (*drawn, *fit.plot_residuals().flat):
        ax.figure.canvas.draw()
    assert [t.get_text() for t in drawn[1].get_legend().get_texts()] == sorted(odd["_g$"].unique())
    for ax in drawn:
        texts = [ax.xaxis.label, ax.yaxis.label, *ax.get_xticklabels(), *ax.get_yticklabels()]
        assert not any(t.get_parse_math() for t in texts if "$" in t.get_text())


def test_polars_frames_draw_the_same(messy: pd.DataFrame) -> None:
    plain = messy.reset_index(drop=True)
    pictures = [
        ft.fit("y ~ x * g + b", data).plot_fit("x", by="g", at={"b": True}) for data in (plain, pl.from_pandas(plain))
    ]
    for one, other in zip(*(ax.get_lines() for ax in pictures), strict=True):
        np.testing.assert_array_equal(one.get_data(), other.get_data())
    np.testing.assert_array_equal(points(pictures[0]), points(pictures[1]))


def test_a_missing_matplotlib_is_named(islands: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (islands.plot, islands.plot_residuals, partial(islands.plot_fit, "area")):
        with pytest.raises(ImportError, match=r"pip install formula-torch\[plot\]"):
            draw()


# -- curves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [0, 3])
def test_lowess_is_clevelands(rounds: int) -> None:
    draw = np.random.default_rng(2)
    x = np.sort(draw.normal(size=120))
    y = np.sin(x) + draw.standard_t(2, size=120)
    reference = statsmodels_lowess(y, x, frac=2 / 3, it=rounds, delta=0.0, return_sorted=False)
    # statsmodels sets weights beyond 0.999 of the width to zero: 3e-8 of the largest.
    np.testing.assert_allclose(lowess(x, y, np.ones(120), x, rounds=rounds), reference, rtol=1e-5, atol=1e-6)


def test_the_curve_of_many_rows_is_that_of_all() -> None:
    draw = np.random.default_rng(5)
    x = draw.uniform(-3, 3, 2_000)
    y = np.sin(x) + draw.normal(size=2_000)
    at, smooth = lowess_curve(x, y, rounds=0)
    whole = lowess(x, y, np.ones(2_000), np.sort(x), rounds=0)
    # An approximation by design; the noise of the curve itself is 0.02.
    np.testing.assert_allclose(smooth, np.interp(at, np.sort(x), whole), atol=5e-3)
    assert len(lowess_curve(np.tile([0.0, 1.0, 2.0], 9), np.arange(27.0))[0]) == 0


def test_lowess_with_tied_values_takes_their_mean() -> None:
    x = np.repeat([0.0, 1.0, 2.0, 3.0], [40, 2, 2, 2])
    y = np.arange(46.0)
    smooth = lowess(x, y, np.ones(46), np.unique(x), share=0.5, rounds=0)
    np.testing.assert_allclose(smooth[0], y[:40].mean())


def test_quantiles_and_their_envelope() -> None:
    n = 17
    places = normal_positions(np.ones(n))
    np.testing.assert_allclose(places, stats.norm.ppf((np.arange(1, n + 1) - 0.5) / n), rtol=1e-12, atol=1e-15)
    low, high = normal_envelope(places, n, 0.9)
    i = np.arange(1, n + 1)
    np.testing.assert_allclose(low, stats.norm.ppf(stats.beta.ppf(0.05, i, n + 1 - i)), rtol=1e-9)
    np.testing.assert_allclose(high, stats.norm.ppf(stats.beta.ppf(0.95, i, n + 1 - i)), rtol=1e-9)


def test_contours_solve_cooks_distance() -> None:
    h = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(cooks_contour(0.7, h, 4) ** 2 * h / (4 * (1 - h)), 0.7)
