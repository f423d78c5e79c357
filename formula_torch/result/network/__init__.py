"""Floor 5: results of regressions whose predictor is a network."""

from formula_torch.result.network.fit import NetworkFit

__all__ = ["NetworkFit"]
