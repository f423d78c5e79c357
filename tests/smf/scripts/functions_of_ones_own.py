"""Functions of the script called in the formula, dotted and local."""
import types

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "public_schools.csv").dropna()
tools = types.SimpleNamespace(half=lambda x: x / 2)


def log_plus_1(x):
    return np.log(x + 1.0)


def clipped(x, low, high):
    return x.clip(low, high)


outer = smf.ols("log_plus_1(expenditure) ~ log_plus_1(income) + tools.half(income) + np.sinc(income)", data=df).fit()
params, names = outer.params, outer.model.exog_names
new = outer.predict(pd.DataFrame({"income": [0.5, 0.7]}))


def local():
    def cube(x):
        return x**3

    return smf.ols("expenditure ~ cube(income) + clipped(income, 0.6, 0.9)", data=df).fit()


inside = local().params
cut = smf.ols("expenditure ~ pd.cut(income, [0, 0.7, 0.8, 2])", df).fit().params
mapped = smf.ols("expenditure ~ C(np.where(income > 0.75, 'rich', 'poor'))", df).fit().params
