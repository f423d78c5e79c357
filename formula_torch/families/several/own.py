"""A log-density of one's own as a family of several predictors: its derivatives are taken automatically, row by row.

The log-density of a row depends on its own predictors alone, so that derivatives of a sum over rows are those of the
rows: m + 1 passes backward give all second derivatives, however many rows there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.families.density import Density
from formula_torch.families.several.beginning import constants, refused_at
from formula_torch.families.several.protocol import Derivatives, Numeric, Predictor

__all__ = ["Own"]


@dataclass(frozen=True)
class Own(Numeric):
    """A density of one's own. A positive parameter is the exponential of its predictor.

    Parameters
    ----------
    density : Density
    """

    density: Density
    reading = "columns"

    @property
    def name(self) -> str:
        """As the user calls it."""
        return self.density.name

    @property
    def kind(self) -> str:
        """As the user says, or an empty text."""
        return self.density.kind

    @property
    def exponential(self) -> bool:
        """As the user says."""
        return self.density.exponential

    @property
    def scale(self) -> str:
        """Where intervals of the mean are taken: that is any number, unless it is an exponential."""
        return "log" if self.exponential else "identity"

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """That of the formula, and the parameters, which may have formulas of their own."""
        further = (
            _predictor(name, "own", f"{name}:", positive=name in self.density.positive)
            for name in self.density.parameters
        )
        return (_predictor(self.density.predictor, "main", ""), *further)

    # -- the log-density --------------------------------------------------------------------------

    def natural(self, eta: Tensor) -> list[Tensor]:
        """The linear predictor, and the parameters on their own scale, shape (n,) each."""
        further = zip(self.predictors[1:], eta[1:], strict=True)
        return [eta[0], *(row.exp() if predictor.positive else row for predictor, row in further)]

    def value(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-density of rows, which may be differentiated.

        Raises
        ------
        TypeError
            The user's function does not return one float64 number for each row.
        """
        found = self.density.log_density(columns(y), *self.natural(eta))
        return self._of_rows(found, eta[0], "log_density")

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor:
        """Log-density of rows; minus infinity in all where torch's distributions refuse a parameter."""
        try:
            with torch.no_grad():
                return self.value(y, eta)
        except ValueError:
            return torch.full_like(eta[0], -math.inf)

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives:
        """Value and first derivatives; second ones when they are asked for."""
        with torch.enable_grad():
            at = eta.detach().clone().requires_grad_()
            value = self.value(y, at)
            first = _gradient(value, at)
        rows: dict[int, Tensor] = {}

        def second(j: int, k: int) -> Tensor:
            if j not in rows:
                rows[j] = _gradient(first[j], at).detach()
            return rows[j][k]

        return Derivatives(value.detach(), first.detach(), second)

    # -- moments ----------------------------------------------------------------------------------

    def expected(self, eta: Tensor) -> Tensor:
        """The mean that the user gave.

        Raises
        ------
        DataError
            None was given.
        """
        named = dict(zip(self.density.parameters, self.natural(eta)[1:], strict=True))
        found = self.density.mean(eta[0], *(named[name] for name in self.density.mean_parameters))
        return self._of_rows(found, eta[0], "mean")[None]

    def variance(self, eta: Tensor) -> NoReturn:  # noqa: ARG002 - one signature
        """Raise: nothing is known of it.

        Raises
        ------
        DataError
        """
        raise DataError(f"the variance of family={self.name!r} is not known, and residuals cannot be divided by it.")

    # -- the response -----------------------------------------------------------------------------

    def begin(self, y: Tensor, weights: Tensor | None) -> Tensor:  # noqa: ARG002 - one signature
        """Constants, the best of a few."""
        return constants(self, y)[:, None].expand(-1, len(y))

    def refuse(self, y: Tensor) -> str:
        """What the user refuses, and rows that have no log-density where the climb begins."""
        return self.density.refuse(columns(y)) or refused_at(self, y, constants(self, y))

    def doubt(self, y: Tensor) -> str:
        """As the user says."""
        return self.density.doubt(columns(y))

    def without(self, predictor: str) -> None:
        """No predictor has a limit."""

    def _of_rows(self, found: Any, like: Tensor, what: str) -> Tensor:
        if not isinstance(found, Tensor):
            raise TypeError(
                f"{what} of family={self.name!r} returns {type(found).__name__}, not a tensor; write it with torch's "
                "functions."
            )
        if found.shape != like.shape:
            raise TypeError(
                f"{what} of family={self.name!r} returns the shape {tuple(found.shape)} for {len(like)} rows; return "
                "one number for each row, and no sum over them."
            )
        if found.dtype != like.dtype:
            raise TypeError(
                f"{what} of family={self.name!r} returns {found.dtype}; keep the numbers' type, {like.dtype}."
            )
        return found


def _predictor(name: str, takes: str, prefix: str, *, positive: bool = False) -> Predictor:
    return Predictor(name, takes, prefix, name, positive=positive, logarithmic=positive)


def columns(y: Tensor) -> Any:
    """The response as the user's functions take it: a tensor, or a tuple of the columns of ``cbind``."""
    return y if y.ndim == 1 else y.unbind(1)


def _gradient(values: Tensor, at: Tensor) -> Tensor:
    """Derivatives of elementwise functions, shape (m, n); zero where there is nothing to differentiate."""
    if not values.requires_grad:
        return torch.zeros_like(at)
    with torch.enable_grad():
        (found,) = torch.autograd.grad(values.sum(), at, create_graph=True, allow_unused=True)
    return torch.zeros_like(at) if found is None else found
