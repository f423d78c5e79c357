"""Pictures of a trajectory model."""

from __future__ import annotations

from formula_torch.result.trajectory.curves import Curves

__all__ = ["Pictures"]


class Pictures(Curves):
    """Pictures of the groups."""
