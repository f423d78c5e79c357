"""Results of generalised linear models."""

from formula_torch.result.glm.fit import GlmFit

__all__ = ["GlmFit"]
