"""Differences with a step for each row, against derivatives known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from formula_torch.numerics.differences import differentiate

X = np.random.default_rng(2).lognormal(sigma=2, size=500)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (np.log, lambda x: 1 / x),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
        (lambda x: np.exp(-x), lambda x: -np.exp(-x)),
        (lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
        (lambda x: x**3 - 5 * x, lambda x: 3 * x**2 - 5),
        (lambda x: np.maximum(x - 1, 0) ** 3, lambda x: 3 * np.maximum(x - 1, 0) ** 2),
        (lambda x: np.abs(x - 1), lambda x: np.sign(x - 1)),
        (lambda x: np.minimum(x, 2), lambda x: (x < 2) * 1.0),
    ],
)
def test_closed_forms(function, slope) -> None:
    found, settled = differentiate(lambda points, rows: function(points)[None], X, X.min(), X.max())
    assert settled.all()
    # Differences: the promise is 1e-6; relative to the slope, or to the rounding of the value over its distance.
    np.testing.assert_allclose(found[0], slope(X), rtol=1e-9, atol=1e-10 * np.abs(function(X)).max() / X.max())


def test_years_and_tiny_units() -> None:
    years = np.arange(1990.0, 2020.0)
    found, _ = differentiate(lambda x, rows: ((x - 2000) ** 3)[None], years, 1990.0, 2019.0)
    np.testing.assert_allclose(found[0], 3 * (years - 2000) ** 2, atol=1e-8)
    tiny = years * 1e-12
    found, _ = differentiate(lambda x, rows: ((x * 1e12 - 2000) ** 3)[None], tiny, tiny[0], tiny[-1])
    np.testing.assert_allclose(found[0] * 1e-12, 3 * (years - 2000) ** 2, atol=1e-8)


def test_nothing_outside_the_range_is_evaluated() -> None:
    seen = []

    def function(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
        seen.append((points.min(), points.max()))
        return np.sin(points)[None]

    x = np.linspace(0, 1, 50)
    found, settled = differentiate(function, x, 0.0, 1.0)
    assert settled.all()
    assert min(low for low, _ in seen) >= 0
    assert max(high for _, high in seen) <= 1
    np.testing.assert_allclose(found[0], np.cos(x), rtol=1e-10)


def test_jumps_and_infinite_slopes_are_not_found() -> None:
    x = np.array([0.0, 0.3, 1.0, 1.5])
    _, settled = differentiate(lambda points, rows: np.floor(points)[None], x, 0.0, 1.5)
    assert settled.tolist() == [True, True, False, True]
    _, settled = differentiate(lambda points, rows: np.sqrt(points)[None], x, 0.0, 1.5)
    assert settled.tolist() == [False, True, True, True]


def test_the_middle_of_both_sides_at_a_kink() -> None:
    found, settled = differentiate(lambda points, rows: np.abs(points)[None], np.array([-1.0, 0.0, 1.0]), -1.0, 1.0)
    assert settled.all()
    np.testing.assert_allclose(found[0], [-1, 0, 1], atol=1e-12)


def test_one_value_has_no_range() -> None:
    found, _ = differentiate(lambda points, rows: np.log(points)[None], np.array([3.0, 3.0]), 3.0, 3.0)
    np.testing.assert_allclose(found[0], [1 / 3, 1 / 3], rtol=1e-10)
