"""Write the CSV files of this folder that come with statsmodels; data.R writes those that come with R packages.

Rerun with: python tests/reference/inference/data.py
Written with statsmodels 0.15.0.
"""

from pathlib import Path

import statsmodels.api as sm

HERE = Path(__file__).parent


def grunfeld():
    """Firms stand in the order of the source, years ascend within a firm."""
    data = sm.datasets.grunfeld.load_pandas().data
    return data.astype({"year": int})[["firm", "year", "invest", "value", "capital"]]


def macro():
    """Rows are sorted by quarter, then year: an estimator that ignores `period` is found out."""
    data = sm.datasets.macrodata.load_pandas().data.astype({"year": int, "quarter": int})
    data = data.assign(period=4 * data["year"] + data["quarter"]).sort_values(["quarter", "year"])
    return data[["period", "year", "quarter", "realcons", "realdpi", "tbilrate", "unemp", "infl", "pop"]]


if __name__ == "__main__":
    grunfeld().to_csv(HERE / "grunfeld.csv", index=False)
    macro().to_csv(HERE / "macro.csv", index=False)
