"""The two summaries and the criteria of models of a likelihood, whichever engine they have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from formula_torch.present.table import Summary
from formula_torch.smf import likelihood_summary as summaries
from formula_torch.smf.results import StatsmodelsResults
from formula_torch.smf.summary import Pair, Summary2
from formula_torch.smf.unsupported import unsupported

__all__ = ["Discrete", "Tabulated"]


class Tabulated(StatsmodelsResults):
    """Both summaries, of what a class says of itself."""

    @property
    @abstractmethod
    def titles(self) -> tuple[str, str]:
        """Of both summaries."""

    @abstractmethod
    def header(self) -> tuple[list[Pair], list[Pair]]:
        """Return the pairs of the first summary's header, left and right, without the response."""

    @abstractmethod
    def second_header(self, response: str) -> list[Pair]:
        """Return the pairs of the second summary's header."""

    def summary(  # type: ignore[override]  # the order of statsmodels' arguments
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> Summary:
        """Tables of the fit: header and coefficients.

        Parameters
        ----------
        yname, xname, title : optional
            To print instead of the response's and the coefficients' names, and of the title.
        alpha : float
            One less the confidence level of the intervals.
        """
        return summaries.summary(self, yname, xname, title, alpha)

    def summary2(
        self,
        yname: str | None = None,
        xname: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
        float_format: str = "%.4f",
    ) -> Summary2:
        """The same as data frames, in ``tables``.

        Parameters
        ----------
        yname, xname, title, alpha
            See ``summary``.
        float_format : str
            How the coefficients are printed.
        """
        return summaries.summary2(self, yname, xname, title, alpha, float_format)


@dataclass(frozen=True, eq=False, repr=False)
class Discrete(Tabulated):
    """What statsmodels' discrete results share.

    Parameters
    ----------
    mle_settings : dict
        How the fit was asked for.
    """

    mle_settings: dict[str, Any] = field(default_factory=dict, kw_only=True)
    method = "MLE"

    @property
    @abstractmethod
    def iterations(self) -> int:
        """Of the search."""

    @property
    @abstractmethod
    def k_params(self) -> int:
        """Parameters that were estimated."""

    @property
    @abstractmethod
    def hessian(self) -> np.ndarray:
        """The information of all parameters, shape (P, P)."""

    # -- how it was found -------------------------------------------------------------------------

    @property
    def ending(self) -> str:
        """How the search ended, as statsmodels prints it."""
        return summaries.ending(self)

    @property
    def mle_retvals(self) -> dict[str, Any]:
        """How the search ended: fopt is minus the log-likelihood over n, Hessian its second derivative."""
        return summaries.retvals(self)

    # -- criteria ---------------------------------------------------------------------------------

    @property
    def im_ratio(self) -> np.ndarray:
        """Inverse information times the sum of outer products of scores, shape (k, k): the identity, if specified."""
        moments = self.moments()
        if self.cov_type != "nonrobust":
            return self.covariance.matrix @ np.linalg.inv(moments.bread)
        outer = moments.scores().outer()
        # In orthonormal coordinates the information is the identity: B S = L M L^-1.
        return moments.lift @ outer @ np.linalg.pinv(moments.lift)

    def info_criteria(self, crit: str, dk_params: int = 0) -> Any:
        """Return an information criterion; smaller is better.

        Parameters
        ----------
        crit : {"aic", "bic", "tic", "gbic"}
            ``"gbic"`` gives two numbers, as in statsmodels (Lv and Liu 2014, J. R. Stat. Soc. B 76:141-167).
        dk_params : int
            Parameters to count beyond the coefficients.
        """
        return summaries.criterion(self, crit, self.k_params + dk_params)

    # -- tables -----------------------------------------------------------------------------------

    @property
    def titles(self) -> tuple[str, str]:
        """Of both summaries."""
        return f"{self.model_name} Regression Results", self.model_name

    def header(self) -> tuple[list[Pair], list[Pair]]:
        """Return the pairs of the first summary's header, left and right, without the response."""
        return summaries.discrete_header(self)

    def second_header(self, response: str) -> list[Pair]:
        """Return the pairs of the second summary's header."""
        return summaries.discrete_information(self, response)

    set_null_options = unsupported("set_null_options", "result")
