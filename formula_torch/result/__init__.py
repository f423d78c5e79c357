"""Floor 5: what a fit returns; each kind of model adds vocabulary only."""

from formula_torch.result.fit import Fit
from formula_torch.result.glm import GlmFit
from formula_torch.result.network import NetworkFit
from formula_torch.result.regression import RegressionFit
from formula_torch.result.several import SeveralFit
from formula_torch.result.trajectory import TrajectoryFit

__all__ = ["Fit", "GlmFit", "NetworkFit", "RegressionFit", "SeveralFit", "TrajectoryFit"]
