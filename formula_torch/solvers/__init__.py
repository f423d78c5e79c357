"""Floor 4: solvers, which see an objective or a design, never a model; those a user names are its attributes.

They load on first use, as the package's own names do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from formula_torch.solvers.descent import LBFGS, SGD, Adam, Descent
    from formula_torch.solvers.minimising import minimise

__all__ = ["LBFGS", "SGD", "Adam", "Descent", "minimise"]

_HOME = {
    "LBFGS": "formula_torch.solvers.descent",
    "SGD": "formula_torch.solvers.descent",
    "Adam": "formula_torch.solvers.descent",
    "Descent": "formula_torch.solvers.descent",
    "minimise": "formula_torch.solvers.minimising",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'formula_torch.solvers' has no attribute {name!r}")
