"""What a report may say of the rows behind a trajectory model: times, waves, missing values, the response."""

from __future__ import annotations

import numpy as np
import pandas as pd

from formula_torch.data import Frame
from formula_torch.errors import FormulaError
from formula_torch.families import BERNOULLI, GAUSSIAN, POISSON, AnyFamily
from formula_torch.formula.derivative import readers
from formula_torch.present.numbers import count, significant
from formula_torch.present.trajectory.report import Item
from formula_torch.result.trajectory.curves import Curves
from formula_torch.result.trajectory.time import inferred_time
from formula_torch.result.trajectory.units import unit_codes

__all__ = ["columns_read", "distribution_item", "missing_item", "time_items"]

REMOVED = "the result no longer holds its rows; make the report before pickling or remove_data()."
METRIC = "Metric of time"
WITHIN = "Mean and variance of time within a wave"
FAMILIES: dict[AnyFamily, str] = {
    GAUSSIAN: "normal with an identity link",
    POISSON: "Poisson with a log link",
    BERNOULLI: "Bernoulli with a logit link",
}


def columns_read(fit: Curves) -> str:
    """What the curves read, without offsets, as the beginning of a sentence."""
    return f"The curves read {', '.join(f'`{name}`' for name in readers(fit.recipe)) or 'no column'}"


def time_items(fit: Curves, time: str | None, wave: str | None) -> list[Item]:
    """Items 1 and 2."""
    try:
        name = inferred_time(fit.recipe) if time is None else time
    except FormulaError:
        which = "tell which column is time: report(time='column')."
        return [Item("1", METRIC, f"{columns_read(fit)}.", which), Item("2", WITHIN, "", which)]
    if fit.rows is None:
        return [Item("1", METRIC, f"{columns_read(fit)}; time is `{name}`.", REMOVED), Item("2", WITHIN, "", REMOVED)]
    frame = _frame(fit, [name, *([wave] if wave else [])])
    times = frame.column(name).numbers
    distinct = np.unique(times)
    span = f"{len(distinct)} distinct times from {distinct[0]:g} to {distinct[-1]:g}."
    metric = f"{columns_read(fit)}; time is `{name}`: {span}"
    unit = "tell what one unit of it is (years of age, months since treatment)."
    return [Item("1", METRIC, metric, unit), _within(fit, frame, times, wave)]


def _frame(fit: Curves, names: list[str]) -> Frame:
    rows = fit.held_rows("report")
    whole = rows.frame_with(names, fit.call.find_table, "keep the table alive")
    return whole if rows.sample.used.all() else whole.filter(rows.sample.used)


def _within(fit: Curves, frame: Frame, times: np.ndarray, wave: str | None) -> Item:
    if wave is not None:
        waves = frame.column(wave).to_pandas().to_numpy()
        table = pd.Series(times).groupby(waves).agg(["mean", "var", "size"])
        told = "; ".join(
            f"{w}: {row['mean']:.4g}, {row['var']:.4g} ({row['size']:g} rows)" for w, row in table.iterrows()
        )
        return Item("2", WITHIN, f"Mean and variance of time by `{wave}`: {told}.")
    most = int(np.bincount(unit_codes(frame, fit.unit)[0]).max())
    if len(np.unique(times)) <= most:
        return Item(
            "2",
            WITHIN,
            f"There are no more distinct times than rows of a unit (at most {most}): where each time is a wave, the "
            "mean is that time and the variance 0.",
        )
    overall = f"Over all {len(times)} rows: mean {times.mean():.4g}, variance {times.var(ddof=1):.4g}."
    return Item("2", WITHIN, overall, "tell which rows form a wave: report(wave='column').")


def missing_item(fit: Curves) -> Item:
    """Item 3c."""
    sample = fit.sample
    told = [f"{sample.n_rows} of {sample.n_total} rows were used.", *sample.notes]
    told += [note for note in fit.notes if note.startswith("Left out")]
    if fit.rows is not None and fit.unit is not None:
        rows = np.bincount(unit_codes(fit.rows.used_frame(), fit.unit)[0])
        span = f"{rows.min()} to {rows.max()}" if rows.min() < rows.max() else f"{rows.max()}"
        told.append(f"Units have {span} rows each.")
    told.append("A unit counts by all rows it has (maximum likelihood); no values were imputed in the fit.")
    lacking = "tell what was dropped or imputed before the fit."
    return Item("3c", "How missing data were dealt with", " ".join(told), lacking)


def distribution_item(fit: Curves) -> Item:
    """Item 4."""
    within = FAMILIES.get(fit.family, f"of the density `{fit.family.name}`, the author's own")
    told = f"Within a group, `{fit.recipe.response_name}` given the curve is {within}."
    asked = "Distribution of the observed variables"
    if fit.rows is None:
        return Item("4", asked, told, "mean, spread and range of the response: " + REMOVED)
    y = fit.recipe.response(fit.rows.used_frame())
    zeros = float(np.mean(y == 0))
    told += (
        f" Over {count(len(y))} rows its mean is {significant(float(y.mean()))}, standard deviation "
        f"{significant(float(y.std(ddof=1)))}, minimum {significant(float(y.min()))}, maximum "
        f"{significant(float(y.max()))}{f', with {zeros:.1%} zeros' if zeros else ''}."
    )
    return Item("4", asked, told)
