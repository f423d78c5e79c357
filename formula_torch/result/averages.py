"""Averages over groups of rows: slopes, contrasts and mean responses, each with what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.data import Frame
from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.inference.margins import Average, MeanFunction, Method, mean_response, mean_slope
from formula_torch.numerics.arrays import as_tensor
from formula_torch.result.population import Population
from formula_torch.result.variation import Variation

__all__ = ["Averaging", "Found", "Group", "sorted_groups"]

Pairs = Callable[[int], list[tuple[int, int]]]


@dataclass(frozen=True, eq=False)
class Group:
    """Consecutive rows over which one average is taken, and the values of `by` they share."""

    labels: dict[str, Any]
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Found:
    """One estimate, what it is, and its place in the table."""

    place: tuple[int, ...]
    what: dict[str, Any]
    average: Average


@dataclass(frozen=True, eq=False)
class Averaging:
    """A scenario to average over.

    Parameters
    ----------
    params : array, shape (k,)
        Zero for aliased columns.
    mean : MeanFunction
    population : Population
        With the columns set that the scenario sets.
    groups : list of Group
    place : int
        Of the scenario in the table.
    shown : dict
        What the table says of the scenario.
    """

    params: np.ndarray
    mean: MeanFunction
    population: Population
    groups: list[Group]
    place: int
    shown: dict[str, Any]

    def effects(self, varied: list[Variation], how: Method, pairs: Pairs) -> Iterator[Found]:
        """Yield the effects of several variables."""
        design = self.population.design()
        for v, variation in enumerate(varied):
            if variation.levels is None:
                yield from self._slopes(design, v, variation.name, how)
            else:
                yield from self._contrasts(v, variation.name, variation.levels, how, pairs)

    def means(self) -> Iterator[Found]:
        """Yield the mean responses of the groups."""
        for g, average in enumerate(self._means(self.population, log=False)):
            yield self._found((self.place, g), {"term": "mean response"}, g, average)

    def _found(self, place: tuple[int, ...], what: dict[str, Any], g: int, average: Average) -> Found:
        return Found(place, {**what, **self.shown, **self.groups[g].labels}, average)

    def _slopes(self, design: Design, v: int, name: str, how: Method) -> Iterator[Found]:
        slopes = self.population.derivative(name)
        x = as_tensor(self.population.frame.column(name).numbers) if how.per_x else None
        for g, group in enumerate(self.groups):
            part = slice(group.start, group.stop)
            average = mean_slope(
                design.rows(group.start, group.stop),
                slopes.rows(group.start, group.stop),
                self.params,
                self.mean,
                self.population.weights[part],
                x=None if x is None else x[part],
                relative=how.per_y,
            )
            yield self._found((v, 0, self.place, g), {"term": name, "contrast": how.label}, g, average)

    def _contrasts(self, v: int, name: str, levels: tuple[Any, ...], how: Method, pairs: Pairs) -> Iterator[Found]:
        means = [self._means(self.population.set({name: level}), log=how.per_y) for level in levels]
        for part, (high, low) in enumerate(pairs(len(levels))):
            what = {"term": name, "contrast": f"{levels[high]} - {levels[low]}"}
            for g in range(len(self.groups)):
                yield self._found((v, part, self.place, g), what, g, means[high][g] - means[low][g])

    def _means(self, population: Population, *, log: bool) -> list[Average]:
        design, weights = population.design(), population.weights
        return [
            mean_response(design.rows(g.start, g.stop), self.params, self.mean, weights[g.start : g.stop], log=log)
            for g in self.groups
        ]


def sorted_groups(frame: Frame, names: list[str]) -> tuple[np.ndarray, list[Group]]:
    """Order of the rows by group, shape (n,), and the groups that then are consecutive."""
    factors = [frame.column(name).factor.compact() for name in names]
    for name, factor in zip(names, factors, strict=True):
        if (factor.codes < 0).any():
            raise DataError(
                f"by: `{name}` is missing in {int((factor.codes < 0).sum())} of {frame.n_rows} rows (first: row "
                f"{int(np.flatnonzero(factor.codes < 0)[0])}); fill it, or leave these rows out."
            )
    cells, member = np.unique(np.stack([f.codes for f in factors], axis=1), axis=0, return_inverse=True)
    order = np.argsort(member, kind="stable")
    stops = np.cumsum(np.bincount(member.ravel(), minlength=len(cells)))
    groups = []
    for cell, start, stop in zip(cells, np.concatenate([[0], stops[:-1]]), stops, strict=True):
        labels = {name: f.levels[code] for name, f, code in zip(names, factors, cell, strict=True)}
        groups.append(Group(labels, int(start), int(stop)))
    return order, groups
