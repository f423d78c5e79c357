"""Resampling of units."""

from __future__ import annotations

from formula_torch.result.trajectory.curves import Curves

__all__ = ["UnitResampling"]


class UnitResampling(Curves):
    """Bootstraps of units."""
