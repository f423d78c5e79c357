"""How each expression becomes columns, and the design that the pieces make of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from formula_torch.data import Factor
from formula_torch.design import Coding, Design, FactorBlock, NumericBlock, Product
from formula_torch.errors import DataError
from formula_torch.formula.contrasts import Contrast
from formula_torch.formula.conventions import OURS, Conventions
from formula_torch.formula.pieces import Piece, Term
from formula_torch.formula.values import Basis
from formula_torch.numerics.arrays import as_tensor

__all__ = ["Encoding", "Levels", "Monomial", "Numbers", "assemble", "assembled", "column_names"]


@dataclass(frozen=True)
class Monomial:
    """Products of numeric columns: ``x``, ``I(x**3)``, ``I(x*z)``, ``poly(x, 3, raw=True)``."""

    text: str
    products: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] | None

    @property
    def names(self) -> list[str]:
        """Column names."""
        return _labelled(self.text, self.labels)

    @property
    def columns(self) -> list[str]:
        """The data columns, each once."""
        return list(dict.fromkeys(name for product in self.products for name in product))


@dataclass(frozen=True)
class Numbers:
    """One or several numeric columns of an evaluated expression."""

    text: str
    labels: tuple[str, ...] | None

    @property
    def names(self) -> list[str]:
        """Column names."""
        return _labelled(self.text, self.labels)


def _labelled(text: str, labels: tuple[str, ...] | None) -> list[str]:
    return [text] if labels is None else [f"{text}[{label}]" for label in labels]


@dataclass(frozen=True)
class Levels:
    """A factor: its levels and their contrast."""

    text: str
    levels: tuple[Any, ...]
    contrast: Contrast
    conventions: Conventions = OURS

    def names_when(self, reduced: bool) -> list[str]:
        """Column names; where the factor is not reduced, dummies for every level or the contrast and its mean."""
        if reduced:
            labels = self.contrast.labels(self.levels, self.conventions.shown(self.levels))
        elif self._mean_stays:
            labels = self.contrast.labels_with_mean(self.levels, self.conventions.shown(self.levels))
        else:
            labels = [f"[{level}]" for level in self.conventions.shown(self.levels)]
        return [self.text + label for label in labels]

    @property
    def _mean_stays(self) -> bool:
        return self.conventions.contrasts_keep_mean and self.contrast.kept(self.levels) is None

    def coding(self, reduced: bool) -> Coding:
        """Return the coding of the levels; indicators wherever they do."""
        n = len(self.levels)
        if not reduced and self._mean_stays:
            return Coding(n, matrix=self.contrast.coding_with_mean(self.levels))
        if not reduced or n == 1:
            return Coding(n, kept=np.arange(0 if reduced else n))
        kept = self.contrast.kept(self.levels)
        return Coding(n, kept=kept) if kept is not None else Coding(n, matrix=self.contrast.coding(self.levels))


Encoding = Monomial | Numbers | Levels


def _names_of(encoding: Encoding, reduced: bool) -> list[str]:
    return encoding.names_when(reduced) if isinstance(encoding, Levels) else encoding.names


def column_names(terms: Iterable[Term], encodings: Mapping[str, Encoding]) -> dict[Piece, tuple[str, ...]]:
    """Names of the columns of every piece; within a product the first factor varies fastest, as in R."""
    names = {}
    for piece in (p for term in terms for p in term.pieces):
        parts = [_names_of(encodings[key], reduced) for key, reduced in piece.factors]
        products = (":".join(combination[::-1]) for combination in itertools.product(*parts[::-1]))
        names[piece] = tuple(products) if parts else ("Intercept",)
    return names


@dataclass
class _Assembly:
    """The blocks under construction."""

    values: Mapping[str, Any]
    encodings: Mapping[str, Encoding]
    bases: list[Tensor] = field(default_factory=list)
    where: dict[Any, int] = field(default_factory=dict)
    products: list[Product] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    factors: list[FactorBlock] = field(default_factory=list)
    codings: dict[tuple[tuple[str, bool], ...], Coding] = field(default_factory=dict)
    joint: dict[tuple[str, ...], Tensor] = field(default_factory=dict)

    def base(self, key: Any, array: np.ndarray) -> int:
        if key not in self.where:
            self.where[key] = len(self.bases)
            self.bases.append(as_tensor(array))
        return self.where[key]

    def numeric_products(self, key: str) -> list[Product]:
        encoding = self.encodings[key]
        if isinstance(encoding, Monomial):
            arrays = self.values[key]
            return [tuple(self.base(name, arrays[name]) for name in product) for product in encoding.products]
        value = self.values[key]
        columns = value.columns if isinstance(value, Basis) else (value,)
        expected = len(_names_of(encoding, reduced=False))
        if len(columns) != expected:
            raise DataError(f"`{encoding.text}` has {len(columns)} columns here and had {expected} in the fit.")
        return [(self.base((key, j), column),) for j, column in enumerate(columns)]

    def coding(self, categorical: tuple[tuple[str, bool], ...]) -> Coding:
        """Coding of a product of factors, the first varying fastest."""
        if categorical not in self.codings:
            parts = [self.encodings[key].coding(reduced) for key, reduced in categorical]  # type: ignore[union-attr]
            self.codings[categorical] = _joint_coding(parts)
        return self.codings[categorical]

    def codes(self, keys: tuple[str, ...]) -> Tensor:
        """Joint codes of a product of factors."""
        if keys not in self.joint:
            factors: list[Factor] = [self.values[key] for key in keys]
            joint, stride = np.zeros(len(factors[0].codes), dtype=np.int64), 1
            missing = np.zeros(len(joint), dtype=bool)
            for f in factors:
                joint += f.codes.astype(np.int64) * stride
                missing |= f.codes < 0
                stride *= len(f.levels)
            joint[missing] = -1
            narrow = joint.astype(np.int32) if stride < 2**31 else joint
            self.joint[keys] = as_tensor(narrow)
        return self.joint[keys]

    def add(self, piece: Piece, start: int) -> int:
        """Add the columns of a piece from position `start`; return the position after them."""
        numeric = [(i, key) for i, (key, _) in enumerate(piece.factors) if not isinstance(self.encodings[key], Levels)]
        categorical = tuple((key, reduced) for key, reduced in piece.factors if isinstance(self.encodings[key], Levels))
        widths = [len(_names_of(self.encodings[key], reduced)) for key, reduced in piece.factors]
        # Axes in the order of the factors, the first varying fastest (Fortran order).
        grid = start + np.arange(int(np.prod(widths))).reshape(widths, order="F")
        axes = [i for i, _ in numeric]
        available = [self.numeric_products(key) for _, key in numeric]
        for choice in itertools.product(*(range(widths[i]) for i in axes)):
            product = tuple(b for products, j in zip(available, choice, strict=True) for b in products[j])
            index = tuple(choice[axes.index(i)] if i in axes else slice(None) for i in range(len(widths)))
            columns = np.atleast_1d(grid[index]).ravel(order="F")
            if categorical:
                self.add_factor(categorical, product if numeric else None, columns)
            else:
                self.products.append(product)
                self.positions.append(int(columns[0]))
        return start + grid.size

    def add_factor(self, categorical: tuple[tuple[str, bool], ...], value: Product | None, columns: np.ndarray) -> None:
        if not columns.size:  # a factor of one level: no column stands for it
            return
        name = ":".join(key for key, _ in categorical)
        codes = self.codes(tuple(key for key, _ in categorical))
        self.factors.append(FactorBlock(codes, name, self.coding(categorical), value, columns))


def _joint_coding(parts: list[Coding]) -> Coding:
    """Coding of the product of factors: cells and columns with the first factor varying fastest."""
    if len(parts) == 1:
        return parts[0]
    cells = int(np.prod([p.n_cells for p in parts]))
    if all(p.kept is not None for p in parts):
        strides = np.cumprod([1] + [p.n_cells for p in parts[:-1]])
        grids = np.meshgrid(
            *(p.kept * s for p, s in zip(parts, strides, strict=True) if p.kept is not None), indexing="ij"
        )
        return Coding(cells, kept=sum(grids, start=np.zeros((), dtype=np.int64)).ravel(order="F"))
    matrix = np.ones((1, 1))
    for p in parts:
        matrix = np.kron(p.table(), matrix)
    return Coding(cells, matrix=matrix)


def assemble(
    terms: Iterable[Term],
    encodings: Mapping[str, Encoding],
    names: Mapping[Piece, tuple[str, ...]],
    values: Mapping[str, Any],
    n_rows: int,
) -> Design:
    """Build the design from evaluated expressions.

    Parameters
    ----------
    values : mapping
        For each placeholder the arrays of a monomial by name, an array or Basis, or a Factor in
        the encoding's levels; all of `n_rows` rows.
    """
    return assembled(terms, encodings, names, values, n_rows)[0]


def assembled(
    terms: Iterable[Term],
    encodings: Mapping[str, Encoding],
    names: Mapping[Piece, tuple[str, ...]],
    values: Mapping[str, Any],
    n_rows: int,
) -> tuple[Design, tuple[Any, ...]]:
    """Build the design, and say what each of its bases is: a column's name, or an expression's (placeholder, place)."""
    assembly = _Assembly(values, encodings)
    position = 0
    labels: list[str] = []
    for piece in (p for term in terms for p in term.pieces):
        labels += names[piece]
        position = assembly.add(piece, position)
    m = len(assembly.products)
    numeric = NumericBlock(
        tuple(assembly.products), np.array(assembly.positions, dtype=np.intp), np.zeros(m), np.ones(m)
    )
    design = Design(tuple(labels), n_rows, tuple(assembly.bases), numeric, tuple(assembly.factors))
    return design, tuple(assembly.where)
