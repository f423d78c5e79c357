"""The rows over which effects are averaged, under every formula of a model."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from formula_torch.data import Frame, as_frame
from formula_torch.design import Design
from formula_torch.errors import DataError
from formula_torch.formula.sample import log_exposure, row_values
from formula_torch.result.population import Population, population_of
from formula_torch.result.several.prediction import SeveralPredictions
from formula_torch.result.variation import Variation, scenarios, variations

__all__ = ["Populations", "own_populations", "populations_of_new"]


@dataclass(frozen=True, eq=False)
class Populations:
    """Rows of the data as each formula reads them.

    Parameters
    ----------
    each : dict
        Of the main formula under "", of others under their predictor.
    """

    each: Mapping[str, Population]

    @property
    def main(self) -> Population:
        """The rows as the main formula reads them."""
        return self.each[""]

    @property
    def weights(self) -> Tensor:
        """Weights of the rows, shape (n,)."""
        return self.main.weights

    def knowing(self, name: str) -> Population:
        """The first formula that uses a column; the main one where none does."""
        return next((p for p in self.each.values() if name in p.variables), self.main)

    def variations(self, asked: Any) -> list[Variation]:
        """Read ``variables=``; by default every variable of every formula."""
        if asked is None:
            found: dict[str, Variation] = {}
            for own in itertools.chain.from_iterable(variations(p, None) for p in self.each.values()):
                if found.get(own.name, own).levels is None:
                    found[own.name] = own
            return list(found.values())
        names = [asked] if isinstance(asked, str) else list(asked)
        given = asked if isinstance(asked, Mapping) else dict.fromkeys(names)
        return [variations(self.knowing(name), {name: given[name]})[0] for name in names]

    def scenarios(self, at: Any) -> list[dict[str, Any]]:
        """Read ``at=``: what each scenario sets."""
        if isinstance(at, str):
            return [{k: v for p in self.each.values() for k, v in scenarios(p, at)[0].items()}]
        if not isinstance(at, Mapping):
            frame = as_frame(at)
            table = {name: frame.column(name).to_pandas().tolist() for name in frame.names}
            for name, values in table.items():
                scenarios(self.knowing(name), {name: values})
            return [{name: values[i] for name, values in table.items()} for i in range(frame.n_rows)]
        # One column at a time, each read by a formula that uses it; then all combinations.
        parts = [scenarios(self.knowing(name), {name: value}) for name, value in at.items()]
        if not parts:
            return scenarios(self.main, at)
        return [{k: v for one in chosen for k, v in one.items()} for chosen in itertools.product(*parts)]

    def set(self, values: Mapping[str, Any]) -> Populations:
        """Return the same rows with some columns set to one value each."""
        known = {key: {k: v for k, v in values.items() if k in p.table.columns} for key, p in self.each.items()}
        return Populations({key: p.set(known[key]) for key, p in self.each.items()})

    def take(self, order: np.ndarray) -> Populations:
        """Return the rows in another order, or some of them."""
        return Populations({key: p.take(order) for key, p in self.each.items()})

    def designs(self) -> dict[str, Design]:
        """Designs of the rows, that of the main formula with the whole offset."""
        return {key: p.design() for key, p in self.each.items()}


def own_populations(fit: SeveralPredictions) -> Populations:
    """Return the rows of a fit, with its weights and its offset."""
    rows = fit.held_rows("marginal effects without newdata=")
    rows.verify()
    frame, used = rows.used_frame(), rows.sample.used
    offset = None if rows.offset is None else row_values(rows.offset, rows.frame, "offset")[used]
    if rows.exposure is not None:
        logs = log_exposure(row_values(rows.exposure, rows.frame, "exposure")[used])
        offset = logs if offset is None else offset + logs
    return _of(fit, frame, rows.weight_values(), offset, frame)


def populations_of_new(fit: SeveralPredictions, newdata: Any) -> Populations:
    """Return new rows, each with a weight of one.

    Raises
    ------
    DataError
        The fit has an offset or exposure that new rows cannot have, or there is no row.
    """
    frame = as_frame(newdata)
    if not frame.n_rows:
        raise DataError("newdata have no rows: there is nothing to average over.")
    parts = []
    for what, named in (("offset", fit.offset), ("exposure", fit.exposure)):
        if named is True:
            raise DataError(
                f"the model was fitted with an array as {what}, which newdata do not have; give the {what} as a column "
                f"when fitting: {what}='name'."
            )
        if isinstance(named, str):
            values = row_values(named, frame, what)
            parts.append(log_exposure(values) if what == "exposure" else values)
    fitted = None if fit.rows is None else fit.rows.used_frame()
    return _of(fit, frame, None, np.sum(parts, axis=0) if parts else None, fitted)


def _of(
    fit: SeveralPredictions,
    frame: Frame,
    weights: np.ndarray | None,
    offset: np.ndarray | None,
    fitted: Frame | None,
) -> Populations:
    each = {
        key: population_of(recipe, frame, weights, offset if key == "" else None, fitted)
        for key, recipe in fit.recipes.items()
    }
    return Populations(each)
