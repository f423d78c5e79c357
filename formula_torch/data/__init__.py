"""Floor 2: the user's data, whatever library they come from."""

from formula_torch.data.frame import Column, Factor, Frame, as_frame

__all__ = ["Column", "Factor", "Frame", "as_frame"]
