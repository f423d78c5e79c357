"""Contrasts: formulaic's coding matrices under the names statsmodels prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from formula_torch.errors import FormulaError

__all__ = ["CONTRASTS", "Contrast", "resolve_contrast"]

Levels = tuple[Any, ...]


@dataclass(frozen=True)
class Contrast:
    """How the levels of a factor become columns.

    Parameters
    ----------
    kind : str
        A key of ``CODINGS``.
    reference : object
        The reference level (treatment), a position for R's ``base=``, or None.
    matrix : tuple of tuples, optional
        The user's own coding, one row a level.
    """

    kind: str
    reference: Any = None
    position: int | None = None
    matrix: tuple[tuple[float, ...], ...] | None = None

    def reference_code(self, levels: Levels) -> int:
        """Position of the reference level of a treatment coding."""
        if self.position is not None:
            if not 1 <= self.position <= len(levels):
                raise FormulaError(f"base={self.position} is not one of the {len(levels)} levels {list(levels)}.")
            return self.position - 1
        if self.reference is None:
            return len(levels) - 1 if self.kind == "SAS" else 0
        if self.reference not in levels:
            raise FormulaError(f"the reference {self.reference!r} is not a level; the levels are {list(levels)}.")
        return levels.index(self.reference)

    def kept(self, levels: Levels) -> np.ndarray | None:
        """Levels that have an indicator column, or None for a coding by matrix."""
        if self.kind not in ("treatment", "SAS"):
            return None
        return np.delete(np.arange(len(levels)), self.reference_code(levels))

    def coding(self, levels: Levels) -> np.ndarray:
        """Coding matrix, shape (levels, levels - 1)."""
        if self.matrix is not None:
            matrix = np.array(self.matrix, dtype=np.float64)
            if matrix.shape[0] != len(levels):
                raise FormulaError(
                    f"the contrast matrix has {matrix.shape[0]} rows for {len(levels)} levels {list(levels)}."
                )
            return matrix
        return np.array(_CODINGS[self.kind]().get_coding_matrix(list(levels), reduced_rank=True), dtype=np.float64)

    def labels(self, levels: Levels) -> list[str]:
        """What follows the factor's text in the names of its columns."""
        kept = self.kept(levels)
        if kept is not None:
            return [f"[T.{levels[i]}]" for i in kept]
        if self.matrix is not None:
            return [f"[custom{i}]" for i in range(np.shape(self.matrix)[1])]
        if self.kind == "poly":
            return _poly_labels(len(levels))
        letter = {"sum": "S", "helmert": "H", "diff": "D"}[self.kind]
        named = levels[1:] if self.kind == "helmert" else levels[:-1]
        return [f"[{letter}.{level}]" for level in named]


def _poly_labels(n: int) -> list[str]:
    names = [".Linear", ".Quadratic", ".Cubic"]
    return (names + [f"^{d}" for d in range(4, n)])[: n - 1]


def _formulaic(name: str) -> Callable[[], Any]:
    def make() -> Any:
        from formulaic.transforms import contrasts

        return getattr(contrasts, name)()

    return make


_CODINGS: dict[str, Callable[[], Any]] = {
    "sum": _formulaic("SumContrasts"),
    "helmert": _formulaic("HelmertContrasts"),
    "diff": _formulaic("DiffContrasts"),
    "poly": _formulaic("PolyContrasts"),
}


def _treatment(*args: Any, reference: Any = None, base: Any = None) -> Contrast:
    """Patsy's Treatment("b"), Treatment(reference="b"); R's contr.treatment(3, base=2)."""
    if base is not None:
        return Contrast("treatment", position=base) if isinstance(base, int) else Contrast("treatment", reference=base)
    return Contrast("treatment", reference=args[0] if args else reference)


def _contr_treatment(n: Any = None, base: Any = None) -> Contrast:
    """R's contr.treatment: the first argument is the number of levels (or a level's name)."""
    if base is None and isinstance(n, str):
        return Contrast("treatment", reference=n)
    return _treatment(base=base)


def _plain(kind: str) -> Callable[..., Contrast]:
    def make(levels: Any = None) -> Contrast:  # noqa: ARG001 - R's contr.sum(3) repeats the number of levels
        return Contrast(kind)

    return make


# What a formula may write in the second place of C(x, ...), bare or called.
CONTRASTS: dict[str, Callable[..., Contrast]] = {
    "Treatment": _treatment,
    "Sum": _plain("sum"),
    "Helmert": _plain("helmert"),
    "Diff": _plain("diff"),
    "Poly": _plain("poly"),
    "SAS": _plain("SAS"),
    "contr.treatment": _contr_treatment,
    "contr.sum": _plain("sum"),
    "contr.helmert": _plain("helmert"),
    "contr.poly": _plain("poly"),
    "contr.SAS": _plain("SAS"),
    "contr.sdif": _plain("diff"),
    "contr.diff": _plain("diff"),
}


def resolve_contrast(given: Any) -> Contrast:
    """Read what stands in ``C(x, ...)``: nothing, a contrast, its name, or a matrix."""
    if given is None:
        return Contrast("treatment")
    if isinstance(given, Contrast):
        return given
    if given in CONTRASTS.values():
        return given()
    if isinstance(given, str) and given in CONTRASTS:
        return CONTRASTS[given]()
    if isinstance(given, list):
        rows = given if isinstance(given[0], list) else [[value] for value in given]
        return Contrast("custom", matrix=tuple(tuple(float(v) for v in row) for row in rows))
    raise FormulaError(f"{given!r} is not a contrast; known: {', '.join(CONTRASTS)}, or a list of rows.")
