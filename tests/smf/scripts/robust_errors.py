"""Heteroskedasticity: several standard errors side by side."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "public_schools.csv").dropna()
ols = smf.ols("expenditure ~ income + I(income**2)", data=df).fit()
hc = {kind: smf.ols("expenditure ~ income + I(income**2)", df).fit(cov_type=kind) for kind in ("HC0", "HC1", "HC2", "HC3")}
table = pd.DataFrame({kind: res.bse for kind, res in hc.items()})
table["classic"] = ols.bse
by_attribute = pd.DataFrame({"HC0": ols.HC0_se, "HC1": ols.HC1_se, "HC2": ols.HC2_se, "HC3": ols.HC3_se})
z = hc["HC3"].tvalues
p = hc["HC3"].pvalues
interval = hc["HC1"].conf_int()
with_t = smf.ols("expenditure ~ income + I(income**2)", df).fit(cov_type="HC3", use_t=True)
p_t = with_t.pvalues
uses_t = hc["HC1"].use_t, with_t.use_t, ols.use_t
kinds = [res.cov_type for res in hc.values()]
fstats = [(res.fvalue, res.f_pvalue) for res in hc.values()]
later = ols.get_robustcov_results(cov_type="HC1")
later_bse = later.bse
later_first = later.params[0]
later_p = later.pvalues[1]
later_interval = later.conf_int()
later_series = pd.Series(later.bse, index=ols.params.index)
ratio = np.asarray(later.bse) / ols.bse
sandwich = ols.cov_HC3
