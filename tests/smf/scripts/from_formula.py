"""Classes rather than functions, pickles, and what the model holds."""
import pickle

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "california_schools.csv")
model = smf.ols.__self__.from_formula("math ~ income + grades", data=df)
fitted = model.fit(method="qr")
params = fitted.params
shape = model.exog.shape, model.endog.shape, model.nobs, model.k_constant, model.rank
degrees = model.df_model, model.df_resid
frame = model.data.frame
columns = model.data.orig_exog
response = model.data.orig_endog
copied = pickle.loads(pickle.dumps(fitted))
copied_params, copied_bse, copied_r2 = copied.params, copied.bse, copied.rsquared
copied_new = copied.predict(df.head(3))
copied_cells = [[c.strip() for c in row] for row in copied.summary().tables[1].data]
normalised = fitted.normalized_cov_params
criteria = fitted.info_criteria("aic"), fitted.info_criteria("bic")
quiet = model.fit(disp=0).rsquared
tests = fitted.t_test_pairwise("grades").result_frame
breusch_pagan = np.linalg.lstsq(model.exog, fitted.resid**2, rcond=None)[0]
residual = float(np.sqrt(fitted.mse_resid)), fitted.resid.describe()
