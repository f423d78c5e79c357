"""How programs name what tables of the analysis of deviance hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["STYLES", "DevianceStyle"]


@dataclass(frozen=True)
class DevianceStyle:
    """How a program names what a table of deviances holds.

    Parameters
    ----------
    null, residual : str
        Rows of the model before the first term, and of the residuals under F (no such row where empty).
    intercept : str
    columns : mapping
        From what is tabulated ("terms" in sequence, "adjusted" terms, "models") and the statistic to the columns.
    first : int
        Number of the first model.
    """

    null: str
    residual: str
    intercept: str
    columns: Mapping[tuple[str, str], Mapping[str, str]]
    first: int


def _plain(statistic: str) -> dict[tuple[str, str], Mapping[str, str]]:
    """Columns of the tables of one statistic."""
    name = statistic.removeprefix("Wald ")
    return {
        ("terms", statistic): {
            "df": "df",
            "deviance": "deviance",
            "df_resid": "df_resid",
            "left": "resid_deviance",
            "statistic": name,
            "p": f"PR(>{name})",
        },
        ("adjusted", statistic): {"statistic": name, "df": "df", "p": f"PR(>{name})"},
        ("models", statistic): {
            "df_resid": "df_resid",
            "left": "deviance",
            "df": "df_diff",
            "deviance": "deviance_diff",
            "statistic": name,
            "p": f"Pr(>{name})",
        },
    }


_IN_SEQUENCE = {"df": "Df", "deviance": "Deviance", "df_resid": "Resid. Df", "left": "Resid. Dev"}
_OF_MODELS = {"df_resid": "Resid. Df", "left": "Resid. Dev", "df": "Df", "deviance": "Deviance"}
_F = {"statistic": "F", "p": "Pr(>F)"}
_IN_R: dict[tuple[str, str], Mapping[str, str]] = {
    ("terms", "chi2"): {**_IN_SEQUENCE, "p": "Pr(>Chi)"},
    ("terms", "F"): {**_IN_SEQUENCE, **_F},
    ("adjusted", "chi2"): {"statistic": "LR Chisq", "df": "Df", "p": "Pr(>Chisq)"},
    ("adjusted", "F"): {"deviance": "Sum Sq", "df": "Df", "statistic": "F value", "p": "Pr(>F)"},
    ("adjusted", "Wald chi2"): {"df": "Df", "statistic": "Chisq", "p": "Pr(>Chisq)"},
    ("adjusted", "Wald F"): {"df": "Df", **_F},
    ("models", "chi2"): {**_OF_MODELS, "p": "Pr(>Chi)"},
    ("models", "F"): {**_OF_MODELS, **_F},
    ("models", "Wald chi2"): {"df_resid": "Res.Df", "df": "Df", "statistic": "Chisq", "p": "Pr(>Chisq)"},
    ("models", "Wald F"): {"df_resid": "Res.Df", "df": "Df", **_F},
}
_PLAIN = {key: names for s in ("chi2", "F", "Wald chi2", "Wald F") for key, names in _plain(s).items()}
STYLES: dict[str, DevianceStyle] = {
    "statsmodels": DevianceStyle("Null", "", "Intercept", _PLAIN, 0),
    "R": DevianceStyle("NULL", "Residuals", "(Intercept)", _IN_R, 1),
}
