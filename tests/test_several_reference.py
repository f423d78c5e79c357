"""Models of several parameters against R (MASS, pscl, ordinal, nnet, glmmTMB) and statsmodels on real data.

The records are written by tests/reference/glm/several.R and several_statsmodels.py; README.md there says how.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import formula_torch as ft

REFERENCE = Path(__file__).parent / "reference" / "glm"
MODELS = json.loads((REFERENCE / "several_models.json").read_text())
R = {record["model"]: record for record in json.loads((REFERENCE / "several_r.json").read_text())}
STATSMODELS = {record["model"]: record for record in json.loads((REFERENCE / "several_statsmodels.json").read_text())}
# The spellings of the records, and ours.
FAMILIES = {
    "nb2": "negative_binomial",
    "nb1": "nb1",
    "zip": "zero_inflated_poisson",
    "zinb": "zero_inflated_negative_binomial",
    "hurdle_poisson": "hurdle_poisson",
    "hurdle_nb2": "hurdle_negative_binomial",
    "beta": "beta",
    "multinomial": "multinomial",
}
OPTIONS = ("inflation", "weights", "weights_type", "exposure")
ORDERED = [name for name, model in MODELS.items() if model["family"] == "ordered"]
MULTINOMIAL = [name for name, model in MODELS.items() if model["family"] == "multinomial"]
COUNTED = [name for name in MODELS if name not in {*ORDERED, *MULTINOMIAL}]
TOLERANCE = 1e-7


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """A thousand small problems are faster so."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def frame(name):
    model = MODELS[name]
    data = pd.read_csv(REFERENCE / model["data"])
    if "levels" in model:
        response = model["formula"].split(" ~")[0]
        data[response] = pd.Categorical(data[response], model["levels"], ordered=True)
    return data


@cache
def fitted(name):
    model = MODELS[name]
    options = {option: model[option] for option in OPTIONS if option in model}
    if model["family"] == "ordered":
        return ft.fit(model["formula"], frame(name), family=f"ordered_{model['link']}", **options)
    if "link" in model:
        options["link"] = model["link"]
    return ft.fit(model["formula"], frame(name), family=FAMILIES[model["family"]], **options)


def expected(name):
    """Names of parameters as ours, their values, and the covariance, all on the scale of ours."""
    record, model = R[name], MODELS[name]
    if name in ORDERED:
        levels = model["levels"]
        names = [*(f"{a}|{b}" for a, b in pairwise(levels)), *record["terms"]]
        return names, [*record["thresholds"], *record["params"]], np.array(record["cov"])
    if name in MULTINOMIAL:
        names = [f"{level}:{term}" for level in record["classes"][1:] for term in record["terms"]]
        return names, np.array(record["params"]).ravel(order="F"), np.array(record["cov"])
    prefix = "zero_" if model["family"].startswith("hurdle") else "inflate_"
    names = [*record["terms"], *(prefix + term for term in record["zero_terms"])]
    values, slopes = [*record["params"], *record["zero_params"]], np.ones(len(record["cov"]))
    if record["log_dispersion"] is not None:
        # theta is one over alpha.
        sign = 1 if model["family"] in ("nb1", "beta") else -1
        last = np.exp(sign * record["log_dispersion"])
        names, values = [*names, "phi" if model["family"] == "beta" else "alpha"], [*values, last]
        slopes[-1] = sign * last
    return names, values, np.array(record["cov"]) * np.outer(slopes, slopes)


def close(got, wanted, *, unit=0.0, rtol=TOLERANCE):
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    assert got.shape == wanted.shape
    size = np.fmax(np.abs(wanted), unit)
    np.testing.assert_allclose(got / size, wanted / size, rtol=0, atol=rtol)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_covariance(name):
    fit = fitted(name)
    names, values, cov = expected(name)
    bse = np.sqrt(np.diag(cov))
    assert set(fit.params.index) == set(names)
    close(fit.params[names], values, unit=bse)
    close(fit.bse[names], bse)
    unit = np.outer(bse, bse)
    np.testing.assert_allclose(fit.cov_params().loc[names, names] / unit, cov / unit, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", MODELS)
def test_loglikelihood_and_size(name):
    fit, record = fitted(name), R[name]
    close(fit.llf, record["llf"], rtol=1e-10)
    close(fit.aic, -2 * record["llf"] + 2 * len(record["cov"]), rtol=1e-10)


@pytest.mark.parametrize("name", [name for name, record in R.items() if record.get("peers")])
def test_loglikelihood_of_mass_pscl_and_nnet(name):
    for peer in R[name]["peers"]:
        close(fitted(name).llf, peer["llf"], rtol=1e-9)


@pytest.mark.parametrize("name", [n for n in COUNTED if n in STATSMODELS and STATSMODELS[n]["bse"]])
def test_statsmodels_has_the_same_dispersion_and_error(name):
    fit, record = fitted(name), STATSMODELS[name]
    if MODELS[name]["family"] == "beta":
        phi = np.exp(record["params"][-1])
        close([fit.params["phi"], fit.bse["phi"]], [phi, phi * record["bse"][-1]])
    else:
        assert record["terms"][-1] == "alpha"
        close([fit.params["alpha"], fit.bse["alpha"]], [record["params"][-1], record["bse"][-1]])
    close(fit.bse[record["terms"][:-1]], record["bse"][:-1])
    close(fit.llf, record["llf"], rtol=1e-10)


@pytest.mark.parametrize("name", [n for n in STATSMODELS if "hc0" in STATSMODELS[n] and "weights" not in MODELS[n]])
def test_errors_by_scores_of_rows(name):
    """Of frequencies a row's score would be that of all its copies."""
    fit, record = fitted(name), STATSMODELS[name]
    names = record["terms"][:-1]
    for kind in ("hc0", "opg"):
        robust = fit.with_vcov(kind.upper())
        close(robust.bse[names], record[kind][:-1])
        scale = fit.params["phi"] if MODELS[name]["family"] == "beta" else 1.0
        close(robust.bse.drop(names), [record[kind][-1] * scale])


@pytest.mark.parametrize("name", [n for n in MULTINOMIAL if n in STATSMODELS])
def test_multinomial_of_statsmodels(name):
    fit, record = fitted(name), STATSMODELS[name]
    for j, level in enumerate(R[name]["classes"][1:]):
        names = [f"{level}:{term}" for term in record["terms"]]
        bse = np.array(record["bse"])[:, j]
        close(fit.params[names], np.array(record["params"])[:, j], unit=bse)
        close(fit.bse[names], bse)


@pytest.mark.parametrize("name", ORDERED)
def test_ordered_model_of_statsmodels(name):
    """Its score is by differences."""
    fit, record = fitted(name), STATSMODELS[name]
    close(fit.params[record["terms"]], record["params"], unit=fit.bse[record["terms"]].to_numpy(), rtol=1e-6)
    close(fit.llf, record["llf"], rtol=1e-10)
