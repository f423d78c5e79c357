"""Many regressions: over formulas and over groups."""
import pandas as pd
from statsmodels.formula.api import ols

df = pd.read_csv(DATA / "grunfeld.csv")
rows = []
for controls in ["", " + value", " + value + capital", " + value * capital"]:
    fitted = ols("invest ~ year" + controls, data=df).fit()
    rows.append({"controls": controls, "r2": fitted.rsquared, "aic": fitted.aic, "year": fitted.params["year"], "n": fitted.nobs})
comparison = pd.DataFrame(rows)


def slope(frame):
    m = ols("invest ~ value + capital", data=frame).fit()
    return pd.Series({"value": m.params["value"], "se": m.bse["value"], "p": m.pvalues["value"], "r2": m.rsquared})


by_firm = df.groupby("firm")[["invest", "value", "capital"]].apply(slope)
lists = {firm: ols("invest ~ value", data=frame).fit().resid.std() for firm, frame in df.groupby("firm")}
best = by_firm["r2"].idxmax()
wide = pd.concat({firm: ols("invest ~ value", frame).fit().params for firm, frame in df.groupby("firm")}, axis=1)
within = df.assign(dy=df["invest"] - df.groupby("firm")["invest"].transform("mean"))
demeaned = ols("dy ~ 0 + value", within).fit()
demeaned_r2, demeaned_params = demeaned.rsquared, demeaned.params
