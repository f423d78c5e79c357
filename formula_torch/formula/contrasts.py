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
        treatment, SAS, sum, helmert, diff, poly or custom.
    reference : object
        The reference level (treatment) or the omitted one (sum), or its position, or None.
    position : int, optional
        R's ``base=``, counted from 1.
    scores : tuple of float, optional
        Where the levels lie (polynomials).
    matrix : tuple of tuples, optional
        The user's own coding, one row a level.
    """

    kind: str
    reference: Any = None
    position: int | None = None
    scores: tuple[float, ...] | None = None
    matrix: tuple[tuple[float, ...], ...] | None = None

    def reference_code(self, levels: Levels) -> int:
        """Position of the reference level of a treatment coding, or of the omitted level of a sum coding."""
        if self.position is not None:
            if not 1 <= self.position <= len(levels):
                raise FormulaError(f"base={self.position} is not one of the {len(levels)} levels {list(levels)}.")
            return self.position - 1
        if self.reference is None:
            return 0 if self.kind == "treatment" else len(levels) - 1
        return _find(self.reference, levels)

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
        if self.kind == "sum":
            return self._sum_coding(levels)
        if self.scores is not None and len(self.scores) != len(levels):
            raise FormulaError(f"Poly has {len(self.scores)} scores for {len(levels)} levels {list(levels)}.")
        made = _CODINGS[self.kind](**({} if self.scores is None else {"scores": list(self.scores)}))
        return np.array(made.get_coding_matrix(list(levels), reduced_rank=True), dtype=np.float64)

    def _sum_coding(self, levels: Levels) -> np.ndarray:
        omitted = self.reference_code(levels)
        coding = np.delete(np.eye(len(levels)), omitted, axis=1)
        coding[omitted] = -1
        return coding

    def labels(self, levels: Levels, shown: Levels) -> list[str]:
        """What follows the factor's text in the names of its columns, with the levels as they are shown."""
        kept = self.kept(levels)
        if kept is not None:
            return [f"[T.{shown[i]}]" for i in kept]
        if self.matrix is not None:
            return [f"[custom{i}]" for i in range(np.shape(self.matrix)[1])]
        if self.kind == "poly":
            return _poly_labels(len(levels))
        letter = {"sum": "S", "helmert": "H", "diff": "D"}[self.kind]
        omitted = {"sum": self.reference_code(levels), "helmert": 0, "diff": len(levels) - 1}[self.kind]
        named = [level for i, level in enumerate(shown) if i != omitted]
        return [f"[{letter}.{level}]" for level in named]

    def coding_with_mean(self, levels: Levels) -> np.ndarray:
        """Coding of full rank with a constant column first, shape (levels, levels); a matrix of one's own as it is."""
        coding = self.coding(levels)
        return coding if self.matrix is not None else np.column_stack([np.ones(len(levels)), coding])

    def labels_with_mean(self, levels: Levels, shown: Levels) -> list[str]:
        """Labels of the coding of full rank, as patsy's."""
        if self.matrix is not None:
            return self.labels(levels, shown)
        if self.kind == "diff":
            return [f"[D.{level}]" for level in shown]
        constant = {"sum": "[mean]", "helmert": "[H.intercept]", "poly": ".Constant"}[self.kind]
        return [constant, *self.labels(levels, shown)]


def _find(reference: Any, levels: Levels) -> int:
    """Position of a level given by itself, by its text, or (as patsy) by its place counted from 0."""
    if reference in levels:
        return levels.index(reference)
    if reference in map(str, levels):
        return [str(level) for level in levels].index(reference)
    if isinstance(reference, int) and not isinstance(reference, bool) and -len(levels) <= reference < len(levels):
        return reference % len(levels)
    raise FormulaError(f"the reference {reference!r} is not a level; the levels are {list(levels)}.")


def _poly_labels(n: int) -> list[str]:
    names = [".Linear", ".Quadratic", ".Cubic"]
    return (names + [f"^{d}" for d in range(4, n)])[: n - 1]


def _formulaic(name: str) -> Callable[[], Any]:
    def make(**options: Any) -> Any:
        from formulaic.transforms import contrasts

        return getattr(contrasts, name)(**options)

    return make


_CODINGS: dict[str, Callable[..., Any]] = {
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


def _sum(omit: Any = None) -> Contrast:
    """Patsy's Sum("a") or Sum(omit="a"): the level without a coefficient, by default the last."""
    return Contrast("sum", reference=omit)


def _poly(scores: Any = None) -> Contrast:
    """Patsy's Poly([1, 2, 4]): polynomials over scores, by default 1, 2, ..."""
    return Contrast("poly", scores=None if scores is None else tuple(float(s) for s in scores))


def _bare(kind: str) -> Callable[..., Contrast]:
    def make() -> Contrast:
        return Contrast(kind)

    return make


# What a formula may write in the second place of C(x, ...), bare or called.
CONTRASTS: dict[str, Callable[..., Contrast]] = {
    "Treatment": _treatment,
    "Sum": _sum,
    "Helmert": _bare("helmert"),
    "Diff": _bare("diff"),
    "Poly": _poly,
    "SAS": _bare("SAS"),
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
    if isinstance(given, list) and given:
        rows = given if isinstance(given[0], list) else [[value] for value in given]
        return Contrast("custom", matrix=tuple(tuple(float(v) for v in row) for row in rows))
    raise FormulaError(f"{given!r} is not a contrast; known: {', '.join(CONTRASTS)}, or a list of rows.")
