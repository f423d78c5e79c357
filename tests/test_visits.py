"""The main job: from a formula and a frame to the numbers of the first text."""

from __future__ import annotations

import numpy as np
import pytest

import formula_torch as ft

FORMULA = "drvisits ~ private + medicaid + age + educ + actlim + chronic"


def test_doctor_visits(visits) -> None:
    fit = ft.fit(FORMULA, visits, engine="torch")
    expected = [-0.715563, 0.859566, 0.640009, 0.012240, 0.194056, 1.262680, 1.901798]
    assert fit.params.to_numpy() == pytest.approx(expected, abs=5e-7)
    assert fit.rsquared == pytest.approx(0.156746, abs=5e-7)


def test_plant_richness() -> None:
    fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
    assert fit.params.to_numpy() == pytest.approx([1.33605, 0.35574], abs=5e-6)
    assert fit.rsquared == pytest.approx(0.82779, abs=5e-6)
    assert fit.predict({"area": 3}).item() == pytest.approx(2.40327, abs=5e-6)


def test_simulated_line() -> None:
    fit = ft.fit("y ~ x", ft.datasets.simulated_line())
    assert fit.params.to_numpy() == pytest.approx([5.00515, 1.98443], abs=5e-6)
    assert fit.rsquared == pytest.approx(0.67309, abs=5e-6)


def test_simulated_trajectories_follow_their_curves() -> None:
    data = ft.datasets.simulated_trajectories()
    assert data.shape == (1100, 4)
    assert data.groupby("group")["id"].nunique().tolist() == [50, 50]
    first = ft.fit("y ~ t1 + I(t1^2)", data.assign(t1=(data["t"] - 5.5) / 5.5), subset="group == 1")
    assert first.params.to_numpy() == pytest.approx([0.99708, 0.50041, 0.00406], abs=5e-6)


def test_city_homicides_is_a_full_panel() -> None:
    data = ft.datasets.city_homicides()
    assert data.shape == (1720, 4)
    assert (data.groupby("city").size() == 20).all()
    assert np.isfinite(data[["population", "homicides"]]).all(axis=None)


def test_loaders_return_fresh_frames() -> None:
    first = ft.datasets.visits()
    first.loc[0, "age"] = -1
    assert ft.datasets.visits().loc[0, "age"] != -1
