"""Summaries as text, HTML, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

import numpy as np
import pytest

import formula_torch as ft
from formula_torch.present.numbers import decimals


@pytest.fixture(scope="module")
def fit(visits):
    return ft.fit("drvisits ~ private + medicaid + I(age_ > 70) + educ", visits.rename(columns={"age": "age_"}))


class Cells(HTMLParser):
    """Collects the text of table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.inside = False

    def handle_starttag(self, tag, attrs) -> None:
        self.inside = tag in ("td", "th")

    def handle_endtag(self, tag) -> None:
        self.inside = False

    def handle_data(self, data) -> None:
        if self.inside and data.strip():
            self.cells.append(data.strip())


def test_text_lines_are_of_one_width(fit) -> None:
    for summary, width in ((fit.summary(), 87), (fit.summary(xname=list("abcde")), 78)):
        tables = str(summary).split("\n\nNotes:")[0].splitlines()[1:]
        assert {len(line) for line in tables} == {width}


def test_a_summary_shows_itself_at_the_prompt(fit) -> None:
    assert repr(fit.summary()) == str(fit.summary()) == fit.summary().as_text()
    assert repr(fit.summary().tables[1]) == fit.summary().tables[1].as_text()


def test_long_names_widen_the_table(visits) -> None:
    fit = ft.fit("drvisits ~ I((age > 70) & (educ > 12) & (chronic > 2) & (private == 1))", visits)
    rules = {len(line) for line in str(fit).splitlines() if set(line) == {"="}}
    assert len(rules) == 1
    assert rules.pop() > 78


def test_html_holds_every_cell(fit) -> None:
    parser = Cells()
    parser.feed(fit.summary().as_html())
    for table in fit.summary().tables:
        for row in table.data:
            assert {cell.strip() for cell in row if cell.strip()} <= set(parser.cells)
    assert fit._repr_html_() == fit.summary().as_html()
    assert "&gt;" in fit._repr_html_()


def test_latex_escapes_names(fit) -> None:
    latex = fit.summary().as_latex()
    assert r"I(age\_ \ensuremath{>} 70)" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 3


def test_csv_reads_back(fit) -> None:
    rows = list(csv.reader(io.StringIO(fit.summary().tables[1].as_csv())))
    assert [row[0] for row in rows[1:]] == list(fit.params.index)
    assert float(rows[1][1]) == pytest.approx(fit.params.iloc[0], abs=5e-5)
    assert fit.summary().as_csv().count("\n\n") == 2


def test_data_of_the_coefficient_table(fit) -> None:
    assert fit.summary().tables[1].data[0] == ["", "coef", "std err", "t", "P>|t|", "[0.025", "0.975]"]


def test_options(fit) -> None:
    names = ["a", "b", "c", "d", "e"]
    summary = fit.summary(alpha=0.1, xname=names, yname="visits", title="Visits")
    assert [row[0] for row in summary.tables[1].rows] == names
    assert summary.tables[1].header[-2:] == ("[0.05", "0.95]")
    assert "visits" in str(summary)
    assert str(summary).splitlines()[0].strip() == "Visits"
    with pytest.raises(ValueError, match="4 names for 5"):
        fit.summary(xname=names[:4])


def test_the_light_side(fit) -> None:
    """The first text's arm for p < 0.05, and its shrug."""
    rows = fit.summary(stars="emoji").tables[1].rows
    for row, p in zip(rows, fit.pvalues, strict=True):
        assert row[-1] == ("\N{FLEXED BICEPS}" if p < 0.05 else "\N{SHRUG}")
    stars = fit.summary(stars="stars")
    assert [row[-1] for row in stars.tables[1].rows] == [
        "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else "" for p in fit.pvalues
    ]
    assert "*** p < 0.001" in str(stars)
    with pytest.raises(ValueError, match="'emoji'"):
        fit.summary(stars="arms")


def test_uncentred_r_squared_is_said(visits) -> None:
    text = str(ft.fit("drvisits ~ age - 1", visits))
    assert "R-squared (uncentered):" in text
    assert "without centering" in text


@pytest.mark.parametrize(
    ("x", "places", "shown"),
    [
        (1.23456, 3, "1.235"),
        (0.0, 3, "0.000"),
        (12345.6, 3, "1.23e+04"),
        (0.000123456, 3, "0.000123"),
        (np.nan, 3, "nan"),
    ],
)
def test_numbers_never_hide(x: float, places: int, shown: str) -> None:
    assert decimals(x, places) == shown


def test_weights_are_named(visits) -> None:
    analytic = ft.fit("drvisits ~ age", visits, weights="educ", subset="educ > 0")
    assert "WLS Regression Results" in str(analytic)
    counts = ft.fit("drvisits ~ age", visits, weights="educ", weights_type="frequency")
    assert "frequency" in str(counts)
