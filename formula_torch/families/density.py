"""A distribution given by its log-density alone: its derivatives are taken automatically."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from torch import Tensor

from formula_torch.errors import DataError, check_known
from formula_torch.families.support import no_doubt

__all__ = ["Density"]


def _itself(y: Tensor) -> Tensor:
    return y


def _no_mean(eta: Tensor) -> NoReturn:  # noqa: ARG001 - a mean's signature
    raise DataError(
        "this family was given no mean=, and there are no means to predict; give one, as in "
        "ft.families.Density(..., mean=lambda eta: eta). Of a regression, predict(which='linear') has the linear "
        "predictor."
    )


@dataclass(frozen=True)
class Density:
    """A distribution of the response that you write yourself, for ``fit`` and for ``traj``.

    Parameters
    ----------
    name : str
    log_density : callable
        log f(y | eta, ...), from the response, the linear predictor and further parameters to one number for each
        row, by torch's functions, twice differentiable. Arguments after the second are parameters that are estimated,
        under their names; one with a default keeps that value. A response ``cbind(time, event)`` comes as a pair of
        tensors. Constants may be left out, but then log-likelihoods do not compare with those of other families.
    mean : callable, optional
        The mean of the response from eta, and from parameters if it has arguments of their names. By this predictions
        and marginal effects are made.
    positive : tuple of str, or str
        Parameters that are positive numbers; others may be any number. In a trajectory model there may be one, which
        is reported as ``sigma``.
    start : dict, optional
        Values of parameters, or of the linear predictor, to begin from in ``fit``; else a few are tried.
    exponential : bool
        Whether the mean is a multiple of exp(eta), so that an exposure makes sense.
    stabilise : callable
        A transformation of y whose variance hardly depends on its mean, for the starts of ``traj``.
    refuse, doubt : callable
        From y to what is wrong with it, or strange, in words that follow its name; or an empty text.
    kind : {"density", "probability"}, optional
        What the likelihood is of: those of numbers and of counts do not compare.

    Raises
    ------
    ValueError
        An argument has no name by which it could be estimated, or a name is none of an argument.

    Examples
    --------
    Errors with heavy tails, whose degrees of freedom are estimated too:

    >>> import torch
    >>> import formula_torch as ft
    >>> def log_density(y, mu, sigma, df):
    ...     return torch.distributions.StudentT(df, mu, sigma).log_prob(y)
    >>> student = ft.families.Density("student", log_density, mean=lambda mu: mu, positive=("sigma", "df"))
    >>> ft.fit("y ~ x", ft.datasets.simulated_line(), family=student).params.index.tolist()
    ['Intercept', 'x', 'sigma', 'df']

    Medians rather than means, in groups:

    >>> def log_density(y, eta, sigma):
    ...     return -torch.sqrt((y - eta) ** 2 / sigma**2 + 1) - torch.log(sigma)
    >>> robust = ft.families.Density("pseudo-huber", log_density, mean=lambda eta: eta, positive="sigma")
    >>> fit = ft.traj("y ~ t | id", ft.datasets.simulated_trajectories(), groups=2, family=robust)
    >>> fit.shares["share"].round(2).tolist()
    [0.5, 0.5]
    """

    name: str
    log_density: Callable[..., Tensor]
    mean: Callable[..., Tensor] = _no_mean
    positive: tuple[str, ...] | str = ()
    start: Mapping[str, float] = field(default_factory=dict, hash=False)
    exponential: bool = False
    stabilise: Callable[[Tensor], Tensor] = _itself
    refuse: Callable[[Any], str] = no_doubt
    doubt: Callable[[Any], str] = no_doubt
    kind: str = ""
    predictor: str = field(init=False, repr=False, compare=False)
    parameters: tuple[str, ...] = field(init=False, repr=False, compare=False)
    mean_parameters: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"name={self.name!r} is to be a text.")
        check_known("kind", self.kind, ("", "density", "probability"))
        for argument in ("log_density", "mean", "refuse", "doubt", "stabilise"):
            if not callable(given := getattr(self, argument)):
                raise ValueError(f"{argument}={given!r} is to be a function.")
        what = f"log_density of {self.name!r}"
        predictor, *parameters = _estimated(self.log_density, what)
        positive = (self.positive,) if isinstance(self.positive, str) else tuple(self.positive)
        _check_names("positive", positive, parameters, what)
        _check_names("start", self.start, (predictor, *parameters), what)
        if bad := [name for name in positive if not self.start.get(name, 1.0) > 0]:
            raise ValueError(f"start={{{bad[0]!r}: {self.start[bad[0]]}}}: `{bad[0]}` is positive.")
        mean_parameters = _further(self.mean)
        _check_names("mean", mean_parameters, parameters, what)
        found = {"positive": positive, "predictor": predictor, "parameters": tuple(parameters)}
        for name, value in {**found, "mean_parameters": mean_parameters}.items():
            object.__setattr__(self, name, value)

    @property
    def dispersed(self) -> bool:
        """Whether there are parameters besides the linear predictor."""
        return bool(self.parameters)

    def row_loglik(self, y: Tensor, eta: Tensor, sigma: Tensor) -> Tensor:
        """Log-density of rows of a trajectory model, where sigma is the parameter, if there is one."""
        return self.log_density(y, eta, sigma) if self.dispersed else self.log_density(y, eta)

    def check_trajectories(self) -> None:
        """Raise unless there is at most one parameter, a positive one, and the mean is one of eta alone.

        Raises
        ------
        ValueError
            Says what there is besides.
        """
        if len(self.parameters) > 1 or self.parameters != self.positive:
            raise ValueError(
                f"family={self.name!r} has the parameters {', '.join(self.parameters)}; groups of trajectories can "
                "have one, named in positive=. Give others a default, which they keep."
            )
        if self.mean_parameters:
            raise ValueError(
                f"the mean of family={self.name!r} depends on {', '.join(self.mean_parameters)}; in a trajectory model "
                "it is a function of the linear predictor alone."
            )


def _estimated(log_density: Callable[..., Tensor], what: str) -> list[str]:
    """Name the linear predictor and the parameters."""
    try:
        arguments = list(inspect.signature(log_density).parameters.values())
    except ValueError:
        raise ValueError(f"{what} does not name its arguments; write it as a function of y, eta, ...") from None
    needed = [a for a in arguments if a.default is a.empty]
    if loose := [str(a) for a in needed if a.kind not in (a.POSITIONAL_OR_KEYWORD, a.POSITIONAL_ONLY)]:
        raise ValueError(f"{what} has the arguments {', '.join(loose)}; name those that are estimated one by one.")
    if len(needed) < 2:
        raise ValueError(f"{what} is a function of y, the linear predictor, and further parameters if there are any.")
    return [a.name for a in needed[1:]]


def _further(mean: Callable[..., Tensor]) -> tuple[str, ...]:
    """Name the parameters that a mean depends on, beside the linear predictor."""
    try:
        arguments = list(inspect.signature(mean).parameters.values())
    except ValueError:
        # One of torch's own functions, as torch.exp.
        return ()
    return tuple(a.name for a in arguments[1:] if a.default is a.empty)


def _check_names(option: str, names: Any, known: Any, what: str) -> None:
    if unknown := [name for name in names if name not in known]:
        listed = f"it has {', '.join(known)}" if known else "it has no further ones"
        raise ValueError(f"{option}= speaks of `{unknown[0]}`, which is no argument of the {what}; {listed}.")
