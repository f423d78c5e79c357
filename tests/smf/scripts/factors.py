"""Categories, contrasts, interactions: names as patsy prints them."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "warpbreaks.csv")
df["heavy"] = df["breaks"] > 30
df["low"] = pd.cut(df["breaks"].rank(), [0, 10, 30, 60])
df["z"] = np.sin(np.arange(len(df)) ** 1.5)
formulas = [
    "breaks ~ wool * tension",
    "breaks ~ C(tension, Treatment(reference='M')) + wool",
    'breaks ~ C(tension, Treatment("H"))',
    "breaks ~ C(tension, Sum) * C(wool, Sum)",
    "breaks ~ z + wool + heavy",
    "breaks ~ z * tension",
    "breaks ~ tension - 1",
    "breaks ~ 0 + wool + z:tension",
    "breaks ~ C(tension, Helmert) + C(wool, Diff)",
    "breaks ~ bs(z, df=4) + wool",
    "breaks ~ standardize(z):tension + wool",
    "breaks ~ scale(z)",
    "np.log(breaks) ~ I(z > 0) + Q('wool')",
    "breaks ~ wool:tension",
    "z ~ low * wool",
]
models = {f: smf.ols(f, data=df).fit() for f in formulas}
params = {f: m.params for f, m in models.items()}
errors = {f: m.bse for f, m in models.items()}
names = {f: m.model.exog_names for f, m in models.items()}
matrices = {f: m.model.exog for f, m in models.items()}
rank = {f: m.df_model for f, m in models.items()}
true_effect = models["breaks ~ z + wool + heavy"].params["heavy[T.True]"]
written = models[formulas[0]].model.formula
criteria = pd.Series({f: m.aic for f, m in models.items()}).sort_values()
best = criteria.index[0]
