"""What a user must know of the solution."""

from __future__ import annotations

import math
import warnings

import pandas as pd

from formula_torch.errors import InferenceWarning
from formula_torch.result.trajectory import Search
from formula_torch.solvers.multistart import Found
from formula_torch.trajectories.asked import Asked
from formula_torch.trajectories.parameters import SINGULAR
from formula_torch.trajectories.unit_rows import UnitsOfRows

__all__ = ["search_report", "warn_of"]

# Smaller groups are often a few outliers.
FEW_UNITS = 5
# Newton's decrement above which a climb has not arrived.
UNFINISHED = 1e-6
# A linear predictor of this size is a probability of 0 or 1.
CERTAIN = 15.0


def search_report(found: Found, seed: int) -> Search:
    """Say how the maximum was found."""
    others = found.values[found.values < found.value - 1e-3 * max(1.0, abs(found.value) * 1e-3)]
    runner_up = float(others[0]) if len(others) else math.nan
    values = tuple(found.values.tolist())
    return Search(
        len(values), found.replicated, runner_up, found.moves, 0, found.decrement, found.curvature, seed, values
    )


def warn_of(asked: Asked, found: Found, posterior: pd.DataFrame, units: UnitsOfRows, steepest: float) -> None:
    """Say what a user must know of the solution."""
    sizes = units.weights.numpy() @ posterior.to_numpy()
    small = [g for g, size in enumerate(sizes, 1) if size < FEW_UNITS]
    if small and asked.groups > 1:
        _say(
            f"group {', '.join(map(str, small))} has fewer than {FEW_UNITS} units; it may be a few outliers "
            "rather than a group. Try fewer groups."
        )
    if found.curvature <= SINGULAR or found.decrement > UNFINISHED:
        _say(
            "not all parameters are identified at the solution (the information is singular, or a coefficient runs off "
            "to infinity): their errors are NaN. Try fewer groups, or a simpler curve."
        )
    if not (asked.family.dispersed or asked.family.exponential) and steepest > CERTAIN:
        _say(
            "in a group the response is always 0, or always 1, at some times: its curve runs off to infinity, and its "
            "coefficients and their errors have no meaning. Try fewer groups, or a simpler curve."
        )
    if found.replicated == 1 and found.moves == 0 and asked.starts > 1 and asked.groups > 1:
        _say(f"only one of {asked.starts} starts reached the best value; try starts={5 * asked.starts}.")


def _say(message: str) -> None:
    warnings.warn(message, InferenceWarning, stacklevel=6)
