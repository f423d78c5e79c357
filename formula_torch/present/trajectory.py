"""The summary of a trajectory model: header, coefficients by group, shares."""

from __future__ import annotations

from formula_torch.present.numbers import count, decimals
from formula_torch.present.table import Summary, Table
from formula_torch.result.trajectory import TrajectoryFit

__all__ = ["trajectory_summary"]


def trajectory_summary(fit: TrajectoryFit, alpha: float) -> Summary:
    """Header, a table of all coefficients, and the shares."""
    tables = (_header(fit), _coefficients(fit, alpha), _shares(fit))
    return Summary("Group-Based Trajectory Model", tables, tuple(_notes(fit)))


def _header(fit: TrajectoryFit) -> Table:
    left = [
        ("Dep. Variable:", fit.recipe.response_name),
        ("Family:", fit.family.name),
        ("Groups:", str(fit.n_groups)),
        ("No. Units:", count(fit.n_units)),
        ("No. Observations:", count(fit.n_rows)),
        ("Covariance Type:", "information" if fit.covariance.classical else fit.covariance.label),
    ]
    right = [
        ("Log-Likelihood:", f"{fit.llf:.8g}"),
        ("Parameters:", str(fit.n_params)),
        ("AIC:", f"{fit.aic:.7g}"),
        ("BIC (units):", f"{fit.bic:.7g}"),
        ("BIC (rows):", f"{fit.bic_rows:.7g}"),
        ("Starts at best:", f"{fit.search.replicated} of {fit.search.starts}"),
    ]
    return Table(tuple((*a, *b) for a, b in zip(left, right, strict=True)))


def _coefficients(fit: TrajectoryFit, alpha: float) -> Table:
    interval = fit.conf_int(alpha)
    columns = (fit.params, fit.bse, fit.tvalues, fit.pvalues, interval[0], interval[1])
    rows = []
    for name, b, se, z, p, low, high in zip(fit.names, *(c.to_numpy() for c in columns), strict=True):
        tested = ("", "") if name.endswith("sigma") else (decimals(z), f"{p:.3f}")
        rows.append((name, decimals(b, 4), decimals(se), *tested, decimals(low), decimals(high)))
    header = ("", "coef", "std err", "z", "P>|z|", f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]")
    return Table(tuple(rows), header)


def _shares(fit: TrajectoryFit) -> Table:
    rows = [
        (
            f"group {g}",
            decimals(row["share"], 4),
            decimals(row["std_error"]),
            decimals(row["conf_low"]),
            decimals(row["conf_high"]),
        )
        for g, row in fit.shares.iterrows()
    ]
    return Table(tuple(rows), ("", "share", "std err", "[0.025", "0.975]"))


def _notes(fit: TrajectoryFit) -> list[str]:
    errors = (
        "Standard Errors are from the exact observed information." if fit.covariance.classical else fit.covariance.note
    )
    search = fit.search
    runner_up = "" if search.replicated == search.starts else f"; the next best value is {search.runner_up:.8g}"
    found = f"{search.replicated} of {search.starts} starts reached the best value{runner_up}."
    moves = f" Splitting and merging groups improved it {search.moves} times." if search.moves else ""
    return [errors, found + moves, *fit.notes]
