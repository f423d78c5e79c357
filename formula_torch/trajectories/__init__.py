"""Floor 7: group-based trajectory models, from the call to the result."""

from formula_torch.trajectories.call import traj
from formula_torch.trajectories.selection import select_groups

__all__ = ["select_groups", "traj"]
