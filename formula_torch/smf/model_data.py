"""The ``data`` attribute of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["ModelData"]


@dataclass(frozen=True, eq=False, repr=False)
class ModelData:
    """What statsmodels' models say of their data.

    Parameters
    ----------
    frame : table
        As given to the model.
    orig_exog : DataFrame, shape (n, k)
        The columns of the design on the user's index.
    orig_endog : DataFrame, shape (n, 1)
    formula : str
    functions : mapping
        The caller's functions that the formula calls.
    """

    frame: Any
    orig_exog: pd.DataFrame
    orig_endog: pd.DataFrame
    formula: str
    functions: Mapping[str, Callable[..., Any]]

    @property
    def row_labels(self) -> pd.Index:
        """The user's labels of the rows used."""
        return self.orig_exog.index

    @property
    def xnames(self) -> list[str]:
        """Names of the columns of the design."""
        return list(self.orig_exog.columns)

    @property
    def param_names(self) -> list[str]:
        """Names of the coefficients."""
        return self.xnames

    @property
    def ynames(self) -> str:
        """Name of the response."""
        return str(self.orig_endog.columns[0])

    @cached_property
    def model_spec(self) -> Any:
        """Patsy's description of the design, which functions of statsmodels such as ``anova_lm`` read.

        Raises
        ------
        ImportError
            patsy, which statsmodels brings with it, is not installed.
        NotImplementedError
            patsy makes other columns of the formula.
        """
        try:
            import patsy
        except ImportError as error:
            raise ImportError("model_spec is patsy's: pip install patsy.") from error
        scope = patsy.EvalEnvironment([_namespace(self.functions)])
        right = patsy.ModelDesc.from_formula(self.formula).rhs_termlist
        made = patsy.dmatrix(patsy.ModelDesc([], right), self.frame, eval_env=scope, return_type="dataframe")
        if list(made.columns) != self.xnames:
            raise NotImplementedError(
                f"patsy makes the columns {list(made.columns)} of {self.formula!r}, not {self.xnames}; use "
                "formula_torch.anova(results)."
            )
        return made.design_info

    @property
    def design_info(self) -> Any:
        """The same under patsy's name."""
        return self.model_spec


def _namespace(functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """Functions under their names, dotted ones as attributes; numpy beside them."""
    found: dict[str, Any] = {"np": np, "numpy": np}
    for name, function in functions.items():
        *path, last = name.split(".")
        if not path:
            found[last] = function
        elif path[0] not in ("np", "numpy"):
            here = found.setdefault(path[0], SimpleNamespace())
            for part in path[1:]:
                here = here.__dict__.setdefault(part, SimpleNamespace())
            setattr(here, last, function)
    return found
