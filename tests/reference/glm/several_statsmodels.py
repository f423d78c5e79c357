"""Write several_statsmodels.json: models of several parameters by statsmodels, for those of several_models.json.

Rerun with: python tests/reference/glm/several_statsmodels.py
Written with statsmodels 0.15.0.

Each climb begins at what several.R found and takes Newton's steps until its gradient, in standard errors, is below
1e-9. Errors are of the inverse Hessian, where statsmodels has it in closed form (`exact`). Where it is by differences
they agree with those of R to five digits only, and that of ZeroInflatedPoisson is not the derivative of its score:
errors are then left out.
"""

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from statsmodels.discrete.count_model import ZeroInflatedNegativeBinomialP, ZeroInflatedPoisson
from statsmodels.genmod.families import links
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.othermod.betareg import BetaModel

HERE = Path(__file__).parent
MODELS = json.loads((HERE / "several_models.json").read_text())
FOUND = {record["model"]: record for record in json.loads((HERE / "several_r.json").read_text())}
LINKS = {"logit": links.Logit(), "probit": links.Probit(), "cloglog": links.CLogLog()}


@cache
def read(name):
    return pd.read_csv(HERE / name)


def frame(model):
    data = read(model["data"])
    if "weights" in model:
        data = data.loc[data.index.repeat(data[model["weights"]])].reset_index(drop=True)
    if "levels" in model:
        response = model["formula"].split(" ~")[0]
        data = data.assign(**{response: pd.Categorical(data[response], model["levels"], ordered=True)})
    return data


def climbed(model, start, within=1e-9):
    """Newton's steps of the likelihood that `model` has."""
    theta = np.asarray(start, dtype=float)
    for _ in range(50):
        covariance = np.linalg.inv(-model.hessian(theta))
        score = model.score(theta)
        if np.max(np.abs(score) * np.sqrt(np.diag(covariance))) < 1e-11:
            break
        theta = theta + covariance @ score
    left = np.max(np.abs(model.score(theta)) * np.sqrt(np.diag(covariance)))
    assert left < within, (model.formula, left)
    return theta, errors(np.linalg.inv(-model.hessian(theta))), float(model.loglike(theta))


def errors(covariance):
    return np.sqrt(np.diag(covariance))


def robust(model, theta):
    """Errors by the scores of rows: a sandwich without a factor, and the inverse of their outer products."""
    bread, rows = np.linalg.inv(-model.hessian(theta)), np.asarray(model.score_obs(theta))
    outer = rows.T @ rows
    return {"hc0": list(errors(bread @ outer @ bread)), "opg": list(errors(np.linalg.inv(outer)))}


def ordered_by(names, terms, values):
    """Values of R's terms, in statsmodels' order."""
    at = dict(zip(terms, values, strict=True))
    return [at[name] for name in names]


def answer(names, theta, bse, llf, *, exact, **more):
    return {"terms": list(names), "params": list(theta), "bse": list(bse) if exact else None, "llf": llf, **more}


def negative_binomial(model, found):
    """The last parameter is alpha: the variance is mu + alpha mu^2 (nb2) or mu + alpha mu (nb1)."""
    data = frame(model)
    exposure = {"exposure": data[model["exposure"]]} if "exposure" in model else {}
    made = smf.negativebinomial(model["formula"], data, loglike_method=model["family"], **exposure)
    made._transparams = False  # alpha, not its logarithm
    sign = -1 if model["family"] == "nb2" else 1
    names = made.exog_names[: len(found["terms"])]
    start = [*ordered_by(names, found["terms"], found["params"]), np.exp(sign * found["log_dispersion"])]
    theta, *rest = climbed(made, start)
    return answer([*names, "alpha"], theta, *rest, exact=True, **robust(made, theta))


def zero_inflated(model, found):
    """Parameters of the zeros come first; alpha last."""
    data = frame(model)
    x = smf.poisson(model["formula"], data)
    z = smf.poisson(f"{model['formula'].split(' ~')[0]} {model['inflation']}", data)
    poisson = model["family"] == "zip"
    make = ZeroInflatedPoisson if poisson else ZeroInflatedNegativeBinomialP
    made = make(x.endog, x.exog, exog_infl=z.exog)
    made.formula = model["formula"]
    zeros = ordered_by(z.exog_names, found["zero_terms"], found["zero_params"])
    counts = ordered_by(x.exog_names, found["terms"], found["params"])
    alpha = [] if poisson else [np.exp(-found["log_dispersion"])]
    names = [*(f"inflate_{name}" for name in z.exog_names), *x.exog_names, *(["alpha"] if alpha else [])]
    return answer(names, *climbed(made, [*zeros, *counts, *alpha]), exact=False)


def ordered(model, found):
    """Thresholds are the first and the logarithms of increments."""
    made = OrderedModel.from_formula(model["formula"], frame(model), distr=model["link"])
    names = made.exog_names[: len(found["terms"])]
    cuts = np.array(found["thresholds"])
    start = [*ordered_by(names, found["terms"], found["params"]), cuts[0], *np.log(np.diff(cuts))]
    theta, bse, llf = climbed(made, start, within=1e-6)  # its score is by differences
    k = len(names)
    thresholds = made.transform_threshold_params(theta)[1:-1]
    return answer(names, theta[:k], bse[:k], llf, thresholds=list(thresholds), exact=False)


def multinomial(model, found):
    """A column of parameters for each class but the first."""
    data = frame(model)
    response = model["formula"].split(" ~")[0]
    codes = pd.Categorical(data[response]).codes
    made = smf.mnlogit(model["formula"].replace(response, "_code", 1), data.assign(_code=codes))
    params = np.array(found["params"])
    start = np.column_stack([ordered_by(made.exog_names, found["terms"], column) for column in params.T])
    theta, bse, llf = climbed(made, start.ravel(order="F"))
    shape = (len(made.exog_names), -1)
    return answer(
        made.exog_names,
        theta.reshape(shape, order="F").tolist(),
        bse.reshape(shape, order="F").tolist(),
        llf,
        exact=True,
    )


def beta(model, found):
    """The last parameter is the logarithm of the precision."""
    made = BetaModel.from_formula(model["formula"], frame(model), link=LINKS[model["link"]])
    names = made.exog_names[: len(found["terms"])]
    start = [*ordered_by(names, found["terms"], found["params"]), found["log_dispersion"]]
    theta, *rest = climbed(made, start)
    return answer([*names, "log_precision"], theta, *rest, exact=True, **robust(made, theta))


MAKERS = {
    **dict.fromkeys(("nb1", "nb2"), negative_binomial),
    **dict.fromkeys(("zip", "zinb"), zero_inflated),
    "ordered": ordered,
    "multinomial": multinomial,
    "beta": beta,
}


def main():
    records = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, model in MODELS.items():
            if model["family"] in MAKERS:
                found = MAKERS[model["family"]](model, FOUND[name])
                records.append(json.dumps({"model": name, "peer": "statsmodels 0.15.0", **found}, default=float))
    (HERE / "several_statsmodels.json").write_text("[\n" + ",\n".join(records) + "\n]\n")


if __name__ == "__main__":
    main()
