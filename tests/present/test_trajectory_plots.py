"""Pictures of trajectory models: their artists hold the numbers of the fit."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from scipy import special

import formula_torch as ft
from formula_torch.errors import DataRemovedError
from formula_torch.present.plots.canvas import PALETTE

matplotlib.use("Agg")
EXACT = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def ax() -> Any:
    return Figure().subplots()


@pytest.fixture(scope="module")
def cities() -> tuple[pd.DataFrame, Any]:
    data = ft.datasets.city_homicides().query("city < 'H'")
    formula = "homicides ~ poly(year, 2) + offset(log(population)) | city"
    return data, ft.traj(formula, data, groups=2, family="poisson")


@pytest.fixture(scope="module")
def weighted() -> tuple[pd.DataFrame, Any]:
    """Own times of units, a covariate, weights of units."""
    draw = np.random.default_rng(4)
    unit, second = np.repeat(np.arange(60), 5), np.repeat(draw.random(60) < 0.4, 5)
    t, x = draw.uniform(0, 10, 300), draw.normal(size=300)
    y = np.where(second, 3 - 0.3 * t, 1 + 0.2 * t) + 0.5 * x + 0.4 * draw.normal(size=300)
    data = pd.DataFrame({"who": unit, "t": t, "x": x, "y": y, "w": np.repeat(draw.integers(1, 4, 60), 5)})
    return data, ft.traj("y ~ poly(t, 2) + x | who", data, groups=2, weights="w")


def curves(ax: Any) -> list[Any]:
    return [line for line in ax.get_lines() if line.get_linestyle() == "-"]


def marks(ax: Any) -> list[np.ndarray]:
    return [line.get_xydata() for line in ax.get_lines() if line.get_linestyle() == "None"]


def threads(ax: Any) -> list[LineCollection]:
    return [c for c in ax.collections if isinstance(c, LineCollection)]


def band(ax: Any, group: int) -> pd.DataFrame:
    found = [c for c in ax.collections if isinstance(c, PolyCollection)]
    x, y = found[group - 1].get_paths()[0].vertices.T
    return pd.DataFrame({"y": y}).groupby(x)["y"].agg(["min", "max"])


def by_hand(fit: Any, data: pd.DataFrame, unit: str, numerator: pd.Series, denominator: pd.Series, by: Any) -> Any:
    """Means of the groups: sums over sums, weighted by the posterior."""
    found = []
    for g in fit.posterior.columns:
        p = fit.posterior.loc[data[unit], g].to_numpy()
        found.append((p * numerator).groupby(by).sum() / (p * denominator).groupby(by).sum())
    return found


def test_curves_and_bands_are_those_of_the_table(ax, cities) -> None:
    _, fit = cities
    assert fit.plot(ax, level=0.9, at={"population": 1e5}) is ax
    for g, line in enumerate(curves(ax), 1):
        times, mean = line.get_xydata().T
        assert (times[0], times[-1], len(times)) == (2000, 2019, 200)
        own = fit.trajectories(times, {"population": 1e5}, level=0.9).query("group == @g")
        np.testing.assert_allclose(mean, own["mean"], **EXACT)
        np.testing.assert_allclose(band(ax, g), own[["conf_low", "conf_high"]], **EXACT)
        assert line.get_color() == PALETTE[g - 1]
    assert len(curves(ax)) == 2


def test_points_are_sums_over_sums(ax, cities) -> None:
    data, fit = cities
    rates = by_hand(fit, data, "city", data["homicides"], data["population"], data["year"])
    for scale, at in ((1, None), (1e5, {"population": 1e5})):
        ax.clear()
        fit.plot(ax, at=at, spaghetti=False)
        for drawn, rate in zip(marks(ax), rates, strict=True):
            np.testing.assert_allclose(drawn, np.column_stack([rate.index, scale * rate]), **EXACT)
    exposed = ft.traj("homicides ~ poly(year, 2) | city", data, groups=2, family="poisson", exposure="population")
    ax.clear()
    exposed.plot(ax, spaghetti=False)
    np.testing.assert_allclose(marks(ax)[0][:, 1], rates[0], rtol=1e-5)


def test_points_of_many_times_are_means_over_stretches(ax, weighted) -> None:
    data, fit = weighted
    fit.plot(ax, times="t")
    stretch = pd.qcut(data["t"], 20, labels=False)
    each = by_hand(fit, data, "who", data["w"] * data["y"], data["w"], stretch)
    times = by_hand(fit, data, "who", data["w"] * data["t"], data["w"], stretch)
    for drawn, mean, time in zip(marks(ax), each, times, strict=True):
        np.testing.assert_allclose(drawn, np.column_stack([time, mean]), **EXACT)


def test_a_group_has_no_point_where_it_has_no_row(ax) -> None:
    data = ft.datasets.simulated_trajectories()
    data = data[(data["group"] == 1) | (data["t"] < 6)]
    fit = ft.traj("y ~ poly(t, 2) | id", data, groups=2)
    fit.plot(ax)
    curved = int(fit.groups[100])
    assert marks(ax)[curved - 1][-1, 0] == 5
    assert marks(ax)[2 - curved][-1, 0] == 10


def test_threads_are_the_rows_of_the_units_of_a_group(ax, cities) -> None:
    data, fit = cities
    shuffled = data.sample(frac=1, random_state=1)
    fit.update(". ~ .", shuffled).plot(ax)
    rates = data.assign(rate=data["homicides"] / data["population"])
    for g, own in enumerate(threads(ax), 1):
        cities_of_group = fit.groups.index[fit.groups == g]
        expected = [rates.loc[rates["city"] == city, ["year", "rate"]].to_numpy() for city in cities_of_group]
        np.testing.assert_allclose(own.get_segments(), expected, **EXACT)
        tint = np.array(colors.to_rgb(PALETTE[g - 1]))
        np.testing.assert_allclose(own.get_colors()[0][:3], (1 + tint) / 2)


def test_threads_by_default_only_where_they_can_be_seen(ax) -> None:
    data = ft.datasets.simulated_trajectories()
    fit = ft.traj("y ~ poly(t, 2) | id", data, groups=2)
    fit.plot(ax)
    assert len(threads(ax)) == 2
    ax.clear()
    fit.plot(ax, spaghetti=False)
    assert threads(ax) == []
    truth = ft.traj("high ~ t | id", data.assign(high=(data["y"] > 1) * 1.0), groups=2, family="logit")
    ax.clear()
    truth.plot(ax)
    assert threads(ax) == []
    ax.clear()
    truth.plot(ax, spaghetti=True, observed=False)
    assert len(threads(ax)) == 2
    assert marks(ax) == []


def test_of_very_many_units_a_sample_is_drawn_and_said(ax) -> None:
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"id": np.repeat(np.arange(2_100), 2), "t": np.tile([0.0, 1.0], 2_100)})
    fit = ft.traj("y ~ t | id", data.assign(y=draw.normal(size=4_200)), groups=1)
    fit.plot(ax)
    assert threads(ax) == []
    fit.plot(ax, spaghetti=True)
    assert len(threads(ax)[0].get_segments()) == 2_000
    assert ax.get_xlabel() == "t\n(thin lines: 2,000 of 2,100 units)"


def test_rows_as_units_are_points(ax) -> None:
    visits = ft.datasets.visits().head(150)
    fit = ft.traj("drvisits ~ poly(age, 2)", visits, groups=2, family="poisson")
    fit.plot(ax, observed=False)
    drawn = np.concatenate(marks(ax))
    order = np.lexsort(drawn.T)
    expected = visits[["age", "drvisits"]].to_numpy(float)
    np.testing.assert_array_equal(drawn[order], expected[np.lexsort(expected.T)])


def test_an_offset_of_other_families_is_taken_off_the_points(ax) -> None:
    data = ft.datasets.simulated_trajectories().assign(z=lambda d: d["id"] % 5)
    fit = ft.traj("y ~ poly(t, 2) + offset(z) | id", data.assign(y=data["y"] + data["z"]), groups=2)
    fit.plot(ax)
    np.testing.assert_allclose(
        marks(ax)[0][:, 1],
        by_hand(fit, data, "id", data["y"], pd.Series(1.0, data.index), data["t"])[0],
        **EXACT,
    )
    assert ax.get_ylabel() == "y without the offset"
    truth = data.assign(high=(data["y"] > 1) * 1.0, z=0.1 * data["z"])
    logit = ft.traj("high ~ t + offset(z) | id", truth, groups=1, family="logit")
    ax.clear()
    logit.plot(ax)
    b = logit.params
    eta = b["g1:Intercept"] + b["g1:t"] * truth["t"]
    adjusted = truth["high"] - special.expit(eta + truth["z"]) + special.expit(eta)
    np.testing.assert_allclose(marks(ax)[0][:, 1], adjusted.groupby(truth["t"]).mean(), **EXACT)


def test_words(cities, weighted) -> None:
    _, fit = cities
    ax = fit.plot()
    assert ax.get_xlabel() == "year"
    assert ax.get_ylabel() == "homicides / population"
    assert ax.get_title(loc="left") == "95% bands; points: observed means"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        f"group {g} ({100 * share:.1f}%)" for g, share in fit.shares["share"].items()
    ]
    assert all(float(tick).is_integer() for tick in ax.get_xticks())
    ax = fit.plot(at={"population": 100_000}, level=0.9, observed=False)
    assert ax.get_ylabel() == "homicides"
    assert ax.get_title(loc="left") == "90% bands; at population\u00a0=\u00a0100,000"
    ax = weighted[1].plot(at={"x": 1})
    assert ax.get_title(loc="left") == "95% bands; at x\u00a0=\u00a01; points: means of all rows"


def test_asked_times_are_drawn_in_their_order(ax, weighted) -> None:
    weighted[1].plot(ax, times={"t": [3, 0, 12]}, observed=False, spaghetti=False)
    np.testing.assert_array_equal(curves(ax)[0].get_xdata(), [0, 3, 12])


def test_a_pickle_draws_curves_alone(ax, cities) -> None:
    again = pickle.loads(pickle.dumps(cities[1]))
    with pytest.raises(DataRemovedError, match="pass times="):
        again.plot(ax)
    with pytest.raises(DataRemovedError, match="observed=True"):
        again.plot(ax, times=[2000, 2010])
    again.plot(ax, times=[2000, 2010], observed=False, spaghetti=False)
    assert len(curves(ax)) == 2


def test_coefficients_are_still_drawn(ax, cities) -> None:
    _, fit = cities
    fit.plot_coefficients(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == list(fit.names)
