"""Distributions of the response with several linear predictors, one value each, and their spellings."""

from __future__ import annotations

from dataclasses import is_dataclass, replace

from formula_torch.families.density import Density
from formula_torch.families.links import LINKS, Link, resolve_link
from formula_torch.families.several.categories import Multinomial, Ordered
from formula_torch.families.several.counts import (
    COUNTS,
    NegativeBinomial1,
    NegativeBinomial2,
    PoissonCounts,
)
from formula_torch.families.several.own import Own
from formula_torch.families.several.protocol import Derivatives, Predictor, SeveralFamily
from formula_torch.families.several.shares import Beta
from formula_torch.families.several.zeros import Hurdle, ZeroInflated, hurdle, zero_inflated

__all__ = [
    "COUNTS",
    "SEVERAL",
    "Beta",
    "Derivatives",
    "Hurdle",
    "Multinomial",
    "NegativeBinomial1",
    "NegativeBinomial2",
    "Ordered",
    "Own",
    "PoissonCounts",
    "Predictor",
    "SeveralFamily",
    "ZeroInflated",
    "hurdle",
    "is_several",
    "resolve_several",
    "zero_inflated",
]

SEVERAL: dict[str, SeveralFamily] = {
    "negative_binomial": NegativeBinomial2(),
    "nb2": NegativeBinomial2(),
    "nb1": NegativeBinomial1(),
    "beta": Beta(),
    "zero_inflated_poisson": zero_inflated("poisson"),
    "zip": zero_inflated("poisson"),
    "zero_inflated_negative_binomial": zero_inflated("negative_binomial"),
    "zinb": zero_inflated("negative_binomial"),
    "hurdle_poisson": hurdle("poisson"),
    "hurdle_negative_binomial": hurdle("negative_binomial"),
    "ordered_logit": Ordered(),
    "ordered_probit": Ordered(link=LINKS["probit"]),
    "multinomial": Multinomial(),
}


def is_several(family: object) -> bool:
    """Whether a family is one of several predictors: a spelling, a density, or a value that has ``predictors``."""
    if isinstance(family, str):
        return family in SEVERAL
    return isinstance(family, Density) or (hasattr(family, "predictors") and not isinstance(family, type))


def resolve_several(family: SeveralFamily | Density | str, link: Link | str | None = None) -> SeveralFamily:
    """Read a family of several predictors: a value, or its spelling; with another link where it has the field ``link``.

    Raises
    ------
    ValueError
        A spelling is not known, or the family has no link to choose.
    TypeError
        A family of one's own lacks a part of `SeveralFamily`.

    Examples
    --------
    >>> resolve_several("ordered_logit", "cloglog").name
    'ordered_cloglog'
    """
    if isinstance(family, str):
        if family not in SEVERAL:
            raise ValueError(f"family={family!r} is not known; use one of {', '.join(map(repr, SEVERAL))}.")
        family = SEVERAL[family]
    found: SeveralFamily = Own(family) if isinstance(family, Density) else family
    if lacking := [part for part in vars(SeveralFamily) if part[0] != "_" and not hasattr(found, part)]:
        raise TypeError(f"{type(found).__name__} is no family of several predictors: it lacks {', '.join(lacking)}.")
    if link is None:
        return found
    chosen = resolve_link(link)
    if not is_dataclass(found) or not hasattr(found, "link"):
        raise ValueError(f"link={chosen.name!r}: the links of family={found.name!r} cannot be chosen; leave link= out.")
    if chosen.tails is None:
        raise ValueError(f"link={chosen.name!r} is no link to a probability; use 'logit', 'probit' or 'cloglog'.")
    return replace(found, link=chosen)
