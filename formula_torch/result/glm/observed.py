"""The same fit with its errors from the observed information, minus the second derivative of the log-likelihood."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from formula_torch.errors import DataError
from formula_torch.numerics.triangular import Root, cholesky_root
from formula_torch.result.glm.base import Generalized

__all__ = ["with_observed_information"]

Fitted = TypeVar("Fitted", bound=Generalized)


def with_observed_information(fit: Fitted) -> Fitted:
    """Return the fit with the observed information in place of the expected one; its covariance is as it was.

    With the expected information R'R and Q its orthonormal coordinates, the observed one is R'AR with A = sum_i c_i
    q_i q_i', c_i the curvature of row i, and its root that of A times R: near the identity, A costs no digits.

    Parameters
    ----------
    fit : Generalized

    Raises
    ------
    DataError
        The observed information is not positive definite.
    DataRemovedError
        The result no longer holds its rows.
    """
    if fit.model.observed or fit.family.canonical:
        return fit
    informed = replace(fit, model=replace(fit.model, observed=True))
    scores = informed.row_scores("the observed information")
    inner = scores.information_by(np.zeros(fit.sample.n_rows, dtype=np.int64), 1)[0]
    root = cholesky_root(inner)
    if root is None:
        raise DataError(
            "the observed information is not positive definite, and has no inverse: the likelihood of this link is "
            "flat or bent the wrong way where the climb ended; use errors from the expected information."
        )
    before = fit.solution.coordinates
    coordinates = replace(before, root=Root(root.r @ before.root.r))
    return replace(informed, solution=replace(fit.solution, coordinates=coordinates, exact_inverse=None))
