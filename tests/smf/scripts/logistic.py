"""Who had an affair: a logit, its odds ratios and its marginal effects."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA.parent / "glm" / "affairs.csv").rename(columns={"any": "had"})
model = smf.logit("had ~ age + C(gender) + yearsmarried + religiousness", data=df).fit(disp=0, maxiter=100)
params, conf = model.params, model.conf_int()
conf["OR"] = params
conf.columns = ["2.5%", "97.5%", "OR"]
odds_ratios = np.exp(conf)
pseudo, loglik, test = model.prsquared, model.llf, (model.llr, model.llr_pvalue)
criteria = [model.aic, model.bic]
happened = model.mle_retvals["converged"]
probabilities = model.predict(df)
young = model.predict(pd.DataFrame({"age": [22, 52], "gender": "male", "yearsmarried": [1, 20], "religiousness": 3}))
table = model.pred_table()
accuracy = (table[0, 0] + table[1, 1]) / table.sum()
right = ((probabilities > 0.5).astype(int) == df["had"]).mean()
robust = smf.logit("had ~ age + C(gender)", data=df).fit(disp=False, cov_type="HC1")
robust_z = robust.tvalues
clustered = smf.logit("had ~ age", data=df).fit(
    disp=False, cov_type="cluster", cov_kwds={"groups": df["occupation"]}, method="newton"
)
clustered_p = clustered.pvalues
probit = smf.probit("had ~ age + religiousness", df).fit(disp=0)
scaled = probit.params / model.params[["Intercept", "age", "religiousness"]]
residuals = [model.resid_dev, model.resid_pearson, model.resid_response, probit.resid_generalized]
linear = model.fittedvalues
rounded = model.params.round(3).to_dict()
band = model.get_prediction(df[:5]).summary_frame(alpha=0.1)
wald = model.wald_test("age = 0, yearsmarried = 0", scalar=True).statistic
