"""What a user asks of a regression, resolved once: which model it is, and whether its options go together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.nn import Module

from formula_torch.errors import check_known
from formula_torch.families.distributions import DISTRIBUTIONS
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.families.several import SEVERAL, SeveralFamily, is_several, resolve_several
from formula_torch.fitting.descent import Descending
from formula_torch.fitting.further import further_formulas
from formula_torch.inference.moments import Estimator
from formula_torch.inference.vcov import resolve_vcov
from formula_torch.models.linear import WEIGHTS_TYPES
from formula_torch.models.network import Network
from formula_torch.solvers.descent import LBFGS, resolve_descent

__all__ = ["ENGINES", "Asked", "Resolved", "resolve"]

ENGINES = ("torch",)
PRIORS = (None, "firth")
# A network's descent finds the valley, and Levenberg and Marquardt's method its ground, where errors hold.
USUAL, FINISH = LBFGS(epochs=200), 400
DEFAULT_VCOV = {"analytic": "iid", "frequency": "iid", "sampling": "robust"}


@dataclass(frozen=True, eq=False)
class Asked:
    """The options of a regression, as given."""

    family: Any = None
    link: Any = None
    weights: Any = None
    weights_type: str = "analytic"
    offset: Any = None
    exposure: Any = None
    inflation: str | None = None
    dispersion: str | None = None
    formulas: Mapping[str, str] | None = None
    vcov: Any = None
    use_t: bool | None = None
    bounds: Mapping[str, Any] | None = None
    prior: str | None = None
    solver: Any = "auto"
    network: Any = None
    seed: int = 0
    progress: bool | None = None
    engine: str = "torch"
    device: str = "auto"
    na_action: str = "drop"
    subset: Any = None
    functions: Mapping[str, Callable[..., Any]] | None = None


@dataclass(frozen=True, eq=False)
class Resolved:
    """The same, read.

    Parameters
    ----------
    family : GeneralizedFamily, SeveralFamily or None
        None for least squares.
    estimator : Estimator
    further : dict
        Predictor to a formula of its own.
    descending : Descending or None
        None for the exact solution.
    network : Network or None
    """

    family: GeneralizedFamily | SeveralFamily | None
    estimator: Estimator
    further: dict[str, str]
    descending: Descending | None = None
    network: Network | None = None

    @property
    def reading(self) -> str:
        """How the formula is to read the response."""
        return "numbers" if self.family is None else self.family.reading


def resolve(asked: Asked) -> Resolved:
    """Read the spellings, and refuse options that do not go together.

    Raises
    ------
    ValueError
        A spelling is not known, or an option is not of this model.
    FormulaError
        A further formula is none.
    """
    check_known("engine", asked.engine, ENGINES)
    check_known("weights_type", asked.weights_type, WEIGHTS_TYPES)
    check_known("prior", asked.prior, PRIORS)
    estimator = resolve_vcov(DEFAULT_VCOV[asked.weights_type] if asked.vcov is None else asked.vcov)
    if is_several(asked.family):
        return _several(asked, estimator)
    given = {"inflation": asked.inflation, "dispersion": asked.dispersion, "formulas": asked.formulas}
    if named := [f"{what}=" for what, text in given.items() if text is not None]:
        raise ValueError(
            f"{' and '.join(named)} is a formula of families that have such a part, as "
            "'zero_inflated_poisson' and 'negative_binomial'."
        )
    family = _generalized(asked)
    if asked.exposure is not None and (family is None or not family.exponential):
        raise ValueError("exposure= multiplies the mean, and needs a log link; see offset=.")
    network = _network(asked)
    return Resolved(family, estimator, {}, _descending(asked, network), network)


def _network(asked: Asked) -> Network | None:
    """Read a network: a value, or a module.

    Raises
    ------
    ValueError
        It is neither.
    """
    if asked.network is None or isinstance(asked.network, Network):
        return asked.network
    if isinstance(asked.network, Module):
        return Network(module=asked.network)
    raise ValueError(f"network={asked.network!r} is not known; use ft.Network(hidden=(10,)) or a torch.nn.Module.")


def _descending(asked: Asked, network: Network | None) -> Descending | None:
    usual = isinstance(asked.solver, str) and asked.solver == "auto"
    if usual and network is None:
        return None
    if asked.bounds is not None or asked.prior is not None:
        raise ValueError("solver= and network= descend without bounds= and prior=: leave out one or the other.")
    if isinstance(asked.seed, bool) or not isinstance(asked.seed, (int, np.integer)) or asked.seed < 0:
        raise ValueError(f"seed={asked.seed!r} must be a whole number, not negative.")
    if usual:
        return Descending(USUAL, int(asked.seed), asked.progress, FINISH)
    return Descending(resolve_descent(asked.solver), int(asked.seed), asked.progress)


def _generalized(asked: Asked) -> GeneralizedFamily | None:
    known = (*DISTRIBUTIONS, *SEVERAL)
    if isinstance(asked.family, str) and asked.family not in known:
        raise ValueError(f"family={asked.family!r} is not known; use one of {', '.join(map(repr, known))}.")
    if asked.family is None and asked.link is None:
        family = None
    else:
        family = resolve_generalized("gaussian" if asked.family is None else asked.family, asked.link)
    linear = family is None or family.is_normal_linear
    if asked.prior is not None and (family is None or family.dispersed):
        raise ValueError("prior='firth' is for families of a known dispersion: 'binomial' and 'poisson'.")
    if asked.prior is not None and asked.bounds is not None:
        raise ValueError("prior= and bounds= do not go together: leave one out.")
    return None if linear else family


def _several(asked: Asked, estimator: Estimator) -> Resolved:
    family = resolve_several(asked.family, asked.link)
    refused = {
        "bounds": asked.bounds,
        "prior": asked.prior,
        "network": asked.network,
        "solver": None if asked.solver == "auto" else asked.solver,
    }
    if named := [f"{what}=" for what, given in refused.items() if given is not None]:
        raise ValueError(f"{' and '.join(named)} is for models of one linear predictor; {family.name} has several.")
    if asked.exposure is not None and not family.exponential:
        raise ValueError(f"exposure= multiplies a mean of the form exp(...), which family={family.name!r} has not.")
    further = further_formulas(family, {"inflation": asked.inflation, "dispersion": asked.dispersion}, asked.formulas)
    return Resolved(family, estimator, further)
