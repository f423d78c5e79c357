"""Names and places of the parameters of several predictors, and the way from theta to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from formula_torch.design.stacked import Stacked
from formula_torch.families.several import Predictor, SeveralFamily

__all__ = ["Layout", "key_of", "layout_of", "lifted", "sizes_of"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the parameters of each predictor lie in the flat vector.

    Parameters
    ----------
    names, components : tuple of str, length P
        Names, and what each describes.
    positive : bool array, shape (P,)
        Parameters fitted through their logarithm.
    columns : dict
        Predictor to the positions of the coefficients of its columns; -1 for a column that has none.
    """

    names: tuple[str, ...]
    components: tuple[str, ...]
    positive: np.ndarray
    columns: Mapping[str, np.ndarray]

    @property
    def size(self) -> int:
        """Number of parameters, aliased ones included."""
        return len(self.names)

    def read(self, params: np.ndarray, predictor: str) -> np.ndarray:
        """Coefficients of the columns of a predictor on its own scale, shape (k,); zero for aliased ones."""
        where = self.columns[predictor]
        own = params[where]
        logged = np.where(self.positive[where], np.log(np.where(self.positive[where], own, 1.0)), own)
        return np.where(where < 0, 0.0, np.nan_to_num(logged))

    def spread(self, gradient: np.ndarray, predictor: str) -> np.ndarray:
        """Put derivatives in the coefficients of a predictor among those of all, shape (m, k) to (m, P)."""
        where = self.columns[predictor]
        out = np.zeros((len(gradient), self.size))
        out[:, where[where >= 0]] = gradient[:, where >= 0]
        return out


def key_of(predictor: Predictor, further: Mapping[str, object]) -> str | None:
    """Which design a predictor takes: "" for the main formula, its own name for one of its own, None: a constant."""
    if predictor.takes == "main":
        return ""
    return predictor.name if predictor.name in further else None


def layout_of(family: SeveralFamily, names: Mapping[str, tuple[str, ...]], constant: int | None) -> Layout:
    """Name the parameters.

    Parameters
    ----------
    family : SeveralFamily
    names : dict
        Names of the columns: of the main formula under "", of others under their predictor.
    constant : int or None
        Position of the constant among the columns of the main formula.
    """
    found: list[str] = []
    components: list[str] = []
    positive: list[bool] = []
    columns: dict[str, np.ndarray] = {}
    for predictor in family.predictors:
        own = _own_names(predictor, names)
        dropped = constant if family.cutpoints and predictor.takes == "main" else None
        places = [-1 if j == dropped else 0 for j in range(len(own))]
        kept = [name for name, place in zip(own, places, strict=True) if place == 0]
        where = np.array(places)
        where[where == 0] = len(found) + np.arange(len(kept))
        columns[predictor.name] = where
        found += kept
        components += [predictor.component] * len(kept)
        positive += [predictor.positive and predictor.name not in names] * len(kept)
    return Layout(tuple(found), tuple(components), np.array(positive, dtype=bool), columns)


def _own_names(predictor: Predictor, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    key = key_of(predictor, names)
    if key is not None:
        return [predictor.prefix + name for name in names[key]]
    alone = predictor.positive or predictor.takes == "constant"
    return [predictor.name if alone else f"{predictor.prefix}Intercept"]


def sizes_of(
    layout: Layout, family: SeveralFamily, stacked: Stacked, params: np.ndarray, information: np.ndarray
) -> np.ndarray:
    """Units of theta, shape (size,): one, but of the logarithm of a number below one that number.

    Of a predictor that is no logarithm, one over the error that a row alone would leave.

    Parameters
    ----------
    layout : Layout
    family : SeveralFamily
        That of `stacked`, whose predictors are among those of the layout.
    stacked : Stacked
    params : array, shape (P,)
    information : array, shape (size, size)
        Of a row with a weight of one, on average.
    """
    sizes = np.ones(stacked.size)
    for predictor, block in zip(family.predictors, stacked.blocks, strict=True):
        own = layout.columns[predictor.name]
        if layout.positive[own].all():
            sizes[block] = min(1.0, float(params[own[0]]))
        elif not predictor.logarithmic and (curvature := float(np.diag(information)[block].mean())) > 0:
            sizes[block] = np.sqrt(curvature)
    return sizes


def lifted(layout: Layout, family: SeveralFamily, stacked: Stacked) -> np.ndarray:
    """Parameters on the scale of the predictors as functions of theta, shape (P, size): NaN rows where aliased.

    Parameters
    ----------
    layout : Layout
    family : SeveralFamily
        That of `stacked`, whose predictors are among those of the layout.
    stacked : Stacked
    """
    lift = np.full((layout.size, stacked.size), np.nan)
    main = stacked.parts[stacked.owner[0]]
    for predictor, owner, block in zip(family.predictors, stacked.owner, stacked.blocks, strict=True):
        where = layout.columns[predictor.name]
        own = np.zeros((len(where), stacked.size))
        own[:, block] = stacked.parts[owner].lift
        if family.cutpoints and predictor.takes == "constant":
            # What the columns about their means leave in the place of the constant goes to the cutpoints.
            constant = main.design.constant
            own[:, stacked.blocks[0]] -= main.lift[constant]
        lift[where[where >= 0]] = own[where >= 0]
    return lift
