"""Families of trajectories by their spellings, and whether a response lies in their support."""

from __future__ import annotations

from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.families.densities import as_density, has_sigma, with_sigma
from formula_torch.families.density import Density
from formula_torch.families.distributions import DISTRIBUTIONS
from formula_torch.families.exponential import BERNOULLI, FAMILIES, GAUSSIAN, POISSON, Family
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.families.links import Link
from formula_torch.families.several import SEVERAL, SeveralFamily, is_several, resolve_several

__all__ = ["AnyFamily", "check_support", "of", "resolve_family"]

AnyFamily = Family | Density
# Those that have sufficient statistics, by distribution and link.
CLOSED = {("gaussian", "identity"): GAUSSIAN, ("binomial", "logit"): BERNOULLI, ("poisson", "log"): POISSON}


def of(family: str, link: Link | str | None = None) -> GeneralizedFamily:
    """Name a distribution with its link, where a family is asked for.

    Parameters
    ----------
    family : str
        ``"gaussian"``, ``"binomial"``, ``"poisson"``, ``"gamma"``, ``"inverse_gaussian"``, ...
    link : str, optional
        By default the family's own.

    Examples
    --------
    >>> import formula_torch as ft
    >>> ft.families.of("gamma", link="log").link.name
    'log'
    """
    return resolve_generalized(family, link)


def resolve_family(given: AnyFamily | GeneralizedFamily | SeveralFamily | str) -> AnyFamily:
    """Read a family of trajectories: a value, or one of its spellings.

    Raises
    ------
    ValueError
        Not known, or without a likelihood; the known ones are listed. Or a density has other parameters.
    """
    if isinstance(given, Density):
        given.check_trajectories()
        return given
    if isinstance(given, Family):
        return given
    if isinstance(given, GeneralizedFamily):
        return CLOSED.get((given.name, given.link.name)) or as_density(given)
    if is_several(given):
        return with_sigma(resolve_several(given))
    if given in FAMILIES:
        return FAMILIES[given]
    if given in DISTRIBUTIONS:
        usual = resolve_generalized(given, None)
        # Where the usual link is not defined everywhere, as the inverse, the logarithm is meant.
        return as_density(usual if usual.everywhere else resolve_generalized(given, "log"))
    likely = (name for name, d in DISTRIBUTIONS.items() if d.saturated is not None)
    known = dict.fromkeys([*FAMILIES, *likely, *(name for name, f in SEVERAL.items() if has_sigma(f))])
    raise ValueError(
        f"family={given!r} is not known; use one of {', '.join(map(repr, known))}, one with a link, "
        "ft.families.of('gamma', link='log'), or write one of your own: ft.families.Density."
    )


def check_support(family: AnyFamily, y: Tensor, name: str) -> None:
    """Raise where the response lies outside the support.

    Raises
    ------
    DataError
        Says what is wrong and in how many rows.
    """
    if message := family.refuse(y):
        raise DataError(f"`{name}` {message}")
