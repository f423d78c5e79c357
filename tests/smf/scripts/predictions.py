"""Predictions on new data, with transforms that remember."""
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

df = pd.read_csv(DATA / "california_schools.csv")
train, test = df.iloc[:300], df.iloc[300:]
model = smf.ols("read ~ np.log(income) + standardize(english) + C(grades) + I(lunch**2)", data=train).fit()
predicted = model.predict(test)
rmse = np.sqrt(((test["read"] - predicted) ** 2).mean())
single = model.predict(exog=pd.DataFrame({"income": [15.0], "english": [3.0], "grades": ["KK-08"], "lunch": [40.0]}))
several = model.predict(pd.DataFrame({"income": [15.0, 20.0], "english": 3.0, "grades": "KK-08", "lunch": [4.0, 40.0]}))
own = model.predict()
same = bool(np.allclose(own, model.fittedvalues))
grid = pd.DataFrame({"income": np.linspace(6, 50, 5), "english": 10.0, "grades": "KK-06", "lunch": 30.0})
grid["fit"] = model.predict(grid)
by_hand = model.model.predict(model.params, model.model.exog)
holes = test.copy()
holes.loc[holes.index[2], "income"] = np.nan
with_holes = model.predict(holes)
in_sample = model.predict(train)
