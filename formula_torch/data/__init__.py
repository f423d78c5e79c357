"""Floor 2: the user's data, whatever library they come from."""

from formula_torch.data.column import Column, all_finite, read_series
from formula_torch.data.factor import Factor, factor_of
from formula_torch.data.frame import Frame, as_frame, suggest

__all__ = ["Column", "Factor", "Frame", "all_finite", "as_frame", "factor_of", "read_series", "suggest"]
