"""Floor 5: what a fit returns; regression and trajectories add vocabulary only."""

from formula_torch.result.fit import Fit
from formula_torch.result.regression import RegressionFit
from formula_torch.result.trajectory import TrajectoryFit

__all__ = ["Fit", "RegressionFit", "TrajectoryFit"]
