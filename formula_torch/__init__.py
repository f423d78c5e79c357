"""Regression and trajectory models from R-style formulas, solved by torch.

    import formula_torch as ft
    ft.fit("drvisits ~ private + medicaid + age", ft.datasets.visits()).summary()

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formula_torch import datasets, errors
    from formula_torch.api import fit
    from formula_torch.result import Fit, RegressionFit

__version__ = "0.1.0"

__all__ = ["Fit", "RegressionFit", "__version__", "datasets", "errors", "fit"]

_HOME = {"fit": "formula_torch.api", "Fit": "formula_torch.result", "RegressionFit": "formula_torch.result"}
_MODULES = {"datasets", "errors"}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"formula_torch.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'formula_torch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
