"""Averages of the mean response of a network and of its slopes, with gradients in the weights.

    e_i = m'(eta_i) d_i x_i^p / mu_i^q,   d = scale df/dx . dx/dv + do/dv

    de/dw = x^p / mu^q [ (m'' d - q m'^2 d / mu) deta/dw + m' dd/dw ]

of which a backward pass gives the two derivatives in w, and another one before it df/dx.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.formula.derivative import Derivative
from formula_torch.inference.margins import Average, MeanFunction, Method, refuse_not_positive
from formula_torch.numerics.arrays import as_tensor, slices
from formula_torch.numerics.threads import threads_for
from formula_torch.result.averages import Averaging, Found
from formula_torch.result.network.machine import Machine
from formula_torch.result.population import Population

__all__ = ["NetworkAveraging", "NetworkMeans", "SlopeAverage"]

# Products of a pass over rows for each weight.
WORK = 10.0


@dataclass(frozen=True, eq=False)
class SlopeAverage(Average):
    """An average slope.

    Parameters
    ----------
    steps : float
        What it lacks of the average rise between neighbouring rows: where a unit has become a step, its rise is in
        no slope.
    """

    steps: float


@dataclass(frozen=True, eq=False)
class NetworkMeans:
    """The mean response of rows under a network.

    Parameters
    ----------
    machine : Machine
    mean : MeanFunction
        Of the linear predictor.
    theta : Tensor, shape (p,)
        The weights, on the device to work on.
    reach : float
        How far neighbouring rows lie apart, in standard deviations of the inputs.
    """

    machine: Machine
    mean: MeanFunction
    theta: Tensor
    reach: float

    def response(self, design: Design, shares: Tensor, *, log: bool) -> Average:
        """Average the mean responses, or their logarithms.

        Parameters
        ----------
        design : Design
            With the whole offset.
        shares : Tensor, shape (n,)
            Weights of the rows.
        log : bool

        Raises
        ------
        DataError
            A logarithm is asked of a mean that is not positive.
        """
        mu = self._means(design) if log else None
        total, gradient = 0.0, torch.zeros_like(self.theta)
        with threads_for(WORK * design.n_rows * len(self.theta)):
            for part, x, offset in self._rows(design):
                weights, f, share = *self._f(x), shares[part].to(x.device)
                eta = self._eta(f, offset)
                values, slope = self.mean.value(eta), self.mean.slope(eta)
                if mu is not None:
                    values, slope = values.log(), slope / values
                total += float((share * values).sum())
                gradient += _pulled((f,), weights, (share * slope * self.machine.unit.scale,))
        return Average(total, gradient.cpu().numpy())

    def slope(self, design: Design, moving: Derivative, shares: Tensor, *, relative: bool) -> SlopeAverage:
        """Average the slopes of the mean response, or of its logarithm, in a column of the data.

        Parameters
        ----------
        design : Design
            With the whole offset.
        moving : Derivative
            Of the design in the column.
        shares : Tensor, shape (n,)
            Weights of the rows, times the column for the slope in its logarithm.
        relative : bool
            Of the logarithm.

        Raises
        ------
        DataError
            A logarithm is asked of a mean that is not positive.
        """
        if relative:
            self._means(design)
        total, steps, gradient = 0.0, 0.0, torch.zeros_like(self.theta)
        with threads_for(2 * WORK * design.n_rows * len(self.theta)):
            for part, x, offset in self._rows(design):
                weights, f, share = *self._f(x.requires_grad_(True)), shares[part].to(x.device)
                way = self._way(x, moving.rows(part.start, part.stop))
                d = way.along(f)
                eta, rate = self._eta(f, offset), self.machine.unit.scale * d.detach() + way.offset
                first, second = self.mean.slope(eta), self.mean.curvature(eta)
                if relative:
                    mu = self.mean.value(eta)
                    share, second = share / mu, second - first**2 / mu
                total += float((share * first * rate).sum())
                steps += float((share * (self._rise(way, offset) - first * rate)).sum())
                pulls = (share * second * rate * self.machine.unit.scale, share * first * self.machine.unit.scale)
                gradient += _pulled((f, d), weights, pulls)
        return SlopeAverage(total, gradient.cpu().numpy(), steps)

    def _means(self, design: Design) -> Tensor:
        """Means of all rows, which have logarithms."""
        mu = self.mean.value(self.machine.eta(design, self.theta.cpu()))
        refuse_not_positive(mu)
        return mu

    def _rows(self, design: Design) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Inputs and offsets of blocks of rows."""
        for part in slices(design.n_rows, self.machine.height):
            some = design.rows(part.start, part.stop)
            offset = None if some.offset is None else some.offset.to(self.theta.device)
            yield part, self.machine.inputs.matrix(some).to(self.theta.device), offset

    def _f(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Weights to be differentiated in, and f of rows."""
        weights = self.theta.detach().requires_grad_(True)
        with torch.enable_grad():
            return weights, self.machine.function.eta(weights, x)

    def _eta(self, f: Tensor, offset: Tensor | None) -> Tensor:
        eta = self.machine.unit.shift + self.machine.unit.scale * f.detach()
        return eta if offset is None else eta + offset

    def _way(self, x: Tensor, moving: Derivative) -> _Way:
        direction = torch.zeros_like(x)
        for part in moving.parts:
            direction = direction + self.machine.inputs.moved(part).to(x.device)
        offset = x.new_zeros(len(x)) if moving.offset is None else moving.offset.to(x.device)
        return _Way(x, direction, offset)

    def _rise(self, way: _Way, offset: Tensor | None) -> Tensor:
        """Rise of the mean over a short way about each row, for each unit of the column, shape (n,)."""
        length = float((way.direction**2).sum(1).mean().sqrt())
        h = self.reach / length if length > 0 else 1.0
        ends = []
        for side in (h, -h):
            with torch.no_grad():
                f = self.machine.function.eta(self.theta, way.x + side * way.direction)
            ends.append(self.mean.value(self._eta(f, offset) + side * way.offset))
        return (ends[0] - ends[1]) / (2 * h)


@dataclass(frozen=True, eq=False)
class _Way:
    """Where rows go when the column moves.

    Parameters
    ----------
    x, direction : Tensor, shape (n, m)
        Inputs, and their derivatives in the column.
    offset : Tensor, shape (n,)
        Derivatives of the offset.
    """

    x: Tensor
    direction: Tensor
    offset: Tensor

    def along(self, f: Tensor) -> Tensor:
        """Derivatives of f of the rows in the column, shape (n,), to be differentiated further."""
        # A row's inputs change no other row's f: the gradient of the sum has those of all.
        with torch.enable_grad():
            (across,) = torch.autograd.grad(f.sum(), self.x, create_graph=True, materialize_grads=True)
            return (across * self.direction).sum(1)


def _pulled(of: tuple[Tensor, ...], weights: Tensor, pulls: tuple[Tensor, ...]) -> Tensor:
    """Products with the transposed derivatives in the weights, shape (p,)."""
    found: Tensor = torch.autograd.grad(of, weights, pulls, materialize_grads=True)[0]
    return found


@dataclass(frozen=True, eq=False)
class NetworkAveraging(Averaging):
    """A scenario to average over, of a network; `params` are its weights.

    Parameters
    ----------
    machine : Machine
    device : torch.device
    reach : float
        As of NetworkMeans.
    """

    machine: Machine
    device: torch.device
    reach: float

    @property
    def _network(self) -> NetworkMeans:
        return NetworkMeans(self.machine, self.mean, as_tensor(self.params, self.device), self.reach)

    def _slopes(self, design: Design, v: int, name: str, how: Method) -> Iterator[Found]:
        slopes = self.population.derivative(name)
        x = as_tensor(self.population.frame.column(name).numbers) if how.per_x else None
        for g, group in enumerate(self.groups):
            shares = self._shares(group.start, group.stop)
            average = self._network.slope(
                design.rows(group.start, group.stop),
                slopes.rows(group.start, group.stop),
                shares if x is None else shares * x[group.start : group.stop],
                relative=how.per_y,
            )
            yield self._found((v, 0, self.place, g), {"term": name, "contrast": how.label}, g, average)

    def _means(self, population: Population, *, log: bool) -> list[Average]:
        design = population.design()
        return [
            self._network.response(design.rows(g.start, g.stop), self._shares(g.start, g.stop), log=log)
            for g in self.groups
        ]

    def _shares(self, start: int, stop: int) -> Tensor:
        own = self.population.weights[start:stop]
        return own / own.sum()
