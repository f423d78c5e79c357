"""What the left-hand side of a formula becomes: numbers, one or several a row, shares of successes, codes of levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.data import Factor, factor_of
from formula_torch.errors import DataError, FormulaError, check_known
from formula_torch.formula.values import Basis, Coded

__all__ = ["READINGS", "Response", "levels_of", "read_response", "truth_numbers"]

# A response of more levels than this is a number.
MOST_LEVELS = 50


@dataclass(frozen=True, eq=False)
class Response:
    """A response of n rows.

    Parameters
    ----------
    values : float64 array, shape (n,), or (n, columns) of several columns
        Numbers, shares of successes, or codes of levels from 0; NaN where missing.
    trials : float64 array, shape (n,), or None
        Of each row, where successes and failures were given.
    """

    values: np.ndarray
    trials: np.ndarray | None = None


def truth_numbers(value: Any) -> np.ndarray | None:
    """Read an evaluated condition, or numbers, as float64, NaN where missing; None for anything else."""
    if isinstance(value, Coded) and value.factor.levels == (False, True):
        return _as_numbers(value.factor)
    return value if isinstance(value, np.ndarray) else None


def _as_numbers(factor: Factor) -> np.ndarray:
    return np.where(factor.codes < 0, np.nan, factor.codes.astype(np.float64))


def _numbers(value: Any, name: str, levels: tuple[Any, ...]) -> Response:  # noqa: ARG001 - one signature
    """Numbers; truth values are 0 and 1."""
    if isinstance(value, Coded) and (truth := truth_numbers(value)) is not None:
        return Response(truth)
    if isinstance(value, Coded):
        kind = "numbers stored as text" if value.factor.numeric_text else "categories"
        raise FormulaError(
            f"the response `{name}` holds {kind} ({', '.join(map(repr, value.factor.levels[:3]))}, ...); numbers are "
            "needed. Of two categories family='binomial' is a model."
        )
    if isinstance(value, Basis):
        raise FormulaError(f"the response `{name}` has {len(value.columns)} columns; one is needed.")
    if not isinstance(value, np.ndarray):
        raise FormulaError("the response must be one number for each row.")
    return Response(value)


def _columns(value: Any, name: str, levels: tuple[Any, ...]) -> Response:
    """Numbers, or several of them side by side, as ``cbind(time, event)``."""
    return Response(np.stack(value.columns, axis=1)) if isinstance(value, Basis) else _numbers(value, name, levels)


def _successes(value: Any, name: str, levels: tuple[Any, ...]) -> Response:
    """Shares of successes: of two categories the last one, of ``cbind(successes, failures)`` the first."""
    if isinstance(value, Basis):
        return _of_trials(value, name)
    if not isinstance(value, Coded):
        return _numbers(value, name, levels)
    if len(levels) == 1:
        raise DataError(f"the response `{name}` is {levels[0]!r} in all rows used; a binomial model needs two levels.")
    if len(levels) != 2:
        shown = ", ".join(map(repr, levels[:4]))
        raise FormulaError(
            f"the response `{name}` has {len(levels)} levels ({shown}); a binomial model needs two. Compare it with "
            "one of them, as in `I(y == 'a') ~ x`, or take family='multinomial'."
        )
    return _codes(value, name, levels)


def _of_trials(value: Basis, name: str) -> Response:
    if len(value.columns) != 2:
        raise FormulaError(f"the response `{name}` has {len(value.columns)} columns; successes and failures are two.")
    successes, failures = value.columns
    bad = (successes < 0) | (failures < 0)
    if bad.any():
        raise DataError(
            f"`{name}` holds counts of successes and failures, and is negative in {int(bad.sum())} rows (first: row "
            f"{int(np.argmax(bad))})."
        )
    trials = successes + failures
    with np.errstate(invalid="ignore", divide="ignore"):
        # A row without trials says nothing, and leaves as one of no weight.
        return Response(np.where(trials == 0, 0.0, successes / trials), trials)


def _codes(value: Any, name: str, levels: tuple[Any, ...]) -> Response:
    """Codes of levels."""
    factor = _factor(value, name)
    recoded = factor.recode(levels)
    lost = (recoded.codes < 0) & (factor.codes >= 0)
    if lost.any():
        new = sorted({str(factor.levels[c]) for c in np.unique(factor.codes[lost])})
        raise DataError(f"the response `{name}` has levels that the model was not fitted to: {', '.join(new[:5])}.")
    return Response(_as_numbers(recoded))


def _factor(value: Any, name: str) -> Factor:
    if isinstance(value, Coded):
        return value.factor
    if not isinstance(value, np.ndarray):
        raise FormulaError(f"the response `{name}` must be one column of categories.")
    factor = factor_of(value)
    if len(factor.levels) > MOST_LEVELS:
        raise DataError(
            f"the response `{name}` takes {len(factor.levels):,} different values; a model of levels is for at most "
            f"{MOST_LEVELS}."
        )
    # Whole numbers are shown as such.
    whole = all(isinstance(v, float) and v.is_integer() for v in factor.levels)
    return Factor(factor.codes, tuple(int(v) for v in factor.levels)) if whole else factor


# How families read a response: from its value, its name and its levels.
READINGS: dict[str, Callable[[Any, str, tuple[Any, ...]], Response]] = {
    "numbers": _numbers,
    "columns": _columns,
    "successes": _successes,
    "levels": _codes,
}


def levels_of(value: Any, name: str, reading: str, keep: np.ndarray | None) -> tuple[Any, ...]:
    """Levels that a response has in the rows kept, in order; none for numbers.

    Parameters
    ----------
    value : object
        As evaluated.
    name : str
    reading : str
        One of `READINGS`.
    keep : bool array, shape (n,), or None
    """
    check_known("reading", reading, READINGS)
    if reading in ("numbers", "columns") or (reading == "successes" and not isinstance(value, Coded)):
        return ()
    factor = _factor(value, name)
    present = factor.compact() if keep is None else factor.take(keep).compact()
    # Truth values keep both, so that all-true responses are told as such by the family.
    return factor.levels if factor.levels == (False, True) and reading == "successes" else present.levels


def read_response(value: Any, name: str, reading: str = "numbers", levels: tuple[Any, ...] = ()) -> Response:
    """Read an evaluated left-hand side.

    Parameters
    ----------
    value : object
        As evaluated.
    name : str
        As printed.
    reading : str
        One of `READINGS`.
    levels : tuple
        What `levels_of` found in the rows of the fit.

    Raises
    ------
    FormulaError, DataError
        It cannot be read so.
    """
    return READINGS[reading](value, name, levels)
