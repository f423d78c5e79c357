"""Small data sets for documentation and first runs, and two simulations.

Every loader returns a fresh pandas DataFrame; nothing is downloaded.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pandas as pd

__all__ = ["city_homicides", "plant_richness", "simulated_line", "simulated_trajectories", "visits"]


def _shipped(name: str) -> pd.DataFrame:
    with (files("formula_torch") / "shipped" / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def visits() -> pd.DataFrame:
    """Doctor visits of elderly people in the United States, 2003.

    Source: Medical Expenditure Panel Survey 2003, Agency for Healthcare Research
    and Quality (public-use file of the US government, public domain); the extract
    of Cameron and Trivedi (2010), *Microeconometrics Using Stata*, revised edition.

    Returns
    -------
    DataFrame, 3,677 rows
        - ``drvisits``: doctor visits in the year
        - ``private``: 1 with supplementary private insurance
        - ``medicaid``: 1 with Medicaid
        - ``age``: years
        - ``educ``: years of education
        - ``actlim``: 1 with an activity limitation
        - ``chronic``: number of chronic conditions

    Examples
    --------
    >>> visits().shape
    (3677, 7)
    """
    return _shipped("visits")


def city_homicides() -> pd.DataFrame:
    """Homicides and population of 86 large cities of the United States, 2000-2019.

    Source: Uniform Crime Reports, Federal Bureau of Investigation (US government,
    public domain).

    Returns
    -------
    DataFrame, 1,720 rows
        - ``city``: name
        - ``year``: 2000 to 2019
        - ``population``: residents
        - ``homicides``: murders and non-negligent manslaughters

    Examples
    --------
    >>> city_homicides()["city"].nunique()
    86
    """
    return _shipped("city_homicides")


def plant_richness() -> pd.DataFrame:
    """Native plant species on 22 islands off the east coast of North America.

    Source: McMaster (2005), Factors influencing vascular plant diversity on 22
    islands off the coast of eastern North America, *Journal of Biogeography*
    32:475-492 (published measurements; facts).

    Returns
    -------
    DataFrame, 22 rows
        - ``ntv_rich``: log10 of the number of native species
        - ``area``: log10 of the area

    Examples
    --------
    >>> plant_richness().shape
    (22, 2)
    """
    return _shipped("plant_richness")


def simulated_line() -> pd.DataFrame:
    """Simulate y = 5 + 2 x with two layers of standard normal noise, 1,000 rows.

    Drawn with numpy's legacy generator and seed 37, in the order x, y's own noise,
    further noise; least squares gives (5.00515, 1.98443). Own simulation, no licence.

    Returns
    -------
    DataFrame, 1,000 rows
        - ``x``: normal with mean 2 and standard deviation 1
        - ``y``: normal(5 + 2 x, 1) + normal(0, 1)

    Examples
    --------
    >>> simulated_line().mean().round(3).to_dict()
    {'x': 2.013, 'y': 8.999}
    """
    draw = np.random.RandomState(37)
    x = draw.normal(2.0, 1.0, 1000)
    y = draw.normal(5.0 + 2.0 * x, 1, 1000) + draw.normal(0, 1, 1000)
    return pd.DataFrame({"x": x, "y": y})


def simulated_trajectories() -> pd.DataFrame:
    """Simulate two groups of 50 units over 11 periods, with a little uniform noise.

    With t1 = (t - 5.5) / 5.5 the groups follow 1 + 0.5 t1 and 1.5 t1^2, plus
    uniform(-0.05, 0.05) drawn with numpy's legacy generator and seed 10 in the order
    of group, unit and time. Own simulation, no licence.

    Returns
    -------
    DataFrame, 1,100 rows
        - ``group``: 1 or 2, the group a unit was drawn from
        - ``id``: 1 to 100
        - ``t``: 0 to 10
        - ``y``: outcome

    Examples
    --------
    >>> simulated_trajectories().groupby("group")["y"].mean().round(3).to_dict()
    {1: 0.953, 2: 0.508}
    """
    noise = np.random.RandomState(10).uniform(-0.05, 0.05, 1100)
    group, t = np.repeat([1, 2], 550), np.tile(np.arange(11), 100)
    t1 = (t - 5.5) / 5.5
    curve = np.where(group == 1, 1 + 0.5 * t1, 1.5 * t1**2)
    return pd.DataFrame({"group": group, "id": np.repeat(np.arange(1, 101), 11), "t": t, "y": curve + noise})
