"""Tests of a model against one with fewer coefficients that any covariance allows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from formula_torch.errors import InferenceWarning
from formula_torch.inference.hypotheses import Hypotheses
from formula_torch.inference.wald import wald_statistic
from formula_torch.numerics.tails import chi2_sf, f_sf
from formula_torch.result.estimates import Estimates
from formula_torch.result.nesting import check_nested, restrictions_of
from formula_torch.result.solved_fit import SolvedFit

__all__ = ["ModelTest", "WaldComparison", "wald_against", "warn_of_assumption"]


class ModelTest(NamedTuple):
    """A test of one model against another.

    Parameters
    ----------
    statistic, pvalue : float
    df_diff : float
        Coefficients that the restricted model lacks.
    """

    statistic: float
    pvalue: float
    df_diff: float


class WaldComparison(SolvedFit):
    """Restrictions on the coefficients, tested by the covariance of the fit."""

    def check_restricted(self, restricted: SolvedFit) -> None:
        """Raise unless another model is this one with linear restrictions on its coefficients.

        Raises
        ------
        DataError
            Not nested, or not of the same rows.
        DataRemovedError
            The rows that would tell are gone.
        """
        check_nested(restricted, self)

    def compare_wald_test(self, restricted: SolvedFit, *, use_f: bool | None = None) -> ModelTest:
        """Wald test of the restrictions under this fit's covariance, whichever it has.

        Parameters
        ----------
        restricted : fit of the same kind
            Need not be a model with some terms left out: any linear restrictions.
        use_f : bool, optional
            F or chi-squared; by default F where the summary has t.

        Raises
        ------
        DataError
            The models are not nested, or of other rows.
        DataRemovedError
            The restrictions are read from the rows.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits(), vcov="HC1")
        >>> test = fit.compare_wald_test(fit.update("drvisits ~ I(age + educ) + chronic"))
        >>> bool(abs(test.statistic - fit.f_test("age = educ").statistic) < 1e-8)
        True
        """
        self.check_restricted(restricted)
        d = restricted.df_resid - self.df_resid
        return wald_against(self, restrictions_of(restricted, self), d, use_f)

    def _warn_of_assumption(self, restricted: SolvedFit, name: str, assumed: str) -> None:
        """Called by what the user calls, whose caller is warned."""
        warn_of_assumption((self, restricted), name, assumed, depth=4)


def wald_against(fit: Estimates, restrictions: Hypotheses, d: float, use_f: bool | None) -> ModelTest:
    """Test d restrictions by the covariance of a fit; NaN where that has a smaller rank."""
    test = wald_statistic(restrictions, fit.covariance.matrix)
    chi2 = test.chi2 if test.rank == d else math.nan
    if not (fit.use_t if use_f is None else use_f):
        return ModelTest(chi2, chi2_sf(chi2, d), d)
    return ModelTest(chi2 / d, f_sf(chi2 / d, d, fit.df_denom), d)


def warn_of_assumption(fits: Sequence[Estimates], name: str, assumed: str, depth: int = 3) -> None:
    """Called by what the user calls, whose caller is warned."""
    robust = [fit.covariance.label for fit in fits if not fit.covariance.classical]
    if robust:
        warnings.warn(
            f"the {name} test assumes {assumed}, and the covariance of the models is {robust[0]}; "
            "compare_wald_test uses that.",
            InferenceWarning,
            stacklevel=depth,
        )
