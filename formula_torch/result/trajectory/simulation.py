"""New responses from a fitted trajectory model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Generator

from formula_torch.data import Frame
from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.families import Family
from formula_torch.formula.recipe import Recipe
from formula_torch.result.trajectory.groups import Groups

__all__ = ["TRUE_GROUP", "simulated"]

TRUE_GROUP = "true_group"


def simulated(
    fit: Groups, frame: Frame, design: Design, codes: np.ndarray, probabilities: np.ndarray, generator: Generator
) -> Iterator[pd.DataFrame]:
    """Draw data set after data set: the rows with new responses, and the group drawn for their unit.

    Parameters
    ----------
    fit : Groups
    frame, design
        Rows, and their design with the whole offset.
    codes : int array, shape (n_rows,)
        Unit of each row.
    probabilities : array, shape (n_units, K)
    generator : Generator

    Raises
    ------
    DataError
        The family is the user's own, or the data have a column of the name of the groups.
    """
    if not isinstance(fit.family, Family):
        raise DataError(
            f"family {fit.family.name!r} is given by its density, which says nothing of how to draw from it."
        )
    if TRUE_GROUP in frame.names:
        raise DataError(f"the data have a column `{TRUE_GROUP}`, which simulate would overwrite; rename it.")
    means, columns, rows = fit.means(design), _other_columns(fit.recipe, frame), np.arange(len(codes))
    while True:
        group = _drawn_groups(probabilities, generator)[codes]
        mean, sigma = torch.from_numpy(means[group, rows]), torch.from_numpy(fit.sigma[group])
        y = fit.family.sample(mean, sigma, generator).numpy()
        table = pd.DataFrame(columns | {fit.recipe.response_name: y}, index=frame.index)
        yield table.assign(**{TRUE_GROUP: group + 1})


def _other_columns(recipe: Recipe, frame: Frame) -> dict[str, Any]:
    """The columns held, without what only the response is made of; its own place is kept."""
    response = recipe.formula.response
    read = set() if response is None else set(response.variables.values())
    gone = read - set(recipe.columns) - {recipe.response_name}
    return {name: _as_given(frame, name) for name in frame.names if name not in gone}


def _as_given(frame: Frame, name: str) -> Any:
    """A column in its own type where that is one of pandas."""
    native = frame.table[name].to_native()
    return (native if isinstance(native, pd.Series) else frame.column(name).to_pandas()).array


def _drawn_groups(probabilities: np.ndarray, generator: Generator) -> np.ndarray:
    """One group from 0 for each unit, by inversion, shape (n_units,)."""
    uniform = torch.rand(len(probabilities), generator=generator, dtype=torch.float64).numpy()
    passed = uniform[:, None] >= np.cumsum(probabilities, axis=1)[:, :-1]
    return np.sum(passed, axis=1)
