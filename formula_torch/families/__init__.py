"""Floor 2: distributions of the response, one value each."""

from formula_torch.families.density import Density
from formula_torch.families.distributions import DISTRIBUTIONS, Distribution, tweedie
from formula_torch.families.exponential import BERNOULLI, FAMILIES, GAUSSIAN, POISSON, Family
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.families.links import LINKS, Link, power_link
from formula_torch.families.negative_binomial import negative_binomial
from formula_torch.families.resolve import AnyFamily, check_support, of, resolve_family
from formula_torch.families.several import SEVERAL, SeveralFamily, hurdle, is_several, resolve_several, zero_inflated

__all__ = [
    "BERNOULLI",
    "DISTRIBUTIONS",
    "FAMILIES",
    "GAUSSIAN",
    "LINKS",
    "POISSON",
    "SEVERAL",
    "AnyFamily",
    "Density",
    "Distribution",
    "Family",
    "GeneralizedFamily",
    "Link",
    "SeveralFamily",
    "check_support",
    "hurdle",
    "is_several",
    "negative_binomial",
    "of",
    "power_link",
    "resolve_family",
    "resolve_generalized",
    "resolve_several",
    "tweedie",
    "zero_inflated",
]
