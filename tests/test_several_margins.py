"""Marginal effects and average predictions of models of several predictors, against differences of predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from formula_torch.errors import DataError, FormulaError, UnknownNameError
from formula_torch.families.several import resolve_several
from formula_torch.fitting.further import further_formulas, learn_together
from formula_torch.fitting.several import solve_several
from formula_torch.inference.vcov import resolve_vcov
from formula_torch.result.call import Call, table_reference
from formula_torch.result.effects import MarginalEffects
from formula_torch.result.rows import Rows
from formula_torch.result.several import SeveralFit

N = 250


def fit(formula: str, data: pd.DataFrame, family: str, **given: Any) -> SeveralFit:
    chosen = resolve_several(family)
    further = further_formulas(chosen, {"inflation": given.pop("inflation", None)})
    problem, others = learn_together(formula, further, data, reading=chosen.reading, **given)
    call = Call(f"fit({formula!r})", "torch", "cpu", None, table_reference(data))
    rows = Rows.of(problem, given.get("weights"), given.get("offset"), given.get("exposure"))
    return solve_several(problem, rows, call, resolve_vcov("HC1"), chosen, further=others)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, z, g = rng.normal(size=N) + 2, rng.normal(size=N), rng.choice(list("abc"), N)
    counts = rng.poisson(np.exp(0.2 + 0.3 * x - 0.2 * (g == "b")) * rng.gamma(2, 0.5, N))
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "counts": np.where(rng.random(N) < 1 / (1 + np.exp(1 - z)), 0, counts).astype(float),
            "level": np.digitize(0.7 * x - 0.4 * z + rng.logistic(size=N), [0, 1.5, 3]),
            "w": rng.uniform(0.5, 2, N),
            "t": rng.uniform(0.5, 3.0, N),
        }
    )


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "nb2": ("counts ~ x + I(x**2) + g", "nb2", {"exposure": "t"}),
    "zinb": ("counts ~ x + g", "zinb", {"inflation": "~ z + I(x**2)"}),
    "hurdle": ("counts ~ x * z", "hurdle_poisson", {"inflation": "~ z"}),
    "multinomial": ("level ~ x + g", "multinomial", {"weights": "w"}),
    "ordered": ("level ~ x * z", "ordered_probit", {}),
}


@pytest.fixture(scope="module", params=CASES)
def own(request: pytest.FixtureRequest, data: pd.DataFrame) -> SeveralFit:
    formula, family, given = CASES[request.param]
    return fit(formula, data, family, **given)


def average(own: SeveralFit, data: pd.DataFrame, **columns: Any) -> np.ndarray:
    found = own.predict(data.assign(**columns)).to_numpy().reshape(len(data), -1)
    weights = data.w.to_numpy() if own.weights_type else np.ones(len(data))
    return weights @ found / weights.sum()


def test_slopes_and_contrasts_are_differences_of_predictions(own: SeveralFit, data: pd.DataFrame) -> None:
    table = own.marginal_effects().table
    h = 1e-5
    for name in ("x", "z"):
        if name in set(table["term"]):
            expected = (average(own, data, **{name: data[name] + h}) - average(own, data, **{name: data[name] - h})) / (
                2 * h
            )
            assert np.allclose(table.loc[table["term"] == name, "estimate"], expected, atol=1e-8)
    if "g" in set(table["term"]):
        for level in ("b", "c"):
            expected = average(own, data, g=level) - average(own, data, g="a")
            found = table.loc[table["contrast"] == f"{level} - a", "estimate"]
            assert np.allclose(found, expected, atol=1e-12)
    assert ("level" in table) == bool(own.family.levels)


@pytest.mark.parametrize("method", ["dydx", "eyex"])
def test_gradients_are_differences_in_the_parameters(own: SeveralFit, method: str) -> None:
    def effects(fitted: SeveralFit) -> MarginalEffects:
        return fitted.marginal_effects("x", method=method)

    here, h = effects(own), 1e-5
    for j in range(len(own.names)):
        step = np.zeros(len(own.names))
        step[j] = h
        up, down = (effects(replace(own, coefficients=own.coefficients + s)) for s in (step, -step))
        assert np.allclose(here.jacobian[:, j], (up.margeff - down.margeff) / (2 * h), rtol=1e-5, atol=1e-7)
    v = own.cov_params().to_numpy()
    assert np.allclose(here.margeff_se, np.sqrt(np.diag(here.jacobian @ v @ here.jacobian.T)))


def test_average_predictions(own: SeveralFit, data: pd.DataFrame) -> None:
    table = own.average_predictions(at={"x": [1, 2]}).table
    for value in (1, 2):
        found = table.loc[table["x"] == value, "estimate"]
        assert np.allclose(found, average(own, data, x=value), rtol=1e-12)
    here = own.average_predictions()
    for j in range(len(own.names)):
        step = np.zeros(len(own.names))
        step[j] = 1e-6
        pair = [replace(own, coefficients=own.coefficients + s).average_predictions().margeff for s in (step, -step)]
        assert np.allclose(here.jacobian[:, j], (pair[0] - pair[1]) / 2e-6, rtol=1e-5, atol=1e-7)


def test_groups_and_new_rows(own: SeveralFit, data: pd.DataFrame) -> None:
    by = own.marginal_effects("x", by="g").table
    for level, rows in data.groupby("g"):
        alone = own.marginal_effects("x", newdata=rows).table
        if own.weights_type is None:
            assert np.allclose(by.loc[by["g"] == level, "estimate"], alone["estimate"], rtol=1e-10)
    at_mean = own.marginal_effects("x", at="mean").table
    assert len(at_mean) == max(len(own.family.levels), 1)


def test_multinomial_effects_are_statsmodels(data: pd.DataFrame) -> None:
    own = fit("level ~ x + z", data, "multinomial").with_vcov("iid")
    peer = sm.MNLogit(data.level, sm.add_constant(data[["x", "z"]])).fit(disp=0).get_margeff()
    table = own.marginal_effects().table
    assert np.allclose(table["estimate"].to_numpy().reshape(2, -1), peer.margeff, atol=1e-9)
    assert np.allclose(table["std_error"].to_numpy().reshape(2, -1), peer.margeff_se, rtol=1e-6)


@pytest.mark.parametrize("at", ["overall", "mean", "median", "zero"])
@pytest.mark.parametrize("method", ["dydx", "eyex", "eydx", "dyex"])
def test_effects_of_columns_are_statsmodels(data: pd.DataFrame, at: str, method: str) -> None:
    columns = sm.add_constant(data[["x", "z"]])
    models = (
        (fit("counts ~ x + z", data, "nb2"), sm.NegativeBinomial(data.counts, columns)),
        (fit("level ~ x + z", data, "multinomial"), sm.MNLogit(data.level, columns)),
    )
    # Elasticities of a multinomial model are an error there.
    for own, model in models[: 1 if method.endswith("ex") else 2]:
        peer = model.fit(disp=0, method="newton", maxiter=100).get_margeff(at=at, method=method)
        found = own.with_vcov("iid").get_margeff(at=at, method=method)
        assert np.allclose(found.margeff, np.ravel(peer.margeff), rtol=1e-6, atol=1e-9)
        assert np.allclose(found.margeff_se, np.ravel(peer.margeff_se), rtol=1e-5)


def test_effects_of_indicators_and_counts_are_differences(data: pd.DataFrame) -> None:
    more = data.assign(d=(data.z > 0).astype(float), c=data.level.astype(float))
    own = fit("counts ~ x + d + c", more, "nb2").with_vcov("iid")
    model = sm.NegativeBinomial(more.counts, sm.add_constant(more[["x", "d", "c"]]))
    peer = model.fit(disp=0, method="newton", maxiter=100).get_margeff(dummy=True, count=True)
    found = own.get_margeff(dummy=True, count=True)
    assert np.allclose(found.margeff, peer.margeff, rtol=1e-6)
    assert np.allclose(found.margeff_se, peer.margeff_se, rtol=1e-5)
    with pytest.raises(DataError, match="one formula"):
        fit("counts ~ x", data, "zip", inflation="~ z").get_margeff()


def test_probabilities_of_levels_sum_to_one_and_their_effects_to_zero(data: pd.DataFrame) -> None:
    own = fit("level ~ x + z", data, "ordered_logit")
    table = own.marginal_effects().table
    assert np.allclose(table.groupby("term")["estimate"].sum(), 0, atol=1e-14)
    assert own.average_predictions().table["estimate"].sum() == pytest.approx(1)


def test_predictions_have_errors_by_the_delta_method(own: SeveralFit, data: pd.DataFrame) -> None:
    few = data.head(9)
    found = own.get_prediction(few)
    mean = own.predict(few).to_numpy()
    assert np.allclose(found.predicted_mean, mean)
    jacobian = []
    for j in range(len(own.names)):
        step = np.zeros(len(own.names))
        step[j] = 1e-6
        pair = [replace(own, coefficients=own.coefficients + s).predict(few).to_numpy() for s in (step, -step)]
        jacobian.append((pair[0] - pair[1]) / 2e-6)
    gradient, v = np.stack(jacobian), own.cov_params().to_numpy()
    assert np.allclose(found.se_mean, np.sqrt(np.einsum("i...,ij,j...->...", gradient, v, gradient)), rtol=1e-5)
    frame, bounds = found.summary_frame(), found.conf_int()
    assert len(frame) == mean.size
    assert ((bounds[..., 0] < mean) & (mean < bounds[..., 1])).all()
    assert (bounds > 0).all()
    delta = found.conf_int(method="delta")
    assert np.allclose(delta.mean(-1), mean)
    if own.family.levels:
        assert (bounds < 1).all()
        assert frame["level"].tolist() == list(own.recipe.response_levels) * 9


def test_the_interval_of_an_exponential_mean_is_that_of_its_predictor(data: pd.DataFrame) -> None:
    own = fit("counts ~ x", data, "nb2")
    x = np.array([[1.0, 0.5]])
    v = own.cov_params().to_numpy()[:2, :2]
    middle, error = float((x @ own.params[:2])[0]), float(np.sqrt(x @ v @ x.T)[0, 0])
    found = own.get_prediction({"x": [0.5]}).conf_int(alpha=0.1)
    assert np.log(found[0]) == pytest.approx(middle + np.array([-1, 1]) * 1.6448536269514722 * error)


def test_what_cannot_be_had_is_said(data: pd.DataFrame) -> None:
    own = fit("counts ~ x + g", data, "zip", inflation="~ z")
    with pytest.raises(UnknownNameError, match="does not use `w`"):
        own.marginal_effects("w")
    with pytest.raises(FormulaError, match="compared by its levels"):
        own.marginal_effects("g", method="eyex")
    with pytest.raises(ValueError, match="at= and in by="):
        own.marginal_effects("x", at={"g": "a"}, by="g")
    array = fit("counts ~ x", data, "nb2", offset=np.log(data.t.to_numpy()))
    assert np.isfinite(array.marginal_effects("x").margeff).all()
    with pytest.raises(DataError, match="array as offset"):
        array.marginal_effects("x", newdata=data)
