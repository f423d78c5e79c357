"""Floor 2: distributions of the response, one value each."""

from formula_torch.families.density import Density
from formula_torch.families.exponential import BERNOULLI, FAMILIES, GAUSSIAN, POISSON, Family
from formula_torch.families.resolve import AnyFamily, check_support, resolve_family

__all__ = [
    "BERNOULLI",
    "FAMILIES",
    "GAUSSIAN",
    "POISSON",
    "AnyFamily",
    "Density",
    "Family",
    "check_support",
    "resolve_family",
]
