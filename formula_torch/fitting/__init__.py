"""From a formula that has met its data to a result."""

from formula_torch.fitting.glm import solve_glm
from formula_torch.fitting.linear import solve

__all__ = ["solve", "solve_glm"]
