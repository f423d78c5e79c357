"""A group-based trajectory model under the names its users know, a subject a file."""

from formula_torch.result.trajectory.fit import TrajectoryFit
from formula_torch.result.trajectory.specification import Layout, Search, Specification, UnitTable

__all__ = ["Layout", "Search", "Specification", "TrajectoryFit", "UnitTable"]
