"""Tests of a generalised linear model against one with fewer coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from formula_torch.design import RowScores
from formula_torch.errors import DataError, DataRemovedError
from formula_torch.inference.anova import effects
from formula_torch.inference.covariance import HC_KINDS
from formula_torch.inference.vcov import estimate, resolve_vcov
from formula_torch.inference.wald import wald_statistic
from formula_torch.models.glm import glm_scores
from formula_torch.numerics.arrays import as_tensor
from formula_torch.numerics.tails import chi2_sf, f_sf
from formula_torch.result.auxiliary import solved
from formula_torch.result.glm.base import Generalized
from formula_torch.result.glm.moments import glm_moments
from formula_torch.result.nesting import check_nested, restrictions_of
from formula_torch.result.solved_fit import SolvedFit
from formula_torch.result.wald_comparison import ModelTest, WaldComparison
from formula_torch.solvers.least_squares import LeastSquares
from formula_torch.solvers.passes import working

__all__ = ["GlmComparisons", "check_scale"]

# Families whose likelihoods are probabilities; the others' are densities.
OF_COUNTS = ("binomial", "poisson")


def check_scale(fits: Sequence[Generalized]) -> None:
    """Raise unless the likelihoods of models are all probabilities, or all densities.

    Raises
    ------
    DataError
        Models of counts and of measurements; or of several families, and the rows of one are gone.
    """
    families = list(dict.fromkeys(fit.family.name for fit in fits))
    counted = [name.removeprefix("quasi") in OF_COUNTS for name in families]
    if any(counted) and not all(counted):
        raise DataError(
            f"models of counts and of measurements ({', '.join(families)}) have likelihoods that do not compare."
        )
    if len(families) > 1 and any(fit.rows is None for fit in fits):
        raise DataRemovedError(
            f"whether models of different families ({', '.join(families)}) are of one response cannot be told without "
            "their rows; fit them again."
        )


@dataclass(frozen=True, eq=False)
class _Step:
    """Newton's step of a model from the estimates of a restricted one.

    Parameters
    ----------
    solution : LeastSquares
        Its params are the step.
    scores : RowScores
        At the restricted estimates.
    """

    solution: LeastSquares
    scores: RowScores


class GlmComparisons(Generalized, WaldComparison):
    """Tests of restrictions; the restricted model must be nested in this one, on the same rows."""

    def check_restricted(self, restricted: SolvedFit) -> None:
        """Raise unless another model is this one with linear restrictions on its coefficients.

        Raises
        ------
        DataError
            Of another family or link, not nested, or not of the same rows.
        DataRemovedError
            The rows that would tell are gone.
        """
        if not isinstance(restricted, Generalized):
            raise TypeError("a generalised linear model is compared with another one.")
        ours, theirs = (f"{fit.family.name} ({fit.family.link.name})" for fit in (self, restricted))
        if ours != theirs:
            raise DataError(f"models of {theirs} and {ours} are not nested; compare them by aic or bic.")
        check_nested(restricted, self)

    def compare_lr_test(self, restricted: GlmComparisons, *, use_f: bool | None = None) -> ModelTest:
        """Likelihood ratio test, by the deviances D.

            LR = (D_r - D) / phi,   F = LR / d

        With a known dispersion that is 2 (llf - llf_r), chi-squared with d degrees of freedom. An estimated one is
        that of this fit, and F has d and df_resid degrees of freedom (as R's ``anova``).

        Parameters
        ----------
        restricted : GlmFit
        use_f : bool, optional
            F or chi-squared; by default F where the dispersion is estimated.

        Raises
        ------
        DataError
            The models are not nested, or of other rows, families or links.
        ValueError
            F, and the dispersion is known.

        Warns
        -----
        InferenceWarning
            A covariance is robust: the likelihood assumes the variance of the family.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ + chronic", ft.datasets.visits(), family="binomial")
        >>> round(fit.compare_lr_test(fit.update(". ~ . - age - educ")).statistic, 3)
        416.837
        """
        self.check_restricted(restricted)
        self.refuse_restraint("a likelihood ratio test", "prior")
        restricted.refuse_restraint("a likelihood ratio test", "prior")
        self._warn_of_assumption(restricted, "likelihood ratio", "the variance of the family")
        dispersed = self.family.dispersed
        if use_f and not dispersed:
            raise ValueError(f"the dispersion of the {self.family.name} family is known; F is for an estimated one.")
        d = restricted.df_resid - self.df_resid
        ratio = (restricted.deviance - self.deviance) / self.scale if self.scale > 0 else math.nan
        if dispersed if use_f is None else use_f:
            return ModelTest(ratio / d, f_sf(ratio / d, d, self.df_resid), d)
        return ModelTest(ratio, chi2_sf(ratio, d), d)

    def compare_lm_test(self, restricted: GlmComparisons, *, vcov: Any = None) -> ModelTest:
        """Score (Lagrange multiplier) test, chi-squared: what Newton's first step from the restricted estimates says.

        With s the sum of this model's scores at the restricted estimates, A its information and b = A^-1 s the step,
        LM = s'b / phi, where phi is the restricted model's dispersion (R's ``anova(test="Rao")`` has the larger
        one's). Under a robust covariance it is the Wald statistic of the step by the covariance of
        the scores there (Boos 1992, Amer. Statist. 46:327-333, equation 13).

        Parameters
        ----------
        restricted : GlmFit
        vcov : optional
            The covariance, as in ``with_vcov``; by default the fit's own, where that is classical or HC0 to HC5.

        Raises
        ------
        DataError
            The models are not nested, or of other rows, families or links; or the covariance cannot be told.
        DataRemovedError
            The result no longer holds its rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("private ~ age + educ + chronic", ft.datasets.visits(), family="binomial")
        >>> round(fit.compare_lm_test(fit.update(". ~ . - age - educ")).statistic, 3)
        390.724
        """
        self.check_restricted(restricted)
        self.refuse_restraint("a score test", "bounds", "prior")
        d = restricted.df_resid - self.df_resid
        step = self._step_from(restricted)
        if vcov is None and not self.covariance.classical and self.covariance.label not in HC_KINDS:
            raise DataError(
                f"the score test estimates the covariance again at the restricted estimates; say vcov= as for "
                f"with_vcov, in place of {self.covariance.label}."
            )
        if vcov is None and self.covariance.classical:
            squares = float(np.sum(effects(step.solution.coordinates, step.solution.params) ** 2))
            lm = squares / restricted.scale
            return ModelTest(lm, chi2_sf(lm, d), d)
        return self._robust_lm(restricted, step, self.covariance.label if vcov is None else vcov, d)

    def _robust_lm(self, restricted: GlmComparisons, step: _Step, vcov: Any, d: float) -> ModelTest:
        moments = glm_moments(step.solution, self.model, restricted.scale, self.lost, self.recipe, self.rows, self.call)
        moments = replace(moments, scores=lambda: step.scores)
        covariance = estimate(resolve_vcov(vcov, self.robust_estimator), moments)
        there = restrictions_of(restricted, self)
        moved = there.jacobian @ np.nan_to_num(step.solution.params)
        test = wald_statistic(replace(there, effect=moved, null=np.zeros(len(moved))), covariance.matrix)
        lm = test.chi2 if test.rank == d else math.nan
        return ModelTest(lm, chi2_sf(lm, d), d)

    def _step_from(self, restricted: GlmComparisons) -> _Step:
        """Newton's step of this model's coefficients from another's, with the scores there."""
        design = self.held_rows("the score test").design(self.recipe)
        at = replace(design, offset=as_tensor(restricted._own_predictor("the score test")))
        solution = solved(working(at, self.family, at.linear_predictor(np.zeros(at.k))))
        scores = glm_scores(at, np.zeros(at.k), 0.0, solution.coordinates, self.model)
        return _Step(solution, scores)
