"""Floor 7: group-based trajectory models, from the call to the result."""

from formula_torch.trajectories.call import traj

__all__ = ["traj"]
