"""Networks as predictors: a function of the columns of a formula and a vector of weights.

    f(x; theta) = W_L a(... a(W_1 x + b_1) ...) + b_L

with an activation a, elementwise; x are the columns, about their means and in units of their standard deviations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from formula_torch.errors import check_known

__all__ = ["ACTIVATIONS", "Layers", "ModuleFunction", "Network", "NetworkFunction"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "softplus": functional.softplus,
    "gelu": functional.gelu,
    "elu": functional.elu,
    "silu": functional.silu,
    "linear": lambda x: x,
}
# What makes of a sum over rows something else, or something random.
TIED = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


@dataclass(frozen=True, eq=False)
class Network:
    """A predictor that is a network of the columns of the formula.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers; ``()`` is the linear predictor.
    activation : str
        ``"sigmoid"``, ``"relu"``, ``"tanh"``, ``"softplus"``, ``"gelu"``, ``"elu"``, ``"silu"`` or ``"linear"``.
    bias : bool
        Whether layers have constants. Without them the formula's intercept is one of the inputs.
    module : torch.nn.Module, optional
        A network of your own, in place of layers: from the columns, shape (n, m) in float64, to shape (n,) or (n, 1).
        It is copied, and starts from its own weights; further starts draw those of layers that can draw them.
    starts : int
        Random starts, of which the one with the least loss is kept.
    validation : float
        Share of the rows held out, drawn at random: their loss chooses among starts and, with ``patience=`` of the
        solver, says when to stop.

    Raises
    ------
    ValueError
        A spelling is not known, or a number out of its range; a module ties rows together or is random.

    Examples
    --------
    >>> import formula_torch as ft
    >>> net = ft.Network(hidden=(3,), activation="tanh")
    >>> fit = ft.fit("ntv_rich ~ area", ft.datasets.plant_richness(), network=net)
    >>> fit.rsquared > 0.82
    True
    """

    hidden: Sequence[int] = (10,)
    activation: str = "tanh"
    bias: bool = True
    module: nn.Module | None = None
    starts: int = 5
    validation: float = 0.0

    def __post_init__(self) -> None:
        check_known("activation", self.activation, ACTIVATIONS)
        check_known("bias", self.bias, (True, False))
        if not np.iterable(self.hidden) or not all(_is_count(units) for units in self.hidden):
            raise ValueError(f"hidden={self.hidden!r} is a sequence of numbers of units, as (10, 20).")
        object.__setattr__(self, "hidden", tuple(int(units) for units in self.hidden))
        if not _is_count(self.starts):
            raise ValueError(f"starts={self.starts!r} is a whole number, at least 1.")
        if isinstance(self.validation, (str, bool)) or not 0 <= self.validation < 1:
            raise ValueError(f"validation={self.validation!r} is a share of the rows, from 0 to less than 1.")
        if self.module is not None and not isinstance(self.module, nn.Module):
            raise ValueError(
                f"module={self.module!r} is no torch.nn.Module; pass one that is built, as torch.nn.Linear(2, 1)."
            )
        if self.module is not None and (tied := [m for m in self.module.modules() if isinstance(m, TIED)]):
            raise ValueError(
                f"the module has a layer {type(tied[0]).__name__}, with which a row's prediction is random or depends "
                "on the other rows, and there is no likelihood; see weight_decay= of the solvers."
            )

    @property
    def takes_constant(self) -> bool:
        """Whether the constant column is an input."""
        return self.module is None and not self.bias

    def function(self, inputs: int) -> NetworkFunction:
        """Return the function of columns and weights.

        Parameters
        ----------
        inputs : int
            Number of columns.

        Raises
        ------
        ValueError
            A module does not take as many columns, or does not return a number a row.
        """
        if self.module is None:
            return Layers((inputs, *self.hidden, 1), self.activation, self.bias)
        return ModuleFunction.of(self.module, inputs)

    @property
    def described(self) -> str:
        """What it is, in words."""
        if self.module is not None:
            return type(self.module).__name__
        layers = " x ".join(map(str, self.hidden)) or "no hidden layer"
        return f"{layers}, {self.activation}" if self.hidden else layers


def _is_count(given: object) -> bool:
    return isinstance(given, (int, np.integer)) and not isinstance(given, bool) and bool(given > 0)


class NetworkFunction(Protocol):
    """A function of columns and a vector of weights."""

    @property
    def size(self) -> int:
        """Number of weights."""
        ...

    @property
    def width(self) -> int:
        """Numbers a row has in its widest layer."""
        ...

    def eta(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return f of the rows of x, shape (n, m), as shape (n,); differentiable in both."""
        ...

    def start(self, seed: int, first: bool) -> Tensor:
        """Return weights to begin from, shape (size,); the first start of a module is its own weights."""
        ...

    def names(self, columns: Sequence[str]) -> list[str]:
        """Names of the weights."""
        ...


@dataclass(frozen=True)
class Layers:
    """Layers of units, each fed by all of the layer before.

    Parameters
    ----------
    widths : tuple of int
        Numbers of inputs, of hidden units, and 1.
    activation : str
    bias : bool
    """

    widths: tuple[int, ...]
    activation: str
    bias: bool

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum((fan + self.bias) * units for fan, units in pairwise(self.widths))

    @property
    def width(self) -> int:
        """Numbers a row has in its widest layer."""
        return max(self.widths)

    def eta(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return f of the rows of x, shape (n,)."""
        act, layers = ACTIVATIONS[self.activation], list(self._layers(theta))
        for weight, bias in layers[:-1]:
            x = act(functional.linear(x, weight, bias))
        return functional.linear(x, *layers[-1]).squeeze(-1)

    def _layers(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor | None]]:
        place = 0
        for fan, units in pairwise(self.widths):
            end = place + fan * units
            weight = theta[place:end].view(units, fan)
            place = end + units * self.bias
            yield weight, theta[end:place] if self.bias else None

    def start(self, seed: int, first: bool) -> Tensor:  # noqa: ARG002 - the protocol's signature
        """Return weights to begin from: uniform up to the root of 1 / inputs of the unit, as torch.nn.Linear."""
        draw = torch.Generator().manual_seed(seed)
        parts = []
        for fan, units in pairwise(self.widths):
            most = max(fan, 1) ** -0.5
            parts.append((2 * torch.rand((fan + self.bias) * units, generator=draw, dtype=torch.float64) - 1) * most)
        return torch.cat(parts)

    def names(self, columns: Sequence[str]) -> list[str]:
        """Names of the weights: ``hidden1[2]:age``, ``hidden1[2]:bias``, ``output:hidden1[2]``."""
        out: list[str] = []
        sources = list(columns)
        for depth, units in enumerate(self.widths[1:], start=1):
            last = depth == len(self.widths) - 1
            targets = ["output"] if last else [f"hidden{depth}[{i}]" for i in range(1, units + 1)]
            out += [f"{target}:{source}" for target in targets for source in sources]
            out += [f"{target}:bias" for target in targets] if self.bias else []
            sources = targets
        return out


@dataclass(frozen=True, eq=False)
class ModuleFunction:
    """A torch module as a function of its parameters in one vector."""

    module: nn.Module
    inputs: int

    @staticmethod
    def of(module: nn.Module, inputs: int) -> ModuleFunction:
        """Copy a module, and try it on two rows.

        Raises
        ------
        ValueError
            It does not take as many columns, or does not return a number a row.
        """
        own = copy.deepcopy(module).to("cpu", torch.float64).eval()
        x = torch.linspace(-1.0, 1.0, 4 * inputs, dtype=torch.float64).reshape(inputs, 4).mT.contiguous()
        try:
            found, singly = own(x), [own(x[i : i + 1]) for i in range(4)]
        except Exception as error:
            raise ValueError(f"the module does not take the {inputs} columns of the formula: {error}") from error
        if not isinstance(found, Tensor) or tuple(found.shape) not in ((4,), (4, 1)):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"the module returns {shape} for 4 rows; one number a row is needed.")
        alone = torch.cat([one.reshape(-1) for one in singly])
        if not torch.allclose(found.reshape(-1), alone, rtol=1e-8, atol=1e-12):
            raise ValueError(
                "the module predicts a row differently alone and among others, or twice: it is random, keeps a state, "
                "or ties rows together, and there is no likelihood."
            )
        if not found.requires_grad:
            raise ValueError("the module's predictions have no derivative in its parameters.")
        if not any(parameter.requires_grad for parameter in own.parameters()):
            raise ValueError("the module has no parameters to fit.")
        return ModuleFunction(own, inputs)

    @property
    def _shapes(self) -> list[tuple[str, torch.Size]]:
        return [(name, p.shape) for name, p in self.module.named_parameters() if p.requires_grad]

    def _held(self, device: torch.device) -> dict[str, Tensor]:
        """What is not fitted: frozen parameters, and buffers."""
        frozen = {name: p.detach() for name, p in self.module.named_parameters() if not p.requires_grad}
        return {name: value.to(device) for name, value in {**frozen, **dict(self.module.named_buffers())}.items()}

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(shape.numel() for _, shape in self._shapes)

    @property
    def width(self) -> int:
        """Numbers a row has in its widest layer: as far as shapes of weights tell."""
        return max([self.inputs, *(shape[0] for _, shape in self._shapes if len(shape))])

    def eta(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return f of the rows of x, shape (n,)."""
        place, weights = 0, self._held(x.device)
        for name, shape in self._shapes:
            weights[name] = theta[place : place + shape.numel()].view(shape)
            place += shape.numel()
        found: Tensor = torch.func.functional_call(self.module, weights, (x,))
        return found.reshape(len(x))

    def start(self, seed: int, first: bool) -> Tensor:
        """Return weights to begin from: the module's own, or drawn by its layers."""
        module = self.module
        if not first:
            module = copy.deepcopy(module)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                for layer in module.modules():
                    if callable(reset := getattr(layer, "reset_parameters", None)):
                        reset()
        return torch.cat([p.detach().reshape(-1) for p in module.parameters() if p.requires_grad])

    def names(self, columns: Sequence[str]) -> list[str]:  # noqa: ARG002 - the protocol's signature
        """Names of the weights: ``0.weight[1, 2]``."""
        out = []
        for name, shape in self._shapes:
            if not shape:
                out.append(name)
                continue
            places = torch.cartesian_prod(*(torch.arange(1, n + 1) for n in shape)).reshape(shape.numel(), -1)
            out += [f"{name}[{', '.join(str(int(i)) for i in place)}]" for place in places]
        return out
