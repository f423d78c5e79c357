"""The table of a t-test, with statsmodels' look."""

from __future__ import annotations

from formula_torch.present.numbers import decimals
from formula_torch.present.table import Summary, Table
from formula_torch.result.contrasts import TTest

__all__ = ["contrast_summary"]


def contrast_summary(test: TTest, *, names: list[str], alpha: float, title: str | None) -> Summary:
    """One row a hypothesis; the notes say what each is."""
    frame = test.summary_frame(alpha=alpha)
    letter, p_label = frame.columns[2:4]
    header = ["", "coef", "std err", letter, p_label, f"[{alpha / 2:.3g}", f"{1 - alpha / 2:.3g}]"]
    adjusted = [f"P {test.adjust}"] if test.adjust else []
    rows = []
    for name, (b, se, t, p, low, high, *more) in zip(names, frame.itertuples(index=False), strict=True):
        cells = (decimals(b, 4), decimals(se), decimals(t), f"{p:.3f}", decimals(low), decimals(high))
        rows.append((name, *cells, *(f"{q:.3f}" for q in more)))
    written = zip(names, test.hypotheses, strict=True)
    notes = tuple(f"{name}: {text}" for name, text in written if name != text)
    return Summary(title or "Test for Constraints", (Table(tuple(rows), (*header, *adjusted)),), notes)
