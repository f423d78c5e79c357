"""What predictions need of rows that were not fitted: their offset, and whether they can be predicted at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from formula_torch.data import Frame
from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.formula.sample import log_exposure, row_values

__all__ = ["as_kept", "breaking", "breaking_warning", "offset_of_new"]

# A combination of columns of unit size that is zero on the data may round to this on a new row.
NULL_TOLERANCE = 1e-10
# What a result keeps of a row argument, and what a user gives for new rows.
Argument = tuple[str | bool | None, Any]


def as_kept(given: object) -> str | bool | None:
    """Say what a result keeps of a row argument: a column's name, True for an array, or None."""
    return given if given is None or isinstance(given, str) else True


def offset_of_new(frame: Frame, offset: Argument, exposure: Argument) -> np.ndarray | None:
    """Offset of new rows, the logarithm of their exposure included, shape (n,); None where the fit had neither.

    Parameters
    ----------
    frame : Frame
    offset, exposure : tuple
        As the result keeps it, and as given for these rows.

    Raises
    ------
    DataError
        It is given to a fit without one, or the fit had an array and none is given.
    """
    own, exposed = _values(frame, "offset", *offset), _values(frame, "exposure", *exposure)
    if exposed is None:
        return own
    logs = log_exposure(exposed)
    return logs if own is None else own + logs


def _values(frame: Frame, what: str, fitted: str | bool | None, given: Any) -> np.ndarray | None:
    if given is None and fitted is None:
        return None
    if fitted is None:
        raise DataError(f"the model was fitted without an {what}; predict(newdata, {what}=...) has nothing to do.")
    if given is None and not isinstance(fitted, str):
        raise DataError(f"the model was fitted with an array as {what}; pass predict(newdata, {what}=...).")
    return row_values(fitted if given is None else given, frame, what, frame.index)


def breaking(design: Design, null_space: np.ndarray) -> np.ndarray:
    """Rows on which the coefficients of dropped columns would matter, bool of shape (n,).

    Parameters
    ----------
    design : Design
    null_space : array, shape (m, k)
        Combinations of columns that are zero on the rows of the fit.
    """
    lost = np.zeros(design.n_rows, dtype=bool)
    for combination in null_space:
        distance = np.abs(design.matvec(combination).numpy())
        if (distance > NULL_TOLERANCE).any():
            lost |= distance > NULL_TOLERANCE * np.maximum(_size_of_terms(design, combination), 1.0)
    return lost


def _size_of_terms(design: Design, combination: np.ndarray) -> np.ndarray:
    """Sum of |c_j x_j| for each row, shape (n,): the scale of the rounding of the combination."""
    total = np.zeros(design.n_rows)
    for j in np.flatnonzero(combination):
        alone = np.zeros_like(combination)
        alone[j] = combination[j]
        total += np.abs(design.matvec(alone).numpy())
    return total


def breaking_warning(lost: np.ndarray, dropped: str) -> str:
    """Say which rows have no prediction, and why.

    Parameters
    ----------
    lost : bool array, shape (n,)
        Some are true.
    dropped : str
        The columns that the fit dropped, as it names them.
    """
    return (
        f"{int(lost.sum())} of {len(lost)} rows cannot be predicted and are NaN (first: row "
        f"{int(np.flatnonzero(lost)[0])}): the fit dropped {dropped} as dependent, and these rows break the dependency."
    )
