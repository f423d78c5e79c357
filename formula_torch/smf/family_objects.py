"""statsmodels' families and links: read by the names of their classes, and named and made again."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from formula_torch.families.distributions import DISTRIBUTIONS, Distribution, tweedie
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.families.links import LINKS, Link, power_link
from formula_torch.families.negative_binomial import negative_binomial

__all__ = ["family_name", "link_name", "read_family", "their_family"]

LINK_NAMES = {
    "identity": "Identity",
    "log": "Log",
    "logit": "Logit",
    "probit": "Probit",
    "cloglog": "CLogLog",
    "loglog": "LogLog",
    "cauchit": "Cauchy",
    "inverse": "InversePower",
    "inverse_squared": "InverseSquared",
    "sqrt": "Sqrt",
}
OUR_LINKS = {theirs: LINKS[ours] for ours, theirs in LINK_NAMES.items()}
POWERS = {1.0: "identity", 0.0: "log", -1.0: "inverse", -2.0: "inverse_squared", 0.5: "sqrt"}
# Those that we do not have, before the classes they are derived from.
OTHER_LINKS = ("CDFLink", "LogC", "NegativeBinomial")


def _tweedie(given: Any) -> Distribution:
    if getattr(given, "eql", False):
        raise NotImplementedError("Tweedie(eql=True) is not built; use statsmodels.formula.api.glm.")
    special = {1.0: "quasipoisson", 2.0: "gamma", 3.0: "inverse_gaussian"}
    power = float(given.var_power)
    return DISTRIBUTIONS[special[power]] if power in special else tweedie(power)


FAMILIES: dict[str, Callable[[Any], Distribution]] = {
    "Gaussian": lambda given: DISTRIBUTIONS["gaussian"],  # noqa: ARG005 - one signature, as below
    "Binomial": lambda given: DISTRIBUTIONS["binomial"],  # noqa: ARG005
    "Poisson": lambda given: DISTRIBUTIONS["poisson"],  # noqa: ARG005
    "Gamma": lambda given: DISTRIBUTIONS["gamma"],  # noqa: ARG005
    "InverseGaussian": lambda given: DISTRIBUTIONS["inverse_gaussian"],  # noqa: ARG005
    "NegativeBinomial": lambda given: negative_binomial(float(given.alpha)),
    "Tweedie": _tweedie,
}
FAMILY_NAMES = {
    "gaussian": "Gaussian",
    "binomial": "Binomial",
    "poisson": "Poisson",
    "gamma": "Gamma",
    "inverse_gaussian": "InverseGaussian",
    "quasipoisson": "Tweedie",
    "quasibinomial": "Binomial",
}


def read_family(given: Any) -> GeneralizedFamily:
    """Read a family: an object of statsmodels, a value or a spelling of ours, or None for the normal.

    Raises
    ------
    ValueError
        It is none of these.
    NotImplementedError
        statsmodels has it, and we do not.
    """
    if given is None:
        return resolve_generalized("gaussian", None)
    if isinstance(given, (str, Distribution, GeneralizedFamily)):
        return resolve_generalized(given, None)
    if isinstance(given, type):
        raise ValueError(f"family is a class; pass an object of it: sm.families.{given.__name__}().")
    found = next((FAMILIES[c.__name__] for c in type(given).__mro__ if c.__name__ in FAMILIES), None)
    if found is None or not hasattr(given, "link"):
        known = ", ".join(f"sm.families.{name}()" for name in FAMILIES)
        raise ValueError(f"family={given!r} is not known; use one of {known}, or a spelling such as 'poisson'.")
    return GeneralizedFamily(found(given), _read_link(given.link))


def _read_link(given: Any) -> Link:
    names = [c.__name__ for c in type(given).__mro__]
    name = next((n for n in names if n in OUR_LINKS or n in OTHER_LINKS or n == "Power"), names[0])
    if name == "Power":
        power = float(given.power)
        return LINKS[POWERS[power]] if power in POWERS else power_link(power)
    if name not in OUR_LINKS:
        raise NotImplementedError(f"the link {name} is not built; use statsmodels.formula.api.glm.")
    return OUR_LINKS[name]


def family_name(family: GeneralizedFamily) -> str:
    """The class that statsmodels has for a distribution, as its summary prints it."""
    name = family.name
    if name.startswith("negative_binomial"):
        return "NegativeBinomial"
    return "Tweedie" if family.distribution.power is not None else FAMILY_NAMES.get(name, name)


def link_name(family: GeneralizedFamily) -> str:
    """The class that statsmodels has for a link, as its summary prints it."""
    return LINK_NAMES.get(family.link.name, "Power")


def their_family(sm: ModuleType, family: GeneralizedFamily) -> Any:
    """Make statsmodels' object of a family.

    Parameters
    ----------
    sm : module
        ``statsmodels.api``.
    family : GeneralizedFamily

    Raises
    ------
    NotImplementedError
        The link is a power that has no class of its own.
    """
    name, distribution = family_name(family), family.distribution
    if family.link.name not in LINK_NAMES:
        raise NotImplementedError(f"to_statsmodels() knows no class for the link {family.link.name!r}.")
    link = getattr(sm.families.links, link_name(family))()
    options: dict[str, Any] = {}
    if name == "Tweedie":
        options["var_power"] = 1.0 if distribution.power is None else distribution.power
    if name == "NegativeBinomial":
        options["alpha"] = distribution.alpha  # type: ignore[attr-defined]
    return getattr(sm.families, name)(link=link, **options)
