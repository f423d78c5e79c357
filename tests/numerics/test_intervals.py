"""Standard errors, statistics and intervals by Student's t."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from formula_torch.numerics.intervals import standard_errors, t_interval, t_ratio


def test_a_negative_variance_has_no_root() -> None:
    np.testing.assert_array_equal(standard_errors(np.array([4.0, 0.0, -1e-30, np.nan])), [2.0, 0.0, np.nan, np.nan])


def test_nothing_is_divided_by_zero() -> None:
    np.testing.assert_array_equal(t_ratio(np.array([1.0, 1.0, 0.0]), np.array([0.5, 0.0, 0.0])), [2.0, np.nan, np.nan])


@pytest.mark.parametrize("df", [1.0, 7.5, np.inf])
def test_intervals_are_those_of_t(df: float) -> None:
    expected = (stats.norm if np.isinf(df) else stats.t(df)).interval(0.9)
    np.testing.assert_allclose(
        t_interval(np.array(1.0), np.array(2.0), 0.1, df), 1 + 2 * np.array(expected), rtol=1e-12
    )


@pytest.mark.parametrize("alpha", [0.0, 1.0, 95, np.nan])
def test_a_level_lies_between_0_and_1(alpha: float) -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        t_interval(1.0, 1.0, alpha, np.inf)
