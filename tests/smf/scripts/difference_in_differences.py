"""A panel with effects of firm and year, an interaction of interest, clustered errors."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "employment.csv")
df["treated"] = (df["sector"] >= 5).astype(int)
df["after"] = df["year"] >= 1980
did = smf.ols("emp ~ treated * after + wage", data=df).fit(cov_type="cluster", cov_kwds={"groups": df["firm"]})
effect = did.params["after[T.True]:treated"] if "after[T.True]:treated" in did.params else did.params["treated:after[T.True]"]
names = did.params.index.tolist()
table = pd.concat([did.params, did.bse, did.pvalues], axis=1).round(6)
means = df.groupby(["treated", "after"])["emp"].mean().unstack()
event = smf.ols("emp ~ C(year, Treatment(1979)):treated + C(year) + np.log(capital)", data=df).fit(
    cov_type="cluster", cov_kwds={"groups": df["firm"]}
)
path = event.params[event.params.index.str.contains(":treated")]
path_se = event.bse[path.index]
band = event.conf_int().loc[path.index]
driscoll = smf.ols("emp ~ wage + capital", df).fit(
    cov_type="hac-groupsum", cov_kwds={"time": (df["year"] - df["year"].min()).values, "maxlags": 2}
)
driscoll_se = driscoll.bse
