"""The summary of a trajectory model: header, coefficients by group, shares, adequacy."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np

from formula_torch.present.numbers import count, decimals, mark
from formula_torch.present.table import Summary, Table
from formula_torch.present.trajectory.notes import summary_notes
from formula_torch.present.trajectory.parts import components
from formula_torch.result.trajectory.curves import Curves

__all__ = ["coefficient_tables", "trajectory_summary"]


def trajectory_summary(fit: Curves, alpha: float, stars: str | None) -> Summary:
    """Header, a block of coefficients a group, sigma, membership, shares and adequacy, with notes."""
    tables = [_header(fit), *coefficient_tables(fit, alpha, stars)]
    if fit.n_groups > 1:
        tables += [_shares(fit, alpha), _adequacy(fit)]
    title = "Mixture of Regressions" if fit.unit is None else "Group-Based Trajectory Model"
    return Summary(title, tuple(tables), tuple(summary_notes(fit, stars)))


def _header(fit: Curves) -> Table:
    left = [
        ("Dep. Variable:", fit.recipe.response_name),
        ("Family:", fit.family.name),
        ("No. Groups:", str(fit.n_groups)),
        ("No. Units:", count(fit.n_units)),
        ("No. Observations:", count(fit.n_rows)),
        ("No. Parameters:", str(fit.n_params)),
        ("Covariance Type:", "information" if fit.covariance.classical else fit.covariance.label),
    ]
    right = [
        ("Log-Likelihood:", f"{fit.llf:.8g}"),
        ("AIC:", f"{fit.aic:.8g}"),
        ("BIC (N units):", f"{fit.bic:.8g}"),
        ("BIC (N rows):", f"{fit.bic_rows:.8g}"),
    ]
    if fit.n_groups > 1:
        right += [
            ("Relative Entropy:", f"{fit.entropy:.4f}"),
            ("Starts at Best:", f"{fit.search.replicated} of {fit.search.starts}"),
        ]
    if fit.spec.prior > 0:
        right.append(("Penalised Log-Lik.:", f"{fit.penalised:.8g}"))
    return Table(tuple((*a, *b) for a, b in zip_longest(left, right, fillvalue=("", ""))))


def coefficient_tables(fit: Curves, alpha: float, stars: str | None = None) -> list[Table]:
    """A table of coefficients for each group, of a sigma that all share, and of membership.

    Parameters
    ----------
    fit : Curves
    alpha : float
        One less the confidence level of the intervals.
    stars : str or None
        Marks beside p-values.
    """
    component, group = components(fit.spec.layout)
    member = component == "membership"
    blocks = [(_group_title(fit, g), (group == g) & ~member) for g in fit.group_labels]
    blocks += [("All groups", (group == 0) & ~member), (f"Membership vs. {fit.spec.layout.reference}", member)]
    letter = "t" if fit.use_t else "z"
    bounds = (f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]")
    columns = ("coef", "std err", letter, f"P>|{letter}|", *bounds, *(("",) if stars else ()))
    rows = _rows(fit, alpha, stars)
    return [Table(tuple(rows[i] for i in np.flatnonzero(own)), (title, *columns)) for title, own in blocks if own.any()]


def _group_title(fit: Curves, group: int) -> str:
    return f"Group {group} ({fit.share_values[group - 1]:.1%})"


def _rows(fit: Curves, alpha: float, stars: str | None) -> list[tuple[str, ...]]:
    """A row a parameter, labelled as within its block."""
    interval = fit.conf_int(alpha)
    columns = (fit.params, fit.bse, fit.tvalues, fit.pvalues, interval[0], interval[1])
    rows = []
    for i, (b, se, z, p, low, high) in enumerate(zip(*(c.to_numpy() for c in columns), strict=True)):
        tested = ("", "") if fit.positive[i] else (decimals(z), f"{p:.3f}")
        cells = (decimals(b, 4), decimals(se), *tested, decimals(low), decimals(high))
        rows.append((_label(fit.names[i]), *cells, *((mark(p, stars),) if stars else ())))
    return rows


def _label(name: str) -> str:
    """`Intercept` of ``g1:Intercept``, `2: male` of ``membership[2]:male``."""
    owner, _, own = name.partition(":")
    return f"{owner[len('membership[') : -1]}: {own}" if owner.startswith("membership[") else own or name


def _shares(fit: Curves, alpha: float) -> Table:
    header = ("Shares", "estimated", "std err", f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]", "assigned", "units")
    estimated, found = fit.shares_at(alpha).to_numpy(), fit.classification
    rows = [
        (f"Group {g}", *(decimals(value, 4) for value in (*own, share)), count(units))
        for g, own, share, units in zip(fit.group_labels, estimated, found.assigned_share, found.assigned, strict=True)
    ]
    return Table(tuple(rows), header)


def _adequacy(fit: Curves) -> Table:
    columns = ["mismatch", "appa", "sd_posterior", "occ_estimated", "occ_assigned"]
    rows = [
        # No minus before a zero.
        (f"Group {g}", f"{round(mismatch, 4) + 0.0:.4f}", f"{appa:.4f}", f"{sd:.4f}", *(f"{occ:.4g}" for occ in odds))
        for g, (mismatch, appa, sd, *odds) in zip(
            fit.group_labels, fit.adequacy()[columns].to_numpy().tolist(), strict=True
        )
    ]
    return Table(tuple(rows), ("Adequacy", "mismatch", "APPA", "sd", "OCC (est.)", "OCC (asg.)"))
