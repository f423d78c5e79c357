"""Designs with further columns, for regressions that test another regression, and with fewer.

Further columns are products of bases and codings of cells, as those of a formula are:
a product of factors is a factor, and nothing is written out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from formula_torch.design.blocks import Bases, Coding, FactorBlock, NumericBlock, Product
from formula_torch.design.design import Design
from formula_torch.errors import DataError

__all__ = ["augmented", "constant_alone", "cross_products", "with_constant", "with_powers", "without_columns"]


@dataclass(frozen=True)
class _Columns:
    """Columns of one block: a product of bases, times the columns of a coding of cells unless that is None."""

    value: Product
    names: tuple[str, ...]
    codes: Tensor | None = None
    cells: str = ""
    coding: Coding | None = None

    @property
    def kept(self) -> np.ndarray | None:
        """Cells that the columns indicate, if they do."""
        return None if self.coding is None else self.coding.kept

    @property
    def key(self) -> tuple[Product, str, bytes]:
        """What the columns are."""
        if self.coding is None:
            return self.value, self.cells, b""
        return self.value, self.cells, self.coding.table().tobytes() if self.kept is None else self.kept.tobytes()


def _blocks(design: Design) -> list[_Columns]:
    numeric = zip(design.numeric.products, design.numeric.columns, strict=True)
    blocks = [_Columns(product, (design.names[column],)) for product, column in numeric]
    for f in design.factors:
        names = tuple(design.names[j] for j in f.columns)
        blocks.append(_Columns(f.value or (), names, f.codes, f.cells, f.coding))
    return blocks


def _appended(design: Design, blocks: Sequence[_Columns], bases: Bases = ()) -> Design:
    """Append blocks, whose products count the design's bases first, then the new ones."""
    products, factors = [b for b in blocks if b.coding is None], [b for b in blocks if b.coding is not None]
    start, old = design.k + len(products), design.numeric
    numeric = NumericBlock(
        (*old.products, *(b.value for b in products)),
        np.concatenate([old.columns, np.arange(design.k, start)]),
        np.concatenate([old.shift, np.zeros(len(products))]),
        np.concatenate([old.scale, np.ones(len(products))]),
    )
    coded = []
    for b in factors:
        assert b.codes is not None
        assert b.coding is not None
        columns = np.arange(start, start + b.coding.width)
        coded.append(FactorBlock(b.codes, b.cells, b.coding, b.value or None, columns))
        start += b.coding.width
    names = itertools.chain(design.names, *(b.names for b in [*products, *factors]))
    return replace(
        design,
        names=tuple(names),
        bases=(*design.bases, *bases),
        numeric=numeric,
        factors=(*design.factors, *coded),
    )


def augmented(design: Design, bases: Bases, powers: Sequence[int], names: Sequence[str]) -> Design:
    """Append powers of further bases, each of each.

    Parameters
    ----------
    design : Design
    bases : tuple of Tensor, shape (n,) each
    powers : sequence of int
    names : sequence of str
        Of the bases.
    """
    named = list(enumerate(names, len(design.bases)))
    blocks = [_Columns((i,) * p, (name if p == 1 else f"{name}**{p}",)) for p in powers for i, name in named]
    return _appended(design, blocks, bases)


def with_constant(design: Design) -> Design:
    """Append the constant 1."""
    return _appended(design, [_Columns((), ("Intercept",))])


def without_columns(design: Design, columns: Collection[int]) -> Design:
    """Drop columns; a factor that keeps some of its own stays codes.

    Parameters
    ----------
    design : Design
    columns : collection of int
        Positions in the parameter vector.
    """
    stays = np.ones(design.k, dtype=bool)
    stays[list(columns)] = False
    moved = np.cumsum(stays) - 1
    factors = (_narrowed(f, stays[f.columns], moved) for f in design.factors)
    old, kept = design.numeric, stays[design.numeric.columns]
    numeric = NumericBlock(
        tuple(itertools.compress(old.products, kept)), moved[old.columns[kept]], old.shift[kept], old.scale[kept]
    )
    return replace(
        design,
        names=tuple(itertools.compress(design.names, stays)),
        numeric=numeric,
        factors=tuple(f for f in factors if len(f.columns)),
    )


def _narrowed(f: FactorBlock, stays: np.ndarray, moved: np.ndarray) -> FactorBlock:
    """Return a factor with some of its columns, at their new positions."""
    kept, matrix = f.coding.kept, f.coding.matrix
    coding = Coding(
        f.coding.n_cells,
        kept=None if kept is None else kept[stays],
        matrix=None if matrix is None else matrix[:, stays],
    )
    return replace(f, coding=coding, columns=moved[f.columns[stays]])


def constant_alone(design: Design) -> Design:
    """Return the design of a constant, with the same response, weights and offset."""
    block = NumericBlock(((),), np.zeros(1, dtype=np.intp), np.zeros(1), np.ones(1))
    return replace(design, names=("Intercept",), bases=(), numeric=block, factors=())


def with_powers(design: Design, powers: Sequence[int]) -> Design:
    """Append powers of the columns; indicators and numbers of no more than two values are left out."""
    chosen = [b for b in _blocks(design) if not _two_valued(design.bases, b)]
    return _appended(design, [_power(b, p) for p in powers for b in chosen])


def _two_valued(bases: Bases, b: _Columns) -> bool:
    """Whether a block is of indicators, or a number that takes at most two values."""
    if b.coding is not None:
        return b.kept is not None and not b.value
    if not b.value:
        return True
    values = math.prod((bases[i] for i in b.value[1:]), start=bases[b.value[0]])
    return bool(((values == values.max()) | (values == values.min())).all())


def _power(b: _Columns, p: int) -> _Columns:
    coding = b.coding
    if coding is not None and coding.matrix is not None:
        coding = replace(coding, matrix=coding.matrix**p)
    return replace(b, value=b.value * p, names=tuple(f"({name})**{p}" for name in b.names), coding=coding)


def cross_products(design: Design, most: int) -> Design:
    """Return the design of all products of two columns, squares included, without response and weights.

    Products that are zero or known to be another are left out: of indicators of one factor.

    Parameters
    ----------
    design : Design
    most : int
        Columns to build.

    Raises
    ------
    DataError
        There would be more.
    """
    found: dict[tuple[Product, str, bytes], _Columns] = {}
    count = 0
    for one, two in itertools.combinations_with_replacement(_blocks(design), 2):
        if count + _width(one, two) > most:
            raise DataError(f"{design.k} columns have more than {most:,} different products, too many to regress on.")
        product = _product(one, two)
        if product.names and product.key not in found:
            found[product.key] = product
            count += len(product.names)
    empty = NumericBlock((), np.zeros(0, dtype=np.intp), np.zeros(0), np.zeros(0))
    return _appended(Design((), design.n_rows, design.bases, empty, ()), list(found.values()))


def _width(one: _Columns, two: _Columns) -> int:
    """Columns of a product, before it is built; at least those of the wider block where they share their cells."""
    alike = one.cells == two.cells and one.kept is not None and two.kept is not None
    return max(len(one.names), len(two.names)) if alike else len(one.names) * len(two.names)


def _product(one: _Columns, two: _Columns) -> _Columns:
    value = tuple(sorted(one.value + two.value))
    if one.coding is None or two.coding is None:
        coded = two if one.coding is None else one
        return replace(coded, value=value, names=_pairs(one.names, two.names))
    if one.cells != two.cells:
        return _crossed(one, two, value)
    if one.kept is not None and two.kept is not None:
        shared, at, also_at = np.intersect1d(one.kept, two.kept, return_indices=True)
        names = tuple(f"{one.names[i]} * {two.names[j]}" for i, j in zip(at, also_at, strict=True))
        return replace(one, value=value, names=names, coding=Coding(one.coding.n_cells, kept=shared))
    tables = two.coding.table()[:, :, None] * one.coding.table()[:, None, :]
    coding = Coding(one.coding.n_cells, matrix=tables.reshape(one.coding.n_cells, -1))
    return replace(one, value=value, names=_pairs(one.names, two.names), coding=coding)


def _crossed(one: _Columns, two: _Columns, value: Product) -> _Columns:
    """Cells of two factors, the first varying fastest."""
    assert one.coding is not None
    assert two.coding is not None
    assert one.codes is not None
    assert two.codes is not None
    n = one.coding.n_cells
    codes = one.codes.long() + n * two.codes.long()
    if one.kept is not None and two.kept is not None:
        kept = (one.kept + n * two.kept[:, None]).ravel()
        coding = Coding(n * two.coding.n_cells, kept=kept)
    else:
        coding = Coding(n * two.coding.n_cells, matrix=np.kron(two.coding.table(), one.coding.table()))
    return _Columns(value, _pairs(one.names, two.names), codes, f"{one.cells}:{two.cells}", coding)


def _pairs(one: Sequence[str], two: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{a} * {b}" for b in two for a in one)
