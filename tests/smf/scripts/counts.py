"""Claims of car insurers: counts with an exposure, by both interfaces."""
import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf

df = pd.read_csv(DATA.parent / "glm" / "insurance.csv")
model = smf.glm("claims ~ C(district) + age + engine", data=df, family=sm.families.Poisson(), exposure=df["holders"]).fit()
deviance, pearson = model.deviance, model.pearson_chi2
dispersion = model.pearson_chi2 / model.df_resid
null = model.null_deviance
rates = np.exp(model.params)
residuals = [model.resid_deviance, model.resid_pearson, model.resid_working, model.resid_anscombe]
quasi = smf.glm("claims ~ age", df, family=sm.families.Poisson(), offset=np.log(df["holders"])).fit(scale="X2")
quasi_se, quasi_p = quasi.bse, quasi.pvalues
counts = smf.poisson("claims ~ age", data=df, exposure=df["holders"]).fit(disp=0, cov_type="HC0")
counts_se, size = counts.bse, counts.nobs
ahead = counts.predict(df[:4], exposure=df["holders"][:4])
shares = smf.glm("claims + others ~ age", data=df, family=sm.families.Binomial()).fit()
odds = np.exp(shares.params)
fitted, mu = shares.fittedvalues, shares.mu
amount = smf.glm("holders ~ engine", df, family=sm.families.Gamma(link=sm.families.links.Log())).fit()
scale, loglik = amount.scale, amount.llf
info = [amount.aic, amount.bic, amount.bic_deviance]
pseudo = model.pseudo_rsquared(kind="cs")
frame = amount.get_prediction(df[:3]).summary_frame()
