"""Floor 6: fitted models beside one another, and how many groups a trajectory model needs."""

from formula_torch.select.comparison import compare
from formula_torch.select.groups import selection_of

__all__ = ["compare", "selection_of"]
