"""A checklist with its answers, as text or markdown."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pandas as pd

from formula_torch.present.table import Summary

__all__ = ["Item", "Report"]

WIDTH = 80


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    Parameters
    ----------
    number : str
    asked : str
    told : str
        What is known; may be empty.
    lacking : str
        What only the author can tell; may be empty.
    """

    number: str
    asked: str
    told: str = ""
    lacking: str = ""

    @property
    def answers(self) -> list[str]:
        """What is known, and what is not."""
        return [text for text in (self.told, f"not recorded: {self.lacking}" if self.lacking else "") if text]


@dataclass(frozen=True, repr=False)
class Report:
    """A checklist, and the estimates it speaks of.

    Parameters
    ----------
    title : str
    items : tuple of Item
    estimates : Summary
    """

    title: str
    items: tuple[Item, ...]
    estimates: Summary

    @property
    def frame(self) -> pd.DataFrame:
        """A row an item: asked, told, lacking."""
        rows = [(item.asked, item.told, item.lacking) for item in self.items]
        return pd.DataFrame(
            rows,
            columns=["asked", "told", "lacking"],
            index=pd.Index([item.number for item in self.items], name="item"),
        )

    def as_text(self) -> str:
        """Plain text: the items, then the summary."""
        lines = [*textwrap.wrap(self.title, WIDTH), "=" * WIDTH]
        for item in self.items:
            lines.append(f"{item.number:<4}{item.asked}")
            for answer in item.answers:
                lines += textwrap.wrap(answer, WIDTH, initial_indent="    ", subsequent_indent="    ")
        return "\n".join([*lines, "=" * WIDTH, "", self.estimates.as_text()])

    def as_markdown(self) -> str:
        """A markdown table of the items, then the summary as preformatted text."""
        rows = [f"| {item.number} | {item.asked} | {_cell('<br>'.join(item.answers))} |" for item in self.items]
        head = ["| Item | Asked | This model |", "|---|---|---|"]
        return "\n".join([f"**{self.title}**", "", *head, *rows, "", "```", self.estimates.as_text(), "```"])

    def __str__(self) -> str:
        return self.as_text()

    # In a console, `fit.report()` at the prompt shows the text.
    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.as_markdown()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
