"""Covariances, p-values and intervals against R, statsmodels and pyfixest on their shipped data.

The records are written by tests/reference/inference/covariances.R and covariances.py; README.md there says how.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft

REFERENCE = Path(__file__).parents[1] / "reference" / "inference"
OPTIONS = ("weights", "weights_type", "subset")
MODELS = json.loads((REFERENCE / "covariance_models.json").read_text())
RECORDS = [
    record
    for name in ("covariances_r.json", "covariances_peers.json")
    for record in json.loads((REFERENCE / name).read_text())
]
TOLERANCE = 1e-8


@cache
def frame(name):
    return pd.read_csv(REFERENCE / name)


def estimator(vcov):
    fields = dict(vcov)
    make = getattr(ft.vcov, fields.pop("estimator"))
    return make(*fields.pop("by", ()), **fields)


@cache
def fitted(name):
    """`with_vcov` equals `fit(vcov=)`, as test_covariance_properties.py holds."""
    model = MODELS[name]
    options = {option: model[option] for option in OPTIONS if option in model}
    return ft.fit(model["formula"], frame(model["data"]), **options)


def label(record):
    return f"{record['model']} - {record['peer'].split()[0]} {record['call'].replace(' ', '')}"


def assert_covariance(fit, record):
    names = MODELS[record["model"]]["names"]
    got, expected = fit.cov_params(), np.array(record["cov"])
    assert list(got.index) == list(got.columns) == names
    bse = np.sqrt(np.diag(expected))
    unit = np.outer(bse, bse)
    np.testing.assert_allclose(got.to_numpy() / unit, expected / unit, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(fit.bse, bse, rtol=TOLERANCE)
    np.testing.assert_allclose(fit.params / bse, record["params"] / bse, rtol=TOLERANCE, atol=TOLERANCE)


def assert_tests(fit, test, floor):
    if "df" in test:
        assert fit.covariance.df == test["df"]
    np.testing.assert_allclose(fit.pvalues, test["pvalues"], rtol=TOLERANCE, atol=floor)
    unit = fit.bse.to_numpy()[:, None]
    got, expected = fit.conf_int().to_numpy(), np.array(test["conf_int"])
    np.testing.assert_allclose(got / unit, expected / unit, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("record", RECORDS, ids=label)
def test_equals_the_peer(record):
    # pyfixest takes 1 - P; R gives denormal numbers.
    floor = 1e-15 if record["peer"].startswith("pyfixest") else 1e-300
    tests = {test["use_t"]: test for test in record["tests"]}
    for use_t in tests or [None]:
        fit = fitted(record["model"]).with_vcov(estimator(record["vcov"]), use_t)
        assert_covariance(fit, record)
        if use_t in tests:
            assert_tests(fit, tests[use_t], floor)


def test_every_record_has_its_own_name_and_all_peers_are_there():
    labels = [label(record) for record in RECORDS]
    assert len(set(labels)) == len(labels)
    assert {record["peer"].split()[0] for record in RECORDS} >= {"sandwich", "clubSandwich", "statsmodels", "pyfixest"}
    assert len(labels) >= 80
