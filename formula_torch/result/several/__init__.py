"""Results of models with several linear predictors."""

from formula_torch.result.several.fit import SeveralFit

__all__ = ["SeveralFit"]
