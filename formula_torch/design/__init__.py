"""Floor 2: the design as blocks, and their products."""

from formula_torch.design.blocks import Bases, Coding, FactorBlock, NumericBlock, Product
from formula_torch.design.design import BATCH_ROWS, Design

__all__ = ["BATCH_ROWS", "Bases", "Coding", "Design", "FactorBlock", "NumericBlock", "Product"]
