"""What a user must know of a fit, in sentences: warnings when it is made, notes under its summary."""

from __future__ import annotations

from collections.abc import Iterator

from formula_torch.errors import CollinearityWarning, ConvergenceWarning, DesignWarning, FormulaTorchWarning
from formula_torch.formula.learn import Problem
from formula_torch.solvers.least_squares import LeastSquares

__all__ = ["design_notes", "fit_notes", "fit_warnings", "glm_warnings"]

# Condition of the standardised columns above which coefficients hang on the last digits of the data.
NEARLY_DEPENDENT = 1e6


def fit_warnings(problem: Problem, solution: LeastSquares, n_obs: float) -> Iterator[FormulaTorchWarning]:
    """Say what was lost: terms, columns, digits, degrees of freedom."""
    names = problem.design.names
    for factor, level in problem.recipe.lost_factors.items():
        yield DesignWarning(f"`{factor}` has a single level ({level!r}) in the rows used; it is dropped.")
    if n_obs <= solution.rank:
        yield DesignWarning(_no_freedom(len(names), solution, n_obs))
    elif solution.dependent:
        yield CollinearityWarning(_dropped(names, solution))
    if solution.condition > NEARLY_DEPENDENT:
        yield CollinearityWarning(
            f"the columns are nearly dependent (condition number {solution.condition:.1e} after centering and "
            f"scaling), most of all {_listed(names, solution.entangled)}: coefficients depend on the last digits "
            "of the data. Drop one of them, or use poly() for powers."
        )


def _no_freedom(k: int, solution: LeastSquares, n_obs: float) -> str:
    lost = ", and so are the coefficients that cannot be told" if solution.dependent else ""
    return (
        f"{n_obs:g} observations for {k} coefficients leave no degrees of freedom: standard errors and "
        f"tests are NaN{lost}."
    )


def _dropped(names: tuple[str, ...], solution: LeastSquares) -> str:
    lines = [f"`{names[j]}` {_dependency(names, on)}" for j, on in list(solution.dependent.items())[:5]]
    more = f", and {len(solution.dependent) - 5} more" if len(solution.dependent) > 5 else ""
    return (
        f"dropped {len(solution.dependent)} of {len(names)} columns as exactly collinear: "
        f"{'; '.join(lines)}{more}. Their coefficients are NaN."
    )


def _dependency(names: tuple[str, ...], on: list[int]) -> str:
    return f"depends on {_listed(names, on)}" if on else "is constant"


def _listed(names: tuple[str, ...], positions: list[int]) -> str:
    shown = ", ".join(f"`{names[i]}`" for i in positions[:4])
    return shown + (f" and {len(positions) - 4} others" if len(positions) > 4 else "")


def glm_warnings(
    problem: Problem, solution: LeastSquares, n_obs: float, *, converged: bool, decrement: float
) -> Iterator[FormulaTorchWarning]:
    """Say what was lost, and whether the maximum was reached."""
    yield from fit_warnings(problem, solution, n_obs)
    if not converged:
        yield ConvergenceWarning(
            f"the maximum of the likelihood was not reached (Newton's decrement is {decrement:.1e}): coefficients and "
            "errors are not to be trusted. Rescale or drop columns, or choose another link=."
        )


def fit_notes(problem: Problem, solution: LeastSquares, n_obs: float) -> list[str]:
    """Sentences for the foot of the summary of a linear regression."""
    notes = design_notes(problem, solution)
    if solution.perfect:
        notes.append("The fit is perfect: residuals are rounding noise, and errors and tests have no meaning.")
    if solution.constant_response:
        notes.append("The response is constant: R-squared is not defined.")
    if n_obs <= solution.rank:
        notes.append("No degrees of freedom are left: standard errors and tests are NaN.")
    return notes


def design_notes(problem: Problem, solution: LeastSquares) -> list[str]:
    """Sentences on rows and columns."""
    notes = [*problem.sample.notes, *problem.hints]
    if solution.dependent:
        notes.append(f"Dropped as exactly collinear: {_listed(problem.design.names, list(solution.dependent))}.")
    return notes
