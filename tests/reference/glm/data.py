"""Write the CSV file of this folder that comes with statsmodels; data.R writes those that come with R packages.

Rerun with: python tests/reference/glm/data.py
Written with statsmodels 0.15.0.
"""

from pathlib import Path

import pandas as pd
import statsmodels.othermod

HERE = Path(__file__).parent
RESULTS = Path(statsmodels.othermod.__file__).parent / "tests" / "results"


def food():
    """Expenditure on food and income of 38 households; persons in each."""
    return pd.read_csv(RESULTS / "foodexpenditure.csv")[["food", "income", "persons"]]


if __name__ == "__main__":
    food().to_csv(HERE / "food.csv", index=False)
