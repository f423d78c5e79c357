"""Write wild_pyfixest.json: t statistics of all Rademacher draws, which no seed can change.

Needs pyfixest with its optional dependency wildboottest (0.3.2), and numba.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyfixest

HERE = Path(__file__).parent
# Every such order statistic of |t*| is kept.
STEP = 16
CASES = [
    ("petersen.csv", "y ~ x", "x", "year"),
    ("petersen.csv", "y ~ x", "Intercept", "year"),
    ("employment.csv", "np.log(emp) ~ np.log(wage) + np.log(capital)", "np.log(wage)", "sector"),
    ("employment.csv", "np.log(emp) ~ np.log(wage) + np.log(capital)", "np.log(capital)", "year"),
]


def record(data, formula, param, cluster, impose_null):
    frame = pd.read_csv(HERE / data)
    fit = pyfixest.feols(formula, frame, vcov={"CRV1": cluster})
    result, draws = fit.wildboottest(
        reps=9999, param=param, cluster=cluster, impose_null=impose_null, seed=1, return_bootstrapped_t_stats=True
    )
    return {
        "data": data,
        "formula": formula,
        "param": param,
        "cluster": cluster,
        "impose_null": impose_null,
        "t": float(result["t value"]),
        "p": float(result["Pr(>|t|)"]),
        "draws": len(draws),
        "step": STEP,
        "ordered": np.sort(np.abs(draws))[::STEP].tolist(),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    records = [record(*case, impose_null) for case in CASES for impose_null in (True, False)]
    text = json.dumps({"pyfixest": pyfixest.__version__, "records": records}, indent=1)
    (HERE / "wild_pyfixest.json").write_text(text + "\n")
