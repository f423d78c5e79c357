"""Floor 2: the design as blocks, and their products."""

from formula_torch.design.batch import Batch
from formula_torch.design.blocks import Bases, Coding, FactorBlock, NumericBlock, Product
from formula_torch.design.coordinates import Coordinates
from formula_torch.design.design import BATCH_ROWS, Design
from formula_torch.design.scores import RowScores

__all__ = [
    "BATCH_ROWS",
    "Bases",
    "Batch",
    "Coding",
    "Coordinates",
    "Design",
    "FactorBlock",
    "NumericBlock",
    "Product",
    "RowScores",
]
