"""Floor 4: solvers, which see an objective or a design, never a model; those a user names are its attributes."""

from formula_torch.solvers.descending import minimise
from formula_torch.solvers.descent import LBFGS, SGD, Adam, Descent

__all__ = ["LBFGS", "SGD", "Adam", "Descent", "minimise"]
