"""The two summaries of statsmodels: the same cells in the same tables."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from formula_torch.present.regression import coefficient_table
from formula_torch.present.table import Summary, Table

if TYPE_CHECKING:
    from formula_torch.smf.results import RegressionResults

__all__ = ["Summary2", "summary", "summary2"]

TITLES = {"OLS": "Ordinary least squares", "WLS": "Weighted least squares"}
# What the short form of the first summary keeps.
SLIM = ("Dep. Variable:", "Model:", "No. Observations:", "Covariance Type:")
Pair = tuple[str, str]


def summary(
    fit: RegressionResults,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    slim: bool,
) -> Summary:
    """Header, coefficients and (unless `slim`) diagnostics of the residuals."""
    header = _header(fit, yname or fit.model.endog_names, slim)
    coefficients = coefficient_table(fit, alpha=alpha, xname=None if xname is None else list(xname))
    tables = (header, coefficients) if slim else (header, coefficients, _diagnostics(fit))
    return Summary(title or f"{fit.model_name} Regression Results", tables, tuple(_notes(fit)))


def _header(fit: RegressionResults, yname: str, slim: bool) -> Table:
    now = datetime.datetime.now()
    left = [
        ("Dep. Variable:", yname),
        ("Model:", fit.model_name),
        ("Method:", "Least Squares"),
        ("Date:", now.strftime("%a, %d %b %Y")),
        ("Time:", now.strftime("%H:%M:%S")),
        ("No. Observations:", f"{fit.nobs:.0f}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
        ("Covariance Type:", fit.cov_type),
    ]
    centring = _centring(fit)
    right = [
        (f"R-squared{centring}:", f"{fit.rsquared:#.3f}"),
        (f"Adj. R-squared{centring}:", f"{fit.rsquared_adj:#.3f}"),
        ("F-statistic:", f"{fit.fvalue:#.4g}"),
        ("Prob (F-statistic):", f"{fit.f_pvalue:#.3g}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("AIC:", f"{fit.aic:#.4g}"),
        ("BIC:", f"{fit.bic:#.4g}"),
    ]
    if slim:
        left, right = [pair for pair in left if pair[0] in SLIM], right[:4]
    return _side_by_side(left, right)


def _centring(fit: RegressionResults) -> str:
    return "" if fit.k_constant else " (uncentered)"


def _side_by_side(left: list[Pair], right: list[Pair]) -> Table:
    right = right + [("", "")] * (len(left) - len(right))
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def _diagnostics(fit: RegressionResults) -> Table:
    s = fit.residual_statistics
    left = [
        ("Omnibus:", f"{s.omnibus:#.3f}"),
        ("Prob(Omnibus):", f"{s.omnibus_p:#.3f}"),
        ("Skew:", f"{s.skew:#.3f}"),
        ("Kurtosis:", f"{s.kurtosis:#.3f}"),
    ]
    right = [
        ("Durbin-Watson:", f"{s.durbin_watson:#.3f}"),
        ("Jarque-Bera (JB):", f"{s.jarque_bera:#.3f}"),
        ("Prob(JB):", f"{s.jarque_bera_p:#.3g}"),
        ("Cond. No.", f"{fit.condition_number:#.3g}"),
    ]
    return _side_by_side(left, right)


def _notes(fit: RegressionResults) -> list[str]:
    notes = [] if fit.k_constant else ["R-squared is computed without centering (uncentered): there is no constant."]
    notes += [fit.covariance.note, *fit.notes]
    if fit.condition_number > 1000:
        notes.append(
            f"The condition number is large, {fit.condition_number:.3g}: columns nearly dependent, or of very "
            "different units."
        )
    return notes


@dataclass(frozen=True, eq=False, repr=False)
class Summary2:
    """statsmodels' second summary: tables as data frames.

    Parameters
    ----------
    title : str
    tables : list of DataFrame
        Header, coefficients, diagnostics.
    notes : tuple of str
    float_format : str
        How the coefficients are printed: ``"%.4f"``.
    """

    title: str
    tables: list[pd.DataFrame]
    notes: tuple[str, ...]
    float_format: str

    @property
    def _printed(self) -> Summary:
        header, coefficients, diagnostics = self.tables
        cells = coefficients.map(lambda x: self.float_format % x)
        rows = tuple((str(name), *row) for name, row in zip(cells.index, cells.to_numpy().tolist(), strict=True))
        pairs = [Table(tuple(tuple(row) for row in t.to_numpy().tolist())) for t in (header, diagnostics)]
        return Summary(self.title, (pairs[0], Table(rows, ("", *cells.columns)), pairs[1]), self.notes)

    def as_text(self) -> str:
        """Plain text."""
        return self._printed.as_text()

    def as_html(self) -> str:
        """HTML fragment."""
        return self._printed.as_html()

    def as_latex(self) -> str:
        """LaTeX: one tabular after another."""
        return self._printed.as_latex()

    def __str__(self) -> str:
        return self.as_text()

    # In a console, `fit.summary2()` at the prompt shows the tables.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.as_html()


def summary2(
    fit: RegressionResults,
    yname: str | None,
    xname: Sequence[str] | None,
    title: str | None,
    alpha: float,
    float_format: str,
) -> Summary2:
    """Header, coefficients and diagnostics as data frames."""
    name = fit.model_name
    tables = [_framed(_information(fit, yname)), _coefficients(fit, xname, alpha), _framed(_diagnostics2(fit))]
    return Summary2(title or f"Results: {TITLES.get(name, name)}", tables, tuple(_notes(fit)), float_format)


def _information(fit: RegressionResults, yname: str | None) -> list[Pair]:
    centring = _centring(fit)
    return [
        ("Model:", fit.model_name),
        ("Dependent Variable:", yname or fit.model.endog_names),
        ("Date:", datetime.datetime.now().strftime("%Y-%m-%d %H:%M")),
        ("No. Observations:", f"{fit.nobs:.0f}"),
        ("Df Model:", f"{fit.df_model:.0f}"),
        ("Df Residuals:", f"{fit.df_resid:.0f}"),
        (f"R-squared{centring}:", f"{fit.rsquared:#.3f}"),
        (f"Adj. R-squared{centring}:", f"{fit.rsquared_adj:#.3f}"),
        ("AIC:", f"{fit.aic:.4f}"),
        ("BIC:", f"{fit.bic:.4f}"),
        ("Log-Likelihood:", f"{fit.llf:#.5g}"),
        ("F-statistic:", f"{fit.fvalue:#.4g}"),
        ("Prob (F-statistic):", f"{fit.f_pvalue:#.3g}"),
        ("Scale:", f"{fit.scale:#.5g}"),
    ]


def _diagnostics2(fit: RegressionResults) -> list[Pair]:
    s = fit.residual_statistics
    return [
        ("Omnibus:", f"{s.omnibus:.3f}"),
        ("Prob(Omnibus):", f"{s.omnibus_p:.3f}"),
        ("Skew:", f"{s.skew:.3f}"),
        ("Kurtosis:", f"{s.kurtosis:.3f}"),
        ("Durbin-Watson:", f"{s.durbin_watson:.3f}"),
        ("Jarque-Bera (JB):", f"{s.jarque_bera:.3f}"),
        ("Prob(JB):", f"{s.jarque_bera_p:.3f}"),
        ("Condition No.:", f"{fit.condition_number:.0f}"),
    ]


def _framed(pairs: list[Pair]) -> pd.DataFrame:
    """Put the second half of the pairs beside the first."""
    half = len(pairs) // 2
    return pd.DataFrame([(*a, *b) for a, b in zip(pairs[:half], pairs[half:], strict=True)])


def _coefficients(fit: RegressionResults, xname: Sequence[str] | None, alpha: float) -> pd.DataFrame:
    letter, interval = "t" if fit.use_t else "z", fit.conf_int(alpha)
    table = pd.DataFrame(
        {
            "Coef.": fit.params,
            "Std.Err.": fit.bse,
            letter: fit.tvalues,
            f"P>|{letter}|": fit.pvalues,
            f"[{alpha / 2}": interval[0],
            f"{1 - alpha / 2}]": interval[1],
        }
    )
    return table if xname is None else table.set_axis(list(xname), axis=0)
