"""From a formula and data to a result: linear and generalised linear models, and those of several parameters."""

from formula_torch.fitting.asked import Asked
from formula_torch.fitting.glm import solve_glm
from formula_torch.fitting.linear import solve
from formula_torch.fitting.regression import regress
from formula_torch.fitting.several import solve_several

__all__ = ["Asked", "regress", "solve", "solve_glm", "solve_several"]
