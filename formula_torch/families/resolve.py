"""Families of trajectories by their spellings, and whether a response lies in their support."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.families.density import Density
from formula_torch.families.distributions import DISTRIBUTIONS
from formula_torch.families.exponential import BERNOULLI, FAMILIES, GAUSSIAN, POISSON, Family
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.families.links import Link

__all__ = ["AnyFamily", "as_density", "check_support", "of", "resolve_family"]

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


def resolve_family(given: AnyFamily | GeneralizedFamily | str) -> AnyFamily:
    """Read a family of trajectories: a value, or one of its spellings.

    Raises
    ------
    ValueError
        Not known, or without a likelihood; the known ones are listed.
    """
    if isinstance(given, (Family, Density)):
        return given
    if isinstance(given, GeneralizedFamily):
        return CLOSED.get((given.name, given.link.name)) or as_density(given)
    if given in FAMILIES:
        return FAMILIES[given]
    if given in DISTRIBUTIONS:
        return as_density(resolve_generalized(given, None))
    known = dict.fromkeys([*FAMILIES, *(name for name, d in DISTRIBUTIONS.items() if d.saturated is not None)])
    raise ValueError(
        f"family={given!r} is not known; use one of {', '.join(map(repr, known))}, one with a link, "
        "ft.families.of('gamma', link='log'), or write one of your own: ft.families.Density."
    )


@dataclass(frozen=True)
class _LogDensity:
    """Log-density of rows with sigma the root of the dispersion."""

    family: GeneralizedFamily

    def __call__(self, y: Tensor, eta: Tensor, sigma: Tensor) -> Tensor:
        return self.family.loglik(y, eta, sigma**2, torch.ones_like(y))


def as_density(family: GeneralizedFamily) -> Density:
    """State a distribution with its link by its log-density, sigma being the root of the dispersion.

    Raises
    ------
    ValueError
        It has no likelihood, or not everywhere.
    """
    if family.distribution.saturated is None:
        raise ValueError(f"family={family.name!r} has no likelihood, which groups of trajectories need.")
    if not family.everywhere:
        raise ValueError(
            f"with link={family.link.name!r} a mean of family={family.name!r} is not defined for every linear "
            "predictor, as the search for groups needs; use link='log'."
        )
    return Density(
        name=family.name if family.link.name == family.distribution.link else f"{family.name}({family.link.name})",
        log_density=_LogDensity(family),
        mean=family.link.mean,
        dispersed=family.dispersed,
        exponential=family.link.name == "log",
        stabilise=family.distribution.stabilise,
        refuse=family.distribution.refuse,
        doubt=family.distribution.doubt,
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
