"""Writes mixed.csv (the data of every case) and newdata.csv (the rows to predict) beside this file.

Rerun with: python tests/reference/make_mixed.py, and then formulas.R.

Every number is a multiple of 1/4096, so that its decimals are exact and R and Python read the same double.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
N, N_NEW = 240, 12


def exact(values):
    return np.round(np.asarray(values) * 4096) / 4096


def predictors(rng, n, z_range):
    frame = pd.DataFrame({"x": exact(rng.normal(size=n)), "z": exact(rng.uniform(*z_range, size=n))})
    frame["k"] = rng.integers(0, 4, n)
    frame["year"] = rng.integers(2000, 2020, n)
    frame["n"] = exact(rng.gamma(4, 5, n) + 1)
    # Code point order (Lo, hi, mid and NE, SW, e, n, s, w) is not that of most locales.
    frame["a"] = rng.choice(["Lo", "hi", "mid"], n)
    frame["b"] = rng.choice(["no", "yes"], n)
    frame["g"] = rng.choice(["NE", "SW", "e", "n", "s", "w"], n)
    frame["l"] = rng.random(n) < 0.4
    frame["w"] = exact(rng.gamma(3, 0.5, n) + 0.1)
    frame["w0"] = np.where(np.arange(n) % 9 == 2, 0, frame["w"])
    frame["f"] = rng.integers(1, 5, n)
    return frame


def with_missing(frame, count, rng):
    for name in ("x", "a"):
        frame[f"{name}_na"] = frame[name].mask(np.isin(np.arange(len(frame)), rng.choice(len(frame), count, False)))
    return frame


def outcomes(frame, rng):
    a, b, g = (pd.Categorical(frame[name]).codes for name in "abg")
    mean = 1 + 0.8 * frame["x"] + np.sin(frame["z"]) + 0.3 * frame["k"] ** 2 + 0.05 * (frame["year"] - 2010)
    mean += 0.6 * a + 0.4 * a * frame["x"] - 0.7 * b * frame["l"] + 0.2 * g + 0.03 * frame["n"]
    frame["y"] = exact(mean + rng.normal(size=N))
    frame["y2"] = exact(np.exp(0.25 * mean + rng.normal(scale=0.3, size=N))) + 1 / 4096
    return frame


def write(frame, name):
    frame = frame.assign(l=frame["l"].map({True: "TRUE", False: "FALSE"}))
    frame.to_csv(HERE / name, index=False, float_format="%.17g", lineterminator="\n")


def main():
    rng = np.random.default_rng(20)
    mixed = outcomes(with_missing(predictors(rng, N, (1, 6)), 6, rng), rng)
    write(mixed, "mixed.csv")
    new = predictors(rng, N_NEW, (1.25, 5.75))
    new["x"] = new["x"].clip(-1.5, 1.5)
    new = with_missing(new, 2, rng)
    # The last three rows lie beyond the range of x in the fit; z and x_na stay inside theirs.
    new.loc[N_NEW - 3 :, "x"] = [-4.5, 3.75, 6.25]
    write(new, "newdata.csv")


if __name__ == "__main__":
    main()
