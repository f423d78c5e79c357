"""Where the climb of a density of one's own begins, and what is wrong with the density there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.families.density import Density
from formula_torch.families.several.protocol import Derivatives, Predictor

__all__ = ["constants", "refused_at"]

# Constants are compared on so many rows, which are spread over the data.
ROWS = 2_000
# Log-densities evaluated to compare constants, at most; with many parameters the rows are fewer.
EVALUATIONS = 2_000_000
# Rows that are differentiated at once.
BLOCK = 65_536
# How many rows a message names.
SHOWN = 5
OUTSIDE = "Take such rows out, refuse them by refuse=, or begin elsewhere by start=."
BRANCHES = (
    "torch.where takes derivatives of what it does not choose too: keep arguments of log, sqrt and powers inside their "
    "range in both branches."
)


class _Stated(Protocol):
    """A family whose log-density is the user's."""

    @property
    def density(self) -> Density: ...

    @property
    def predictors(self) -> tuple[Predictor, ...]: ...

    def value(self, y: Tensor, eta: Tensor) -> Tensor: ...

    def loglik(self, y: Tensor, eta: Tensor) -> Tensor: ...

    def derivatives(self, y: Tensor, eta: Tensor) -> Derivatives: ...


# -- constants ------------------------------------------------------------------------------------


def constants(family: _Stated, y: Tensor) -> Tensor:
    """Predictors to begin from, shape (m,): the user's, and otherwise the most likely of a few.

    The linear predictor may be zero, or the mean of the response on a usual scale; a positive parameter one, the
    standard deviation of the response, or ten; any other zero.

    Raises
    ------
    DataError
        The density raises an error at all of them.
    """
    choices = list(itertools.product(*_choices(family, y[:, 0] if y.ndim == 2 else y)))
    rows = max(min(ROWS, EVALUATIONS // len(choices)), 1)
    some = y[:: max(len(y) // rows, 1)]
    best, highest, failed = choices[0], (-1.0, -math.inf), None
    for choice in choices if len(choices) > 1 else ():
        try:
            with torch.no_grad():
                values = family.value(some, _spread(choice, some))
        except ValueError as error:
            # torch's distributions raise one where a parameter is outside its range: this is no place to begin.
            failed = error
            continue
        known = values.isfinite()
        if (found := (float(known.sum()), float(values[known].sum()))) > highest:
            best, highest = choice, found
    if failed is not None and highest[0] < 0:
        raise DataError(
            f"log_density of family={family.density.name!r} fails wherever it is begun from: {_first_line(failed)}. "
            "Give start=, or look at the values of the response."
        ) from failed
    return torch.tensor(best, dtype=y.dtype, device=y.device)


def _first_line(error: Exception) -> str:
    """Without the values that torch lists below."""
    return str(error).partition("\n")[0].rstrip(":.")


def _spread(values: Sequence[float] | Tensor, y: Tensor) -> Tensor:
    """Constants in every row, shape (m, n)."""
    return torch.as_tensor(values, dtype=y.dtype, device=y.device)[:, None].expand(-1, len(y))


def _choices(family: _Stated, y: Tensor) -> list[list[float]]:
    """What each predictor may begin from."""
    main, *further = family.predictors
    spread = float(y.std(correction=0))
    scales = [1.0, 10.0, *([spread] if 0 < spread < math.inf else [])]
    given = family.density.start
    found = [[given[main.name]] if main.name in given else _means(y)]
    for predictor in further:
        own = [given[predictor.name]] if predictor.name in given else scales if predictor.positive else [0.0]
        found.append([math.log(value) for value in own] if predictor.positive else own)
    return found


def _means(y: Tensor) -> list[float]:
    """Zero, and the mean of the response as it is, its logarithm and its log odds, where they exist."""
    mean = float(y.mean())
    found = [0.0, mean]
    if mean > 0:
        found.append(math.log(mean))
    if 0 < mean < 1:
        found.append(math.log(mean / (1 - mean)))
    return found


# -- what is wrong there --------------------------------------------------------------------------


def refused_at(family: _Stated, y: Tensor, begin: Tensor) -> str:
    """What is wrong with the log-density and its derivatives where the climb begins, or an empty text.

    Parameters
    ----------
    family : family of a density of one's own
    y : Tensor, shape (n,) or (n, columns)
    begin : Tensor, shape (m,)
        The same in every row.

    Raises
    ------
    DataError
        The log-density of a row changes with the other rows, does not depend on a parameter, or is not curved in it.
    """
    _check_alone(family, y, begin)
    names = [p.name for p in family.predictors]
    tables = [_table(family, block, begin) for block in torch.split(y, BLOCK)]
    lost = torch.cat([~table.isfinite() for table in tables], dim=1)
    labels = ["log-density", *(f"derivative of the log-density in {name}" for name in names)]
    labels += [f"second derivative of the log-density in {name}" for name in names]
    for label, rows in zip(labels, lost, strict=True):
        if rows.any():
            advice = BRANCHES if label in labels[1:] else OUTSIDE
            return (
                f"has a {label} that is no finite number in {_rows(y, rows)}, where {_place(family, begin)}. {advice}"
            )
    moving = torch.stack([(table != 0).any(1) for table in tables]).any(0)[1:].tolist()
    for name, depends, curved in zip(names, moving, moving[len(names) :], strict=False):
        if not depends:
            raise DataError(f"the log-density of family={family.density.name!r} does not depend on {name}.")
        if not curved:
            raise DataError(
                f"the second derivative of the log-density of family={family.density.name!r} in {name} is zero in "
                "every row: it has straight pieces, and errors need curvature. Make it smooth, as "
                "torch.sqrt(r**2 + 1e-4) in place of torch.abs(r)."
            )
    return ""


def _table(family: _Stated, y: Tensor, begin: Tensor) -> Tensor:
    """Log-densities of rows, then first and second derivatives in each predictor, shape (1 + 2 m, n)."""
    found = family.derivatives(y, _spread(begin, y))
    second = [found.second(j, j) for j in range(len(begin))]
    return torch.stack([found.value, *found.first, *(row for row in second if row is not None)])


def _check_alone(family: _Stated, y: Tensor, begin: Tensor) -> None:
    """Raise where the log-density of a row is another one without the rows after it."""
    some = y[:ROWS]
    half = some[: len(some) // 2]
    if not len(half):
        return
    whole, alone = (family.loglik(part, _spread(begin, part)) for part in (some, half))
    if not torch.allclose(whole[: len(half)], alone, rtol=1e-9, atol=1e-12, equal_nan=True):
        raise DataError(
            f"the log-density of a row of family={family.density.name!r} changes with the other rows, as by a mean or "
            "a sum over y; rows are evaluated in blocks, and each must stand alone."
        )


def _rows(y: Tensor, lost: Tensor) -> str:
    """Which rows are meant, with the first response."""
    places = lost.nonzero()[:, 0].tolist()
    shown = ", ".join(map(str, places[:SHOWN])) + (", ..." if len(places) > SHOWN else "")
    values = ", ".join(f"{value:g}" for value in y[places[0]].reshape(-1).tolist())
    return f"{len(places)} of the {len(y)} rows used (from 0: {shown}; the first has {values})"


def _place(family: _Stated, begin: Tensor) -> str:
    natural = [math.exp(b) if p.positive else b for p, b in zip(family.predictors, begin.tolist(), strict=True)]
    return ", ".join(f"{p.name} = {value:.4g}" for p, value in zip(family.predictors, natural, strict=True))
