"""What the fit of a network knows of its size, its likelihood and its rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.data import as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError, check_known
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.inference.criteria import information_criterion
from formula_torch.inference.moments import Labels, Moments
from formula_torch.models.glm import Fitness, GlmModel
from formula_torch.models.network import Network
from formula_torch.models.network_scores import Identified, NetworkScores
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.fit import Fit
from formula_torch.result.network.machine import MOVED, Machine, network_moments
from formula_torch.result.network.search import Search
from formula_torch.result.new_rows import offset_of_new
from formula_torch.result.predictor_fit import KINDS
from formula_torch.result.trace import Trace

__all__ = ["NetworkBase"]


@dataclass(frozen=True, eq=False, repr=False)
class NetworkBase(Fit):
    """The fit of a network; `coefficients` are its weights, of standardised columns.

    Parameters
    ----------
    network : Network
        As asked for.
    machine : Machine
    model : GlmModel
    fitness, null_fitness : Fitness
        Of the rows trained on, and of a constant alone at the dispersion of the model.
    trace : Trace
        Of the best start.
    starts : DataFrame
        One row a start: start, loss (that of the rows held out, where there are any), epochs, reason.
    identified : Identified
        Directions of the weights that change predictions.
    search : Search
        How the weights were found.
    irregular : str
        Why the weights are at no maximum of the likelihood, and have no errors; empty where they are.
    training : int array, shape (n_train,), or None
        Positions of the rows trained on among those used; None for all.
    """

    network: Network
    machine: Machine
    model: GlmModel
    fitness: Fitness
    null_fitness: Fitness
    trace: Trace
    starts: pd.DataFrame
    identified: Identified
    search: Search
    irregular: str = ""
    training: np.ndarray | None = None

    # -- size -------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the weights: ``hidden1[2]:age``, ``output:bias``."""
        return tuple(self.machine.function.names(self.machine.inputs.names))

    @property
    def family(self) -> GeneralizedFamily:
        """The distribution with its link."""
        return self.model.family

    @property
    def nobs(self) -> float:
        """Number of observations trained on: rows, or the sum of frequency weights."""
        return self.model.n_obs

    @property
    def weights_type(self) -> str | None:
        """What the weights of the rows are; None without."""
        return self.model.weights_type

    @property
    def df_resid(self) -> float:
        """Observations less the directions of the weights that are determined, or less all where it is not known."""
        return self.nobs - (self.identified.rank if self.identified.known else len(self.coefficients))

    @property
    def df_model(self) -> float:
        """Observations less one and less the residual degrees of freedom."""
        return self.nobs - 1 - self.df_resid

    @property
    def converged(self) -> bool:
        """Whether the weights are at a maximum of the likelihood, of which there may be others."""
        return not self.irregular

    # -- fit --------------------------------------------------------------------------------------

    @property
    def llf(self) -> float:
        """Log-likelihood of the rows trained on."""
        return self.fitness.llf

    @property
    def llnull(self) -> float:
        """Log-likelihood of a constant."""
        return self.null_fitness.llf

    @property
    def deviance(self) -> float:
        """Deviance of the rows trained on; of the normal, the sum of squared residuals."""
        return self.fitness.deviance

    @property
    def null_deviance(self) -> float:
        """Deviance of a constant."""
        return self.null_fitness.deviance

    @property
    def scale(self) -> float:
        """The dispersion: one, or Pearson's chi-squared over the residual degrees of freedom."""
        return self.fitness.scale

    @property
    def rsquared(self) -> float:
        """Share of the deviance of a constant that is explained: of the normal, R-squared."""
        return 1 - self.deviance / self.null_deviance if self.null_deviance > 0 else math.nan

    @property
    def aic(self) -> float:
        """Akaike's criterion, counting the directions that are determined; NaN where it is not known which are."""
        return self._criterion("aic")

    @property
    def bic(self) -> float:
        """Bayesian information criterion at the number of observations, as `aic`; smaller is better."""
        return self._criterion("bic")

    def _criterion(self, name: str) -> float:
        if not self.identified.known:
            return math.nan
        return information_criterion(name, self.llf, self.identified.rank, self.nobs)

    @property
    def history(self) -> pd.DataFrame:
        """The epochs of the best start: epoch (0 is the start), loss, gradient_norm, seconds, validation_loss."""
        return self.trace.table.copy()

    # -- rows -------------------------------------------------------------------------------------

    def predict(
        self,
        newdata: Any = None,
        *,
        which: str = "mean",
        offset: Any = None,
        exposure: Any = None,
        unseen: str = "error",
    ) -> pd.Series:
        """Predict the mean response.

        Parameters
        ----------
        newdata, which, offset, exposure, unseen
            As of a regression.

        Returns
        -------
        Series, shape (n,)
            On the index of `newdata`; NaN where a predictor is missing.

        Raises
        ------
        DataError, UnknownNameError
            As of a regression.
        """
        check_known("which", which, KINDS)
        if newdata is None:
            eta, index = self.predictor(self._own("predict without newdata")), self.sample.index
        else:
            frame = as_frame(newdata)
            design = self.recipe.apply(frame, unseen=unseen)
            own = offset_of_new(frame, (self.offset, offset), (self.exposure, exposure))
            eta, index = self.predictor(design), frame.index
            eta = eta if own is None else eta + as_tensor(own)
        return pd.Series((self.family.mean(eta) if which == "mean" else eta).cpu().numpy(), index=index)

    @property
    def fittedvalues(self) -> pd.Series:
        """Fitted means of the rows used, held out ones included, on the user's index."""
        return self._row_series(self.family.mean(self.predictor(self._own("fittedvalues"))).cpu().numpy())

    @property
    def resid(self) -> pd.Series:
        """Response less fitted mean, on the user's index."""
        design = self._own("resid")
        assert design.y is not None
        return self._row_series((design.y - self.family.mean(self.predictor(design))).cpu().numpy())

    def _own(self, what: str) -> Design:
        return self.held_rows(what).design(self.recipe)

    @property
    def theta(self) -> Tensor:
        """Weights, shape (p,)."""
        return torch.as_tensor(self.coefficients)

    def predictor(self, design: Design) -> Tensor:
        """Linear predictor of the rows of a design, its offset included, shape (n,)."""
        return self.machine.eta(design, self.theta)

    # -- covariance -------------------------------------------------------------------------------

    @property
    def undetermined(self) -> np.ndarray:
        """Weights that may move without any prediction moving, bool of shape (p,)."""
        return np.asarray(np.linalg.norm(self.identified.null_space, axis=0) > MOVED)

    @property
    def whole_covariance(self) -> np.ndarray:
        """Covariance of the weights in the directions that are determined, shape (p, p), for errors of effects."""
        core, lift = self.covariance.core, self.identified.lift
        return self.covariance.matrix if core is None else lift @ core @ lift.T

    def wald_test_terms(self, skip_single: bool = False, combine_terms: Sequence[str] = ()) -> NoReturn:  # noqa: ARG002
        """Refuse: weights are no coefficients of terms.

        Raises
        ------
        DataError
            Always.
        """
        raise DataError("the weights of a network are no coefficients of terms; see marginal_effects().")

    def t_test_pairwise(self, term: str, method: str = "hs", alpha: float = 0.05) -> NoReturn:  # noqa: ARG002
        """Refuse, as `wald_test_terms`.

        Raises
        ------
        DataError
            Always.
        """
        raise DataError("the weights of a network are no differences of levels; see marginal_effects(contrast=).")

    def training_rows(self, what: str) -> Design:
        """Return the rows trained on.

        Parameters
        ----------
        what : str
            What they are needed for, as the error says it.
        """
        design = self._own(what)
        return design if self.training is None else design.taken(torch.as_tensor(self.training))

    def moments(self) -> Moments:
        """What covariance estimators see: the Gauss-Newton information, scores and labels of the rows.

        Raises
        ------
        DataError
            The weights are at no maximum of the likelihood.
        """
        if self.irregular:
            raise DataError(f"errors hold at a maximum of the likelihood, and {self.irregular}; see bootstrap.")
        device = torch.device(self.call.device)

        def scores() -> NetworkScores:
            design = self.training_rows("this covariance").to(device)
            return self.machine.scores(design, self.theta.to(device), self.model, self.identified)

        return network_moments(self.identified, self.model, self.fitness, scores, self.row_labels)

    def row_labels(self, given: Any, what: str) -> Labels:
        """Read labels of the rows trained on.

        Parameters
        ----------
        given : str or array of shape (n_total,)
        what : str
            What they are for.
        """
        found = self.held_rows(what).labels(given, what, self.call.find_table)
        if self.training is None:
            return found
        present, codes = np.unique(found.codes[self.training], return_inverse=True)
        return Labels(found.name, codes, len(present))
