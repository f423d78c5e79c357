"""Regression and trajectory models from R-style formulas, solved by torch.

    import formula_torch as ft
    ft.fit("drvisits ~ private + medicaid + age", ft.datasets.visits()).summary()

Names load on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formula_torch import datasets, errors, families, solvers
    from formula_torch.api import fit
    from formula_torch.inference import vcov
    from formula_torch.inference.multiplicity import adjust_pvalues
    from formula_torch.models.network import Network
    from formula_torch.present.plots.coefficients import plot_coefficients
    from formula_torch.result import Fit, GlmFit, NetworkFit, RegressionFit, SeveralFit, TrajectoryFit
    from formula_torch.result.anova import anova
    from formula_torch.select import compare
    from formula_torch.trajectories import select_groups, traj

__version__ = "0.1.0"

__all__ = [
    "Fit",
    "GlmFit",
    "Network",
    "NetworkFit",
    "RegressionFit",
    "SeveralFit",
    "TrajectoryFit",
    "__version__",
    "adjust_pvalues",
    "anova",
    "compare",
    "datasets",
    "errors",
    "families",
    "fit",
    "plot_coefficients",
    "select_groups",
    "solvers",
    "traj",
    "vcov",
]

_HOME = {
    "Fit": "formula_torch.result",
    "GlmFit": "formula_torch.result",
    "RegressionFit": "formula_torch.result",
    "SeveralFit": "formula_torch.result",
    "TrajectoryFit": "formula_torch.result",
    "adjust_pvalues": "formula_torch.inference.multiplicity",
    "anova": "formula_torch.result.anova",
    "compare": "formula_torch.select",
    "fit": "formula_torch.api",
    "Network": "formula_torch.models.network",
    "NetworkFit": "formula_torch.result",
    "select_groups": "formula_torch.trajectories",
    "traj": "formula_torch.trajectories",
    "plot_coefficients": "formula_torch.present.plots.coefficients",
}
_MODULES = {
    "datasets": "formula_torch.datasets",
    "errors": "formula_torch.errors",
    "families": "formula_torch.families",
    "solvers": "formula_torch.solvers",
    "vcov": "formula_torch.inference.vcov",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'formula_torch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
