"""How the rows of a model of several predictors become its likelihood: once when fitted, again for its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from formula_torch.design import Coordinates, Design
from formula_torch.design.parts import Part, constant_part, part_of
from formula_torch.design.stacked import Stacked
from formula_torch.families.several import SeveralFamily
from formula_torch.models.several import SeveralModel
from formula_torch.result.several.layout import key_of

__all__ = ["Blueprint"]


@dataclass(frozen=True, eq=False)
class Blueprint:
    """A family, and the coordinates of the columns that its predictors take.

    Parameters
    ----------
    family : SeveralFamily
    coordinates : dict
        Of the main formula under "", of others under their predictor.
    total : float
        Sum of the weights.
    """

    family: SeveralFamily
    coordinates: Mapping[str, Coordinates]
    total: float

    def model(self, designs: Mapping[str, Design]) -> SeveralModel:
        """Return the likelihood of rows.

        Parameters
        ----------
        designs : dict
            Under the names of `coordinates`; that under "" has the response, weights and offset.
        """
        main = designs[""]
        assert main.y is not None
        keys = [key_of(predictor, self.coordinates) for predictor in self.family.predictors]
        distinct = list(dict.fromkeys(keys))
        parts = tuple(self._part(key, designs) for key in distinct)
        offsets = tuple(None if key is None else designs[key].offset for key in keys)
        stacked = Stacked(parts, tuple(distinct.index(key) for key in keys), offsets)
        return SeveralModel(self.family, stacked, main.y, main.weights)

    def without(self, predictor: str) -> Blueprint | None:
        """The simpler family where a predictor goes to minus infinity; None where there is none."""
        simpler = self.family.without(predictor)
        kept = {key: own for key, own in self.coordinates.items() if key != predictor}
        return None if simpler is None else Blueprint(simpler, kept, self.total)

    def _part(self, key: str | None, designs: Mapping[str, Design]) -> Part:
        if key is None:
            return constant_part(designs[""])
        part = part_of(designs[key], self.coordinates[key], self.total)
        return part.without_constant() if key == "" and self.family.cutpoints else part
