"""What a user must know of a fit, in sentences: warnings when it is made, notes under its summary."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from formula_torch.errors import (
    CollinearityWarning,
    ConvergenceWarning,
    DesignWarning,
    FormulaTorchWarning,
    SeparationWarning,
)
from formula_torch.families.generalized import GeneralizedFamily
from formula_torch.formula.learn import Problem
from formula_torch.solvers.least_squares import LeastSquares
from formula_torch.solvers.separation import Separated, Separation

__all__ = [
    "PERFECT",
    "convergence_warning",
    "design_notes",
    "edge_warning",
    "fit_notes",
    "fit_warnings",
    "offset_trouble",
    "separation_warnings",
]

PERFECT = "The fit is perfect: residuals are rounding noise, and errors and tests have no meaning."
# Condition of the standardised columns above which coefficients hang on the last digits of the data.
NEARLY_DEPENDENT = 1e6
# Offsets this far from the others, in logarithms of rates, odds or hazards, leave coefficients nothing else to explain.
FAR_OFFSET = 8.0


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


def convergence_warning(decrement: float, cause: str = "") -> ConvergenceWarning:
    """Say that a maximum was not reached.

    Parameters
    ----------
    decrement : float
        Newton's.
    cause : str
        A sentence on it and its remedy, where it is known.
    """
    return ConvergenceWarning(
        f"the maximum of the likelihood was not reached (Newton's decrement is {decrement:.1e}): coefficients and "
        f"errors are not to be trusted. {cause or 'Rescale or drop columns, or choose another link=.'}"
    )


def offset_trouble(family: GeneralizedFamily, offset: Tensor | None) -> str:
    """Say which row has an offset so far from the others that a climb loses its way; empty where none has.

    Parameters
    ----------
    family : GeneralizedFamily
    offset : Tensor, shape (n,), or None
        With the logarithm of an exposure.
    """
    if offset is None or not (family.exponential or family.distribution.of_shares):
        return ""
    usual = float(offset.median())
    row = int((offset - usual).abs().argmax())
    if abs(float(offset[row]) - usual) < FAR_OFFSET:
        return ""
    return (
        f"The offset is {float(offset[row]):g} in the {row + 1:,}. of the rows used and {usual:g} in the middle, which "
        f"is far in the linear predictor of link={family.link.name!r}: check it, and that it is a logarithm where it "
        "stands for an exposure."
    )


def edge_warning(family: GeneralizedFamily, n_rows: int) -> ConvergenceWarning:
    """Say that the likelihood is highest where some means cannot go on."""
    return ConvergenceWarning(
        f"the likelihood rises up to the edge of the means that family={family.name!r} can have: with "
        f"link={family.link.name!r} those of {n_rows:,} rows are at it. Coefficients are where the climb was stopped, "
        "and errors do not hold there. Choose another link=."
    )


def fit_notes(problem: Problem, solution: LeastSquares, n_obs: float) -> list[str]:
    """Sentences for the foot of the summary of a linear regression."""
    notes = design_notes(problem, solution)
    if solution.perfect:
        notes.append(PERFECT)
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


def separation_warnings(problem: Problem, found: Separation, *, curable: bool) -> Iterator[SeparationWarning]:
    """Say which estimates are infinite, and because of which rows.

    Parameters
    ----------
    problem : Problem
    found : Separation
    curable : bool
        Whether there is a prior for such a model.
    """
    remedy = "ft.fit(..., prior='firth') gives finite estimates." if curable else "Merge levels, or drop columns."
    names = problem.design.names
    if not found.proved:
        listed = _listed(names, found.positions)
        yield SeparationWarning(f"the data hold no information about {listed}: their errors are NaN. {remedy}")
        return
    single = [g for g in found.groups if len(g.positions) == 1 and g.pull]
    if single:
        where = ", ".join(_one_outcome(problem, g) for g in single)
        whose = "its estimate is infinite, and its error"
        if len(single) > 1:
            whose = "their estimates are infinite, and their errors"
        yield SeparationWarning(f"`{problem.recipe.response_name}` is {where}: {whose} NaN. {remedy}")
    for group in found.groups:
        if group not in single:
            yield SeparationWarning(f"{_separating(problem, found, group)} {remedy}")


def _one_outcome(problem: Problem, group: Separated) -> str:
    """As in: 0 in all 12 rows of `g[T.c]`."""
    (position,) = group.positions
    name = problem.design.names[position]
    rows = f"{_outcome(problem, group.pull)} in all {group.n_rows:,} rows"
    if position == problem.design.constant:
        return rows
    return f"{rows} of `{name}`" if "[T." in name and ":" not in name else f"{rows} where `{name}` is not 0"


def _outcome(problem: Problem, pull: int) -> str:
    """Value of the response at the end to which rows are pulled."""
    upper = pull > 0 and problem.recipe.reading == "successes"
    levels = problem.recipe.response_levels
    return repr(levels[int(upper)]) if levels else str(int(upper))


def _separating(problem: Problem, found: Separation, group: Separated) -> str:
    """Name first the columns that all separating directions use the same way."""
    names, listed = problem.design.names, _listed(problem.design.names, group.positions)
    one = len(group.positions) == 1
    infinite = f"{'the estimate' if one else 'the estimates'} of {listed} {'is' if one else 'are'} infinite"
    nothing = f"{'its error is' if one else 'their errors are'} NaN."
    if group.pull and group.n_rows == found.of_rows:
        outcome = f"`{problem.recipe.response_name}` is {_outcome(problem, group.pull)} in all {group.n_rows:,} rows"
        return f"{outcome}: {infinite}, and {nothing}"
    signs = dict(zip(found.positions, found.signs, strict=True))
    culprits = [j for j in group.positions if signs[j] and j != problem.design.constant] or group.positions
    verb = "separates" if len(culprits) == 1 else "together separate"
    alike = f" (all are {_outcome(problem, group.pull)})" if group.pull else ""
    return (
        f"{_listed(names, culprits)} {verb} the response: {group.n_rows:,} of {found.of_rows:,} rows are predicted "
        f"with certainty{alike}, so that {infinite}; {nothing}"
    )
