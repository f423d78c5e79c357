"""The order of a unit's rows in time, and what its group looks like as they arrive."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from formula_torch.data import Frame
from formula_torch.formula.sample import row_labels

__all__ = ["running_posterior"]


def running_posterior(
    density: np.ndarray, log_share: np.ndarray, codes: np.ndarray, units: pd.Index, frame: Frame, time: str
) -> pd.DataFrame:
    """Probability of each group given all rows of the unit up to each time.

    Parameters
    ----------
    density : array, shape (K, n)
        Log-densities of the rows.
    log_share : array, shape (1 or n_units, K)
        Log-probabilities of the groups before the first row, up to a constant.
    codes : int array, shape (n,)
        Unit of each row.
    units : Index, shape (n_units,)
    frame : Frame
        Holds the column of times.
    time : str

    Returns
    -------
    DataFrame, index (unit, time), columns 1..K
        A row for each time of each unit, in that order.

    Raises
    ------
    DataError
        A time is missing, or is text.
    """
    moments, _ = row_labels(time, frame, "time", np.ones(len(codes), dtype=bool))
    order = np.lexsort((moments, codes))
    codes, moments = codes[order], moments[order]
    sums = pd.DataFrame(density.T[order]).groupby(codes).cumsum().to_numpy()
    # Rows of one time arrive together.
    last = np.append((codes[1:] != codes[:-1]) | (moments[1:] != moments[:-1]), True)
    of = codes[last]
    prior = log_share if len(log_share) == 1 else log_share[of]
    times = frame.column(time).to_pandas().to_numpy()[order[last]]
    index = pd.MultiIndex.from_arrays([units[of], times], names=[units.name, time])
    columns = pd.RangeIndex(1, len(density) + 1, name="group")
    return pd.DataFrame(special.softmax(sums[last] + prior, axis=1), index=index, columns=columns)
