"""Coefficients by descent: the same model, reached along its gradients, and compared with the exact solution."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from formula_torch.design import Design
from formula_torch.design.auxiliary import without_columns
from formula_torch.design.unit_columns import UnitColumns
from formula_torch.errors import ConvergenceWarning
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.fitting.reporting import epochs_reported
from formula_torch.models.row_loss import linear_rows, loss_of
from formula_torch.result.solved_fit import SolvedFit
from formula_torch.result.trace import Trace, traced
from formula_torch.solvers.descending import descend, random_start
from formula_torch.solvers.descent import Descent
from formula_torch.solvers.solution import LeastSquares

__all__ = ["Descending", "compared", "moved", "stopped", "with_trace"]

F = TypeVar("F", bound=SolvedFit)

# Standard errors from the exact solution beyond which a descent has not reached it.
FAR = 0.05
# Share of the squares that a descent may leave where the exact solution leaves rounding noise.
NOISE = 1e-12


@dataclass(frozen=True)
class Descending:
    """A descent that is asked for.

    Parameters
    ----------
    method : Descent
    seed : int
    progress : bool or None
    finish : int
        Steps of Levenberg and Marquardt by which a network goes on to its maximum, at most.
    """

    method: Descent
    seed: int = 0
    progress: bool | None = None
    finish: int = 0

    @property
    def restraint(self) -> str:
        """What the estimates obey besides the likelihood."""
        return "weight_decay" if self.method.weight_decay else ""

    def run(self, design: Design, family: GeneralizedFamily | None, solution: LeastSquares) -> tuple[np.ndarray, Trace]:
        """Descend, and return the coefficients, shape (k,), and how it went.

        Parameters
        ----------
        design : Design
        family : GeneralizedFamily, or None for least squares
        solution : LeastSquares
            Exact: it says which columns are dependent, and has the information.
        """
        family = resolve_generalized("gaussian", None) if family is None else family
        kept = without_columns(design, [j for j in range(design.k) if j not in solution.kept])
        columns = UnitColumns.of(kept, centred=kept.constant is not None)
        objective, unit = loss_of(
            linear_rows(columns.standardised(kept)), family, kept, centred=kept.constant is not None
        )
        start = torch.zeros(kept.k, dtype=torch.float64)
        if self.method.start == "random":
            start = random_start(kept.k, self.seed)
        with epochs_reported(self.method, self.progress, unit.loss) as report:
            found = descend(objective, start.to(design.device), self.method, self.seed, report=report)
        params = np.full(design.k, np.nan)
        params[solution.kept] = unit.params(columns, found.theta.cpu().numpy())
        described = self.method.described(design.n_rows)
        trace = traced(self.method.name, described, found.lr, found.reason, found.converged, found.history, unit.loss)
        return params, trace


def moved(solution: LeastSquares, params: np.ndarray) -> LeastSquares:
    """Return a solution with other coefficients, shape (k,), NaN where aliased; its information stays."""
    shifted = solution.coordinates.standardised_params(params)
    return replace(solution, params=params, shifted_params=shifted, response_shift=0.0)


def stopped(design: Design, exact: LeastSquares, params: np.ndarray) -> LeastSquares:
    """Return the least squares of where a descent stopped, shape (k,): coefficients and squares are its own."""
    rest = design.response - design.matvec(np.nan_to_num(params))
    weights = 1.0 if design.weights is None else design.weights
    left, total = float((weights * rest**2).sum()), float((weights * design.response**2).sum())
    spread = float((weights * (design.response - design.response.mean()) ** 2).sum())
    perfect = exact.perfect and left <= NOISE * spread + NOISE**2 * total
    return replace(moved(exact, params), ssr=0.0 if perfect else left, perfect=perfect)


def compared(trace: Trace, names: tuple[str, ...], params: np.ndarray, exact: np.ndarray, errors: np.ndarray) -> Trace:
    """Say how far a descent stopped from the exact solution.

    Parameters
    ----------
    trace : Trace
    names : tuple of str
    params, exact, errors : array, shape (k,)
        Where it stopped, the solution, and its standard errors; NaN where there is none.
    """
    with np.errstate(all="ignore"):
        distances = np.abs(params - exact) / errors
    if not np.isfinite(distances).any():
        return trace
    worst = int(np.nanargmax(np.where(np.isfinite(distances), distances, np.nan)))
    return replace(trace, distance=float(distances[worst]), farthest=names[worst])


def with_trace(fit: F, trace: Trace, exact: np.ndarray, method: Descent, depth: int) -> F:
    """Return a fit with the record of its descent, and warn where that stopped far from the exact solution.

    Parameters
    ----------
    fit : SolvedFit
    trace : Trace
    exact : array, shape (k,)
        The exact solution.
    method : Descent
    depth : int
        Frames from here to the user's.
    """
    # Errors of a perfect fit are rounding noise, and no measure of a distance.
    if not fit.solution.perfect:
        trace = compared(trace, fit.names, fit.coefficients, exact, fit.bse.to_numpy())
    notes = [trace.note]
    if method.weight_decay:
        notes.append(f"weight_decay={method.weight_decay:g} draws coefficients to zero, of which errors know nothing.")
    elif trace.distance > FAR:
        warnings.warn(_distance_warning(trace), stacklevel=depth)
        fit = replace(fit, restraint="solver")
    return replace(fit, trace=trace, notes=(*fit.notes, *notes))


def _distance_warning(trace: Trace) -> ConvergenceWarning:
    return ConvergenceWarning(
        f"{trace.method} stopped {trace.distance:.2g} standard errors from the exact solution (`{trace.farthest}`; "
        f"{trace.reason}): raise epochs= or lr=, let lr fall (schedule='cosine') or average= the last steps, or leave "
        "solver= out."
    )
