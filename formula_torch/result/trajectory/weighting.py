"""How much each group counts in a row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from formula_torch.data import Frame
from formula_torch.errors import DataError
from formula_torch.result.trajectory.groups import Groups

__all__ = ["averaged_means", "is_posterior", "weighted_means"]


def averaged_means(fit: Groups, frame: Frame, means: np.ndarray, group: object) -> np.ndarray:
    """Means of rows over the groups, or in one of them, shape (n,).

    Parameters
    ----------
    fit : Groups
    frame : Frame
    means : array, shape (K, n)
        Of the rows in each group.
    group : int, "posterior", DataFrame or None
        As ``predict`` takes it.

    Raises
    ------
    DataError
        No such group, or a unit without probabilities.
    """
    if group is None:
        weights = _prior_of_rows(fit, frame)
    elif is_posterior(group):
        weights = _posterior_of_rows(fit, frame)
    elif isinstance(group, pd.DataFrame):
        weights = _given_of_rows(fit, frame, group)
    else:
        return np.asarray(means[_position(fit, group)])
    return weighted_means(weights, means)


def weighted_means(weights: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Means of rows over the groups, shape (n,), from weights of shape (1 or n, K) and means of shape (K, n)."""
    return np.asarray(np.sum(weights.T * means, axis=0))


def is_posterior(group: object) -> bool:
    """Whether ``group=`` asks for the posterior of the fit."""
    return isinstance(group, str) and group == "posterior"


def _position(fit: Groups, group: object) -> int:
    """Position from 0 of a group given by its number."""
    whole = isinstance(group, (int, np.integer)) and not isinstance(group, bool)
    if not whole or group not in fit.group_labels:
        raise DataError(
            f"group={group!r} is not one of the groups 1 to {fit.n_groups}, nor 'posterior', nor a table of "
            "probabilities by unit."
        )
    return int(group) - 1  # type: ignore[call-overload]


def _prior_of_rows(fit: Groups, frame: Frame) -> np.ndarray:
    """Probability of each group before any response is seen, by the row's own covariates of membership, (1 or n, K)."""
    if fit.spec.membership is None:
        return fit.share_values[None]
    return fit.membership_probabilities(frame).to_numpy()


def _posterior_of_rows(fit: Groups, frame: Frame) -> np.ndarray:
    """Posterior of the unit of each row, which the fit has seen, shape (n, K)."""
    if fit.unit is None:
        raise DataError(
            "every row of the fit was a unit of its own, which new rows are not; pass group=fit.assign(newdata), "
            "where they have a response."
        )
    found, lost = _places(fit, frame, fit.posterior.index)
    if lost:
        raise DataError(
            f"the fit has not seen {lost}; predict(newdata, group=fit.assign(history)) uses what is known of them."
        )
    return fit.posterior.to_numpy()[found]


def _given_of_rows(fit: Groups, frame: Frame, given: pd.DataFrame) -> np.ndarray:
    """Probabilities of the unit of each row by a table of them, shape (n, K)."""
    labels: set[object] = set(fit.group_labels)
    if set(given.columns) != labels or not given.index.is_unique:
        raise DataError(
            f"group= must have a row for each unit and the columns 1 to {fit.n_groups}, as fit.assign(data) returns."
        )
    found, lost = _places(fit, frame, given.index)
    if lost:
        raise DataError(f"group= has no row for {lost}; fit.assign(history) gives one to every unit in its history.")
    return given[list(fit.group_labels)].to_numpy()[found]


def _places(fit: Groups, frame: Frame, index: pd.Index) -> tuple[np.ndarray, str]:
    """Place of each row's unit in an index, and the units that have none, in words."""
    rows = pd.RangeIndex(frame.n_rows) if frame.index is None else frame.index
    ids = rows if fit.unit is None else pd.Index(frame.column(fit.unit).to_pandas())
    # As plain objects: categories of one column need not be those of another.
    places = index.astype(object).get_indexer(ids.astype(object))
    lost = ids[places < 0].unique().tolist()
    return places, f"{len(lost)} units (first: {', '.join(map(repr, lost[:3]))})" if lost else ""
