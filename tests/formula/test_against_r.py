"""Fits and predictions against R's lm and predict.lm, recorded by tests/reference/formulas.R."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import CollinearityWarning

REFERENCE = Path(__file__).parents[1] / "reference"
STATISTICS = ("rsquared", "rsquared_adj", "fvalue", "llf", "ssr", "df_resid", "nobs")

# Where we differ from R, by the case's label.
REPEATED = "transforms learn from the rows as they stand; R, given the repeated rows, from those"
SUBSET = "transforms learn from the subset, as in statsmodels; R's learn from all rows"
DIFFERENT = {
    "y ~ x + (z - 1)": "R drops the intercept for a -1 in brackets; here that is an error",
    "y ~ x + a %in% (b + l)": "%in% is `:` here; R joins all that stands on its right into one term, a:b:l",
    "y ~ z:x + b:x": "R drops a level of b, taking x for present as z:x holds it; with the terms swapped it agrees",
    "y ~ relevel(factor(k), ref = 2)": "R takes the second level, which is 1; an error here, as 2 is a level too",
    "y ~ round(k / 20, 1)": "R >= 4 rounds 0.15 to 0.1, the nearer double; numpy to 0.2",
    "y ~ C(a, c(-1, 0, 1))": "R completes a contrast to as many columns as there are levels less one",
    "y ~ poly(x, 2) + b weights=f weights_type=frequency": REPEATED,
    "y ~ bs(z, df = 5) weights=f weights_type=frequency": REPEATED,
    "y ~ poly(x, 2) + scale(z) subset=z > 2": SUBSET,
    "y ~ bs(z, df = 5) subset=x > 0": SUBSET,
}


def label(case):
    return " ".join([case["formula"], *(f"{name}={value}" for name, value in case["options"].items())])


def cases(name):
    found = json.loads((REFERENCE / name).read_text())
    return [pytest.param(case, id=label(case), marks=marks(case)) for case in found]


def marks(case):
    reason = DIFFERENT.get(label(case))
    return [pytest.mark.xfail(reason=reason, strict=True)] if reason else []


def numbers(values):
    return np.asarray(values, dtype=np.float64)  # None becomes NaN


def assert_close(got, expected, *, unit=1.0):
    """To eight digits, or to 1e-10 of the unit near zero; missing where R's is missing."""
    got, expected = numbers(got), numbers(expected)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got / unit, expected / unit, rtol=1e-8, atol=1e-10)


def largest(values):
    return np.nanmax(np.abs(numbers(values)))


def fitted(case, frame):
    frame = frame[case["columns"]] if "columns" in case else frame
    if case["dependent"]:
        with pytest.warns(CollinearityWarning, match="dropped"):
            return ft.fit(case["formula"], frame, **case["options"])
    return ft.fit(case["formula"], frame, **case["options"])


@pytest.fixture(scope="module")
def mixed():
    return pd.read_csv(REFERENCE / "mixed.csv")


@pytest.mark.parametrize("case", cases("r_formulas.json"))
def test_fit_equals_lm(case, mixed):
    got = fitted(case, mixed)
    for name in STATISTICS:
        assert_close(getattr(got, name), case[name])
    assert_close(np.sqrt(got.scale), case["sigma"])
    assert_close(got.fittedvalues[:5], case["fitted"], unit=largest(case["fitted"]))
    if case["kind"] == "same":
        bse = numbers(case["bse"])
        assert_close(got.bse, bse, unit=largest(bse))
        assert_close(got.params, case["params"], unit=bse)


@pytest.mark.parametrize("case", cases("r_predict.json"))
def test_predictions_equal_predict_lm(case, mixed):
    predicted = fitted(case, mixed).predict(pd.read_csv(REFERENCE / "newdata.csv"))
    assert_close(predicted, case["predicted"], unit=largest(case["predicted"]))


def test_labels_are_unique_and_every_difference_has_its_case():
    labels = [parameter.id for parameter in cases("r_formulas.json")]
    assert len(set(labels)) == len(labels)
    assert set(DIFFERENT) <= set(labels)
