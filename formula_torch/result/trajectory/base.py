"""The core of a trajectory model's result: its parameters, and the rows and units of a table as it sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd
import torch

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataRemovedError
from formula_torch.families import AnyFamily
from formula_torch.inference.classification import Classification
from formula_torch.inference.covariance import UnitSandwich
from formula_torch.inference.moments import Estimator, Moments, blanked
from formula_torch.inference.resample import Refit
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.fit import Fit
from formula_torch.result.new_rows import offset_of_new
from formula_torch.result.trajectory.specification import Search, Specification, UnitTable
from formula_torch.result.trajectory.units import first_rows, unit_codes

__all__ = ["TrajectoryEstimates"]


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryEstimates(Fit):
    """Parameters of a trajectory model with their information.

    Parameters
    ----------
    spec : Specification
    llf : float
        Log-likelihood, without a prior.
    penalised : float
        Log-likelihood and log-prior; equal to ``llf`` without a prior.
    n_units, n_rows : float
        Units (the sum of their weights), and rows.
    units : UnitTable or None
        What is known of each unit; None once removed.
    share_values : array, shape (K,)
        Mean probability of each group over the units.
    share_jacobian : array, shape (K, P)
        Its derivatives in the parameters.
    classification : Classification
        How surely units belong to the groups they are assigned to.
    search : Search
    information : Moments
        Observed information and scores of the units.
    resampler : Refit or None
        Fits again to units that count several times, or not at all; None once removed.
    """

    spec: Specification
    llf: float
    penalised: float
    n_units: float
    n_rows: float
    units: UnitTable | None
    share_values: np.ndarray
    share_jacobian: np.ndarray
    classification: Classification
    search: Search
    information: Moments
    resampler: Refit | None

    # -- parameters -------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return self.spec.layout.names

    @property
    def family(self) -> AnyFamily:
        """Distribution of the response."""
        return self.spec.family

    @property
    def n_groups(self) -> int:
        """Number of groups, K."""
        return self.spec.groups

    @property
    def unit(self) -> str | None:
        """The column that tells units apart; None where each row is one."""
        return self.spec.unit

    @property
    def df_resid(self) -> float:
        """Infinite: tests use the normal."""
        return math.inf

    @property
    def robust_estimator(self) -> Estimator:
        """The sandwich by unit, times n / (n - 1)."""
        return UnitSandwich()

    @property
    def positive(self) -> np.ndarray:
        """Standard deviations: their intervals go through the logarithm, and they have no p-value."""
        found = np.zeros(len(self.names), dtype=bool)
        found[self.spec.layout.sigma] = True
        return found

    def moments(self) -> Moments:
        """What covariance estimators see: information and scores of the units."""
        return self.information

    @property
    def beta(self) -> np.ndarray:
        """Coefficients of the groups, shape (K, k); NaN for columns dropped as dependent."""
        layout = self.spec.layout
        return layout.read(self.coefficients, layout.beta)

    @property
    def sigma(self) -> np.ndarray:
        """Residual standard deviations of the groups, shape (K,); NaN where the family has none."""
        layout = self.spec.layout
        return self.coefficients[layout.sigma] if len(layout.sigma) else np.full(self.n_groups, np.nan)

    @property
    def gamma(self) -> np.ndarray:
        """Membership coefficients of the groups, shape (K, m); zero for the reference group."""
        layout = self.spec.layout
        return layout.read(self.coefficients, layout.gamma)

    @property
    def group_labels(self) -> pd.RangeIndex:
        """The numbers of the groups, from 1."""
        return pd.RangeIndex(1, self.n_groups + 1, name="group")

    @property
    def n_params(self) -> int:
        """Number of parameters that are free, sigma and shares counted."""
        return int(self.information.n_params)

    @property
    def aic(self) -> float:
        """-2 llf + 2 p."""
        return -2 * self.llf + 2 * self.n_params

    @property
    def bic(self) -> float:
        """-2 llf + p log(units); smaller is better."""
        return -2 * self.llf + self.n_params * math.log(self.n_units)

    @property
    def bic_rows(self) -> float:
        """-2 llf + p log(rows)."""
        return -2 * self.llf + self.n_params * math.log(self.n_rows)

    @property
    def nobs(self) -> float:
        """Number of rows."""
        return self.n_rows

    # -- rows and units ---------------------------------------------------------------------------

    def known_units(self, what: str) -> UnitTable:
        """Return what is known of the units of the fit.

        Parameters
        ----------
        what : str
            What it is needed for, as the error says it.

        Raises
        ------
        DataRemovedError
            The result was unpickled, or its rows removed.
        """
        if self.units is None:
            raise DataRemovedError(f"{what} is by unit, which this result no longer holds; use assign(data).")
        return self.units

    def used_rows(self, what: str) -> tuple[Frame, Design]:
        """Return the rows of the fit, and their design with the whole offset."""
        rows = self.held_rows(what)
        return rows.used_frame(), rows.design(self.recipe)

    def new_rows(
        self, newdata: Any, *, offset: Any = None, exposure: Any = None, unseen: str = "error"
    ) -> tuple[Frame, Design]:
        """Return other rows, and their design with the whole offset.

        Parameters
        ----------
        newdata : table
        offset, exposure : str or array of shape (n,), optional
            Needed where the fit was given them as an array.
        unseen : {"error", "nan"}

        Raises
        ------
        DataError
            Unseen levels, or an offset is needed.
        """
        frame = as_frame(newdata)
        design = self.recipe.apply(frame, unseen=unseen)
        own, written = offset_of_new(frame, (self.offset, offset), (self.spec.exposure, exposure)), design.offset
        if own is None:
            return frame, design
        return frame, replace(design, offset=as_tensor(own) if written is None else written + as_tensor(own))

    def predictors(self, design: Design) -> np.ndarray:
        """Linear predictor of rows in each group, shape (K, n)."""
        return np.stack([design.linear_predictor(b).numpy() for b in np.nan_to_num(self.beta)])

    def means(self, design: Design) -> np.ndarray:
        """Mean response of rows in each group, shape (K, n)."""
        return self.family.mean(torch.from_numpy(self.predictors(design))).numpy()

    def unit_frame(self, frame: Frame) -> tuple[Frame, pd.Index]:
        """Return the first row of each unit of a table, and the units."""
        codes, units = unit_codes(frame, self.unit)
        return frame.take(first_rows(codes, len(units))), units

    # -- functions of the parameters --------------------------------------------------------------

    def variances(self, jacobian: np.ndarray) -> np.ndarray:
        """Variances of functions of the parameters by the delta method, shape (m,).

        Parameters
        ----------
        jacobian : array, shape (m, P)

        Returns
        -------
        array, shape (m,)
            NaN where a parameter without a variance enters.
        """
        along, inner, lost = self._moves(jacobian)
        return np.where(lost, np.nan, np.einsum("ij,ij->i", along @ inner, along))

    def covariances(self, jacobian: np.ndarray) -> np.ndarray:
        """Covariances of functions of the parameters, shape (m, m), as ``variances``."""
        along, inner, lost = self._moves(jacobian)
        return blanked(along @ inner @ along.T, lost)

    def _moves(self, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Factors A and M of J V J' = A M A', and which functions have no variance."""
        vcov, core = self.covariance.matrix, self.covariance.core
        unknown = np.isnan(np.diag(vcov))
        lost = (jacobian[:, unknown] != 0).any(axis=1)
        if core is None:
            return jacobian, np.where(unknown[:, None] | unknown, 0.0, vcov), lost
        # J L first: where columns are raw powers of a year, J V J' would be what is left of large terms.
        return jacobian @ np.nan_to_num(self.information.lift), core, lost

    # -- life -------------------------------------------------------------------------------------

    def remove_data(self) -> Self:
        """Return the result without its rows and its units' posterior; summary and predictions stay."""
        bare = replace(self.information, scores=_removed, labels=_removed)
        return replace(super().remove_data(), units=None, information=bare, resampler=None)


def _removed(*_: Any) -> NoReturn:
    raise DataRemovedError("this covariance needs the units, which this result no longer holds; fit again.")
