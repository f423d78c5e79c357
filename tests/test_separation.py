"""Separated data through `ft.fit`: what is said, what is NaN, and what Jeffreys's prior gives instead."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, SeparationWarning

FOLDER = Path(__file__).parent / "reference" / "glm"


@pytest.fixture
def data() -> pd.DataFrame:
    draw = np.random.default_rng(4)
    n = 240
    frame = pd.DataFrame({"x": draw.normal(size=n), "g": draw.choice(list("abcd"), n), "h": draw.choice(["u", "v"], n)})
    coin = pd.Series((draw.random(n) < 0.5) * 1)
    count = pd.Series(draw.poisson(2, n))
    return frame.assign(
        coin=coin,
        level=coin.where(frame.g != "c", 0),
        first=coin.where(frame.g != "a", 1),
        count=count.where(frame.g != "c", 0),
        apart=(frame.x > 0) * 1,
    )


def fitted(formula: str, data: pd.DataFrame, family: str, **options):
    """The fit and its one warning."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit = ft.fit(formula, data, family=family, **options)
    (warning,) = seen
    assert warning.category is SeparationWarning
    assert warning.filename == __file__
    return fit, str(warning.message)


@pytest.mark.parametrize("vcov", ["iid", "HC1", {"cluster": "h"}])
@pytest.mark.parametrize(
    ("family", "y", "link"),
    [("binomial", "level", "logit"), ("binomial", "level", "probit"), ("poisson", "count", "log")],
)
def test_level_of_zeros_loses_its_error_and_nothing_else_does(family: str, y: str, link: str, vcov, data) -> None:
    fit, message = fitted(f"{y} ~ g + x", data, family, link=link, vcov=vcov)
    assert message.startswith(f"`{y}` is 0 in all {(data.g == 'c').sum()} rows of `g[T.c]`: its estimate is infinite")
    assert message.endswith("ft.fit(..., prior='firth') gives finite estimates.")
    named = ["g[T.c]"]
    for column in (fit.bse, fit.pvalues, fit.conf_int()[0], fit.tvalues):
        assert column.index[column.isna()].tolist() == named
    part = ft.fit(f"{y} ~ g + x", data[data.g != "c"], family=family, link=link, vcov=vcov)
    others = fit.params.index.drop(named)
    np.testing.assert_allclose(fit.params[others], part.params[others], rtol=1e-8)
    if vcov == "iid":
        np.testing.assert_allclose(fit.bse[others], part.bse[others], rtol=1e-8)
    assert fit.llf == pytest.approx(part.llf, rel=1e-9)
    assert (fit.fittedvalues[data.g == "c"] < 1e-6).all()
    row = next(line for line in str(fit.summary()).splitlines() if line.startswith("g[T.c]"))
    assert row.count("nan") == 5


def test_reference_level_and_quasi_likelihood(data) -> None:
    fit, message = fitted("first ~ g + x", data, "quasibinomial")
    assert "`g[T.b]`, `g[T.c]`, `g[T.d]` together separate the response" in message
    assert "(all are 1)" in message
    assert message.endswith("Merge levels, or drop columns.")
    assert fit.bse.index[fit.bse.notna()].tolist() == ["x"]


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_complete_separation(link: str, data) -> None:
    fit, message = fitted("apart ~ x", data, "binomial", link=link)
    assert message.startswith("`x` separates the response: 240 of 240 rows are predicted with certainty")
    assert fit.bse.isna().all()
    np.testing.assert_allclose(fit.fittedvalues, data["apart"], atol=1e-5)


def test_one_outcome_only(data) -> None:
    fit, message = fitted("one ~ 1", data.assign(one=1), "binomial")
    assert message.startswith("`one` is 1 in all 240 rows: its estimate is infinite")
    assert fit.bse.isna().all()


def test_firth_needs_no_warning_and_is_finite(data) -> None:
    for formula, family in (("level ~ g + x", "binomial"), ("apart ~ x", "binomial"), ("count ~ g * x", "poisson")):
        fit = ft.fit(formula, data, family=family, prior="firth")
        assert np.isfinite(fit.params).all()
        assert np.isfinite(fit.bse).all()
        assert (fit.bse[fit.bse.index != "x"] < 5).all()
        assert "penalised log-likelihood" in str(fit.summary())


def test_firth_log_likelihood_is_unpenalised(data) -> None:
    fit = ft.fit("level ~ g + x", data, family="binomial", prior="firth")
    p = fit.fittedvalues
    assert fit.llf == pytest.approx(float(np.log(p.where(data.level == 1, 1 - p)).sum()), rel=1e-12)
    assert fit.llf < fitted("level ~ g + x", data, "binomial")[0].llf


@pytest.mark.parametrize("name", ["levels_logit", "levels_probit", "complete_logit", "ships_poisson"])
def test_real_data_that_are_separated(name: str) -> None:
    """Said so without the prior; brglm2's numbers with it."""
    (case,) = (c for c in json.loads((FOLDER / "firth_r.json").read_text()) if c["name"] == name)
    frame = pd.read_csv(FOLDER / case["data"])
    options = {"link": case["link"], "offset": case.get("offset")}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        plain = ft.fit(case["formula"], frame, family=case["family"], **options)
        said = {warning.category for warning in seen} - {CollinearityWarning}
        fit = ft.fit(case["formula"], frame, family=case["family"], prior="firth", **options)
    assert said == {SeparationWarning}
    bse = np.array(case["bse"], float)
    assert plain.bse.isna().sum() > np.isnan(bse).sum()
    np.testing.assert_allclose(fit.params / bse, np.array(case["params"], float) / bse, rtol=0, atol=1e-8)
    np.testing.assert_allclose(fit.bse, bse, rtol=1e-8)


def test_ordinary_fits_load_no_linear_programs() -> None:
    code = (
        "import sys, formula_torch as ft; ft.fit('private ~ age + educ', ft.datasets.visits(), family='binomial'); "
        "print('scipy.optimize' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
