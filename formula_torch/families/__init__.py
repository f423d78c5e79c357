"""Floor 2: distributions of the response, one value each."""

from formula_torch.families.exponential import BERNOULLI, FAMILIES, GAUSSIAN, POISSON, Family, resolve_family

__all__ = ["BERNOULLI", "FAMILIES", "GAUSSIAN", "POISSON", "Family", "resolve_family"]
