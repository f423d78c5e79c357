"""Results of tests of hypotheses, with statsmodels' names and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from formula_torch.inference.multiplicity import adjust_pvalues
from formula_torch.numerics.intervals import t_interval, t_ratio
from formula_torch.numerics.tails import chi2_sf, f_sf, t_two_sided

if TYPE_CHECKING:
    from formula_torch.present.table import Summary

__all__ = ["TTest", "WaldTest"]


@dataclass(frozen=True, eq=False, repr=False)
class TTest:
    """Tests of m hypotheses, each alone.

    For m = 1 ``sd`` and ``tvalue`` have shape (1, 1) and ``pvalue`` has none, as in statsmodels.

    Parameters
    ----------
    hypotheses : tuple of str
        As written; rows of a matrix are ``c0``, ``c1``, ...
    effect : array, shape (m,)
        R theta, or the value of a nonlinear function.
    errors : array, shape (m,)
        Standard errors of the effects.
    null : array, shape (m,)
        Values under the null hypotheses.
    df_denom : float
        Degrees of freedom of t; infinite for the normal.
    adjust : str or None
        How ``adjusted_pvalue`` accounts for the number of hypotheses.

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
    >>> test = fit.t_test("area = 0.3")
    >>> test.effect.round(5).tolist(), float(test.pvalue.round(5))
    ([0.35574], 0.14014)
    """

    hypotheses: tuple[str, ...]
    effect: np.ndarray
    errors: np.ndarray
    null: np.ndarray
    df_denom: float
    adjust: str | None = None

    def __post_init__(self) -> None:
        if self.adjust is not None:
            adjust_pvalues(np.ones(1), self.adjust)  # an unknown method is an error here, not when it is read

    @property
    def _statistics(self) -> np.ndarray:
        return np.asarray(t_ratio(self.effect - self.null, self.errors))

    @property
    def _pvalues(self) -> np.ndarray:
        return np.asarray(t_two_sided(self._statistics, self.df_denom))

    @property
    def distribution(self) -> str:
        """``"t"`` or ``"norm"``."""
        return "norm" if np.isinf(self.df_denom) else "t"

    @property
    def c_names(self) -> list[str]:
        """Names of the rows of tables: c0, c1, ..."""
        return [f"c{i}" for i in range(len(self.effect))]

    @property
    def sd(self) -> np.ndarray:
        """Standard errors, shape (m,), or (1, 1) for one hypothesis."""
        return _shaped(self.errors)

    @property
    def tvalue(self) -> np.ndarray:
        """Effect less null value over the standard error; NaN where that is zero."""
        return _shaped(self._statistics)

    @property
    def statistic(self) -> np.ndarray:
        """``tvalue``."""
        return self.tvalue

    @property
    def pvalue(self) -> np.ndarray:
        """Two-sided p-values, shape (m,), or () for one hypothesis; not adjusted."""
        return np.squeeze(self._pvalues)

    @property
    def adjusted_pvalue(self) -> np.ndarray:
        """p-values adjusted for the number of hypotheses, shape (m,); as they are without ``adjust``."""
        return self._pvalues if self.adjust is None else adjust_pvalues(self._pvalues, self.adjust)

    def conf_int(self, alpha: float = 0.05) -> np.ndarray:
        """Confidence intervals of the effects, shape (m, 2), each alone."""
        return np.column_stack(t_interval(self.effect, self.errors, alpha, self.df_denom))

    def summary_frame(self, xname: Sequence[str] | None = None, alpha: float = 0.05) -> pd.DataFrame:
        """Table with statsmodels' columns, and one of adjusted p-values where these were asked for.

        Parameters
        ----------
        xname : sequence of str, optional
            Names of the hypotheses, by default c0, c1, ...
        alpha : float
            One less the confidence level.
        """
        letter = "t" if self.distribution == "t" else "z"
        interval = self.conf_int(alpha)
        columns = {
            "coef": self.effect,
            "std err": self.errors,
            letter: self._statistics,
            f"P>|{letter}|": self._pvalues,
            "Conf. Int. Low": interval[:, 0],
            "Conf. Int. Upp.": interval[:, 1],
        }
        if self.adjust is not None:
            columns[f"pvalue-{self.adjust}"] = self.adjusted_pvalue
        return pd.DataFrame(columns, index=self._row_names(xname))

    def _row_names(self, xname: Sequence[str] | None) -> list[str]:
        names = self.c_names if xname is None else list(xname)
        if len(names) != len(self.effect):
            raise ValueError(f"xname has {len(names)} names for {len(self.effect)} hypotheses.")
        return names

    def summary(self, xname: Sequence[str] | None = None, alpha: float = 0.05, title: str | None = None) -> Summary:
        """Table of the tests as text, HTML or LaTeX.

        Parameters
        ----------
        xname : sequence of str, optional
            Names of the hypotheses, by default c0, c1, ...
        alpha : float
            One less the confidence level.
        title : str, optional
        """
        from formula_torch.present.contrasts import contrast_summary

        return contrast_summary(self, names=self._row_names(xname), alpha=alpha, title=title)

    def __str__(self) -> str:
        return str(self.summary())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.summary().as_html()


def _shaped(values: np.ndarray) -> np.ndarray:
    return values.reshape(1, 1) if len(values) == 1 else values


@dataclass(frozen=True, eq=False, repr=False)
class WaldTest:
    """A test of hypotheses together.

    Parameters
    ----------
    chi2 : float
        The Wald statistic.
    df_num : float
        Hypotheses that are independent: degrees of freedom of the statistic.
    df_resid : float
        Denominator of F; infinite in a chi-squared test.
    use_f : bool
    scalar : bool
        Whether ``statistic`` and ``pvalue`` are numbers, or arrays of shape (1, 1) and ().

    Examples
    --------
    >>> import formula_torch as ft
    >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
    >>> fit.f_test("age = educ = 0").df_num
    2.0
    """

    chi2: float
    df_num: float
    df_resid: float
    use_f: bool
    scalar: bool = True

    @property
    def distribution(self) -> str:
        """``"F"`` or ``"chi2"``."""
        return "F" if self.use_f else "chi2"

    @property
    def df_denom(self) -> float:
        """Denominator degrees of freedom of F; those of chi-squared otherwise (statsmodels' name for them)."""
        return self.df_resid if self.use_f else self.df_num

    @property
    def fvalue(self) -> Any:
        """The F statistic: chi-squared over its degrees of freedom."""
        return self._shaped(self.chi2 / self.df_num)

    @property
    def statistic(self) -> Any:
        """F or chi-squared."""
        return self.fvalue if self.use_f else self._shaped(self.chi2)

    @property
    def pvalue(self) -> Any:
        """Chance of a statistic as large under the hypotheses."""
        p = f_sf(self.chi2 / self.df_num, self.df_num, self.df_resid) if self.use_f else chi2_sf(self.chi2, self.df_num)
        return p if self.scalar else np.asarray(p)

    def _shaped(self, value: float) -> Any:
        return value if self.scalar else np.array([[value]])

    def summary(self) -> str:
        """One line, as statsmodels writes it."""
        if self.use_f:
            return (
                f"<F test: F={self.fvalue!r}, p={self.pvalue}, df_denom={self.df_denom:.3g}, df_num={self.df_num:.3g}>"
            )
        return f"<Wald test (chi2): statistic={self.statistic}, p-value={self.pvalue}, df_denom={self.df_denom:.3g}>"

    def __str__(self) -> str:
        return self.summary()

    __repr__ = __str__
