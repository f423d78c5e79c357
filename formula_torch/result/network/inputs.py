"""What a network is fed: the columns of a design, about their means and in units of their standard deviations."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from formula_torch.design import Design
from formula_torch.design.auxiliary import without_columns
from formula_torch.design.design import refuse_large
from formula_torch.design.unit_columns import UnitColumns

__all__ = ["Inputs"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The map from a design to the matrix that a network takes.

    Parameters
    ----------
    columns : UnitColumns
        Of the columns that are not left out.
    left_out : tuple of int
        The constant column, where the network has constants of its own.
    names : tuple of str
        Of the inputs.
    """

    columns: UnitColumns
    left_out: tuple[int, ...]
    names: tuple[str, ...]

    @staticmethod
    def of(design: Design, *, takes_constant: bool) -> Inputs:
        """Measure the columns of a design."""
        left_out = () if takes_constant or design.constant is None else (design.constant,)
        some = without_columns(design, left_out)
        return Inputs(UnitColumns.of(some, centred=True), left_out, some.names)

    def matrix(self, design: Design) -> Tensor:
        """Return the inputs of the rows of a design, shape (n, m); NaN where a value is missing.

        Raises
        ------
        DataError
            The matrix would take more than 4 GiB.
        """
        refuse_large(design.n_rows, design.k, "the matrix of inputs")
        return self.columns.standardised(without_columns(design, self.left_out)).block().mT.contiguous()

    def moved(self, slopes: Design) -> Tensor:
        """Return derivatives of the inputs from those of the columns, shape (n, m)."""
        some = without_columns(slopes, self.left_out)
        dense = some.block().mT
        return dense * dense.new_tensor(self.columns.scales)
