"""Combinations of the coefficients of any fit, and intervals that hold together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from formula_torch.errors import FormulaError, check_share
from formula_torch.inference.bands import critical_value
from formula_torch.inference.hypotheses import Hypotheses, read_expressions
from formula_torch.numerics.intervals import t_interval, t_ratio
from formula_torch.numerics.tails import t_two_sided
from formula_torch.result.estimates import Estimates

__all__ = ["Combinations"]


class Combinations(Estimates):
    """Estimates of expressions in coefficients, and simultaneous intervals of the coefficients."""

    def lincom(self, *expressions: str, exp: bool = False, level: float = 0.95) -> pd.DataFrame:
        """Estimate linear combinations of coefficients, as Stata's ``lincom``.

        Parameters
        ----------
        expressions : str
            ``"x + 2*z"``, ``"C(g)[T.b] - C(g)[T.c]"``; several may stand in one text, separated by commas.
        exp : bool
            Exponentiate: odds, hazard or rate ratios. The bounds are those of the combination,
            exponentiated; ``std_error`` is exp(estimate) times its error (the delta method); statistic
            and p-value are those of the combination being zero.
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame
            term, estimate, std_error, statistic, p_value, conf_low, conf_high.

        Raises
        ------
        FormulaError, UnknownNameError
            An expression cannot be read, or is not linear (``nlcom`` is for these).
        DataError
            An aliased coefficient is touched.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> fit.lincom("10*age + 4*educ")["estimate"].round(4).tolist()
        [0.97]
        """
        read = read_expressions(expressions, self.names, self.coefficients)
        if not read.linear.all():
            raise FormulaError(f"`{read.texts[int(np.argmin(read.linear))]}` is not linear; use nlcom.")
        table = self._combined(read, level)
        if exp:
            table["std_error"] *= np.exp(table["estimate"])
            for column in ("estimate", "conf_low", "conf_high"):
                table[column] = np.exp(table[column])
        return table

    def nlcom(self, *expressions: str, level: float = 0.95) -> pd.DataFrame:
        """Estimate functions of coefficients by the delta method, as Stata's ``nlcom``.

        The error of g(theta) is (g' V g)^1/2 with g the gradient at the estimates. Statistic and
        interval use the fit's own distribution (Stata's use the normal).

        Parameters
        ----------
        expressions : str
            ``"x / z"``, ``"exp(x)"``, ``"-x / (2*x2)"`` with ``+ - * / **``, exp, log, sqrt; several may
            stand in one text, separated by commas.
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame
            term, estimate, std_error, statistic, p_value, conf_low, conf_high.

        Raises
        ------
        FormulaError, UnknownNameError
            An expression cannot be read.
        DataError
            An aliased coefficient is touched, or the value is not finite at the estimates.

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("drvisits ~ age + educ + chronic", ft.datasets.visits())
        >>> fit.nlcom("chronic / educ", "exp(age)").round(3)["estimate"].tolist()
        [11.195, 1.023]
        """
        return self._combined(read_expressions(expressions, self.names, self.coefficients), level)

    def _combined(self, read: Hypotheses, level: float) -> pd.DataFrame:
        check_share("level", level)
        errors, df = read.standard_errors(self.covariance.matrix), self.covariance.df
        statistic = t_ratio(read.effect, errors)
        low, high = t_interval(read.effect, errors, 1 - level, df)
        return pd.DataFrame(
            {
                "term": list(read.texts),
                "estimate": read.effect,
                "std_error": errors,
                "statistic": statistic,
                "p_value": t_two_sided(statistic, df),
                "conf_low": low,
                "conf_high": high,
            }
        )

    def confint(self, level: float = 0.95, *, joint: str | None = None, seed: int = 0) -> pd.DataFrame:
        """Confidence intervals of the coefficients, each alone or all together.

        Parameters
        ----------
        level : float
            Chance that an interval covers its coefficient or, with `joint`, that all do.
        joint : {None, "bonferroni", "scheffe", "sup-t"}
            ``"sup-t"`` is the narrowest: the quantile of the largest ``|t|`` among correlated estimates, from
            100,000 draws (Montiel Olea and Plagborg-Moller 2019); ``"bonferroni"`` needs no draws;
            ``"scheffe"`` holds for all linear combinations as well.
        seed : int
            Of the draws.

        Returns
        -------
        DataFrame, shape (k, 2)
            conf_low and conf_high by coefficient; NaN where aliased.

        Raises
        ------
        ValueError
            Unknown `joint`, or a level outside (0, 1).

        Examples
        --------
        >>> import formula_torch as ft
        >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness())
        >>> fit.confint(0.9, joint="bonferroni").loc["area"].round(3).tolist()
        [0.28, 0.431]
        """
        check_share("level", level)
        params, errors = self.params, self.bse
        known = (errors > 0).to_numpy()
        matrix = self.covariance.matrix[np.ix_(known, known)]
        correlation = matrix / np.outer(errors[known], errors[known])
        # Without an error that is known, every bound is NaN whatever the number of coefficients.
        correlation = correlation if known.any() else np.eye(1)
        reach = critical_value(joint, correlation, level, self.covariance.df, seed) * errors
        return pd.DataFrame({"conf_low": params - reach, "conf_high": params + reach})
