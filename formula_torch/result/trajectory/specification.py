"""What a trajectory model is made of, without its data: groups, parameters and how the maximum was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from formula_torch.families import AnyFamily
from formula_torch.formula.recipe import Recipe

__all__ = ["Layout", "Search", "Specification", "UnitTable"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each parameter stands in the flat vector of P parameters.

    Parameters
    ----------
    names : tuple of str
    beta : int array, shape (K, k)
        Positions of the coefficients of each group; -1 where held at zero.
    sigma : int array, shape (K,) or (0,)
        Positions of the residual standard deviations: one for all, one each, or none.
    gamma : int array, shape (K, m)
        Positions of the membership coefficients; -1 for the reference group.
    """

    names: tuple[str, ...]
    beta: np.ndarray
    sigma: np.ndarray
    gamma: np.ndarray

    @property
    def reference(self) -> int:
        """The group, from 1, against which membership is measured."""
        return int(np.argmax((self.gamma < 0).all(axis=1))) + 1

    @staticmethod
    def read(params: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Parameters at some positions, in their shape; zero where there is none."""
        return np.where(positions >= 0, params[positions], 0.0)

    @staticmethod
    def spread(gradient: np.ndarray, positions: np.ndarray, size: int) -> np.ndarray:
        """Gradients in the P parameters from those in an array of them.

        Parameters
        ----------
        gradient : array, shape (..., *positions.shape)
        positions : int array
        size : int
            P.

        Returns
        -------
        array, shape (..., P)
        """
        lead = gradient.shape[: gradient.ndim - positions.ndim]
        flat, where = gradient.reshape(-1, positions.size), positions.ravel()
        found = np.zeros((size, len(flat)))
        np.add.at(found, where[where >= 0], flat[:, where >= 0].T)
        return found.T.reshape(*lead, size)


@dataclass(frozen=True, eq=False)
class Specification:
    """The model, without its data.

    Parameters
    ----------
    family : Family
    groups : int
    layout : Layout
    dispersion : {"common", "group"}
    unit : str or None
        The column that tells units apart; None where each row is one.
    membership : Recipe or None
        Of the covariates of membership.
    exposure : str, bool or None
        The exposure argument: a column's name, True for an array, None without.
    degrees : tuple of int, or None
        Degree of the polynomial in time of each group, in the order of the groups.
    constraints : tuple of str
    prior : float
        How many average units are added to each group; 0: none.
    """

    family: AnyFamily
    groups: int
    layout: Layout
    dispersion: str
    unit: str | None
    membership: Recipe | None = None
    exposure: str | bool | None = None
    degrees: tuple[int, ...] | None = None
    constraints: tuple[str, ...] = ()
    prior: float = 0.0


@dataclass(frozen=True, eq=False)
class UnitTable:
    """What is known of each unit of the fit, in the order of their identifiers.

    Parameters
    ----------
    posterior : DataFrame, shape (n, K)
    weights : array, shape (n,)
        How many units each one stands for.
    """

    posterior: pd.DataFrame
    weights: np.ndarray


@dataclass(frozen=True)
class Search:
    """How the maximum was found.

    Parameters
    ----------
    starts, asked, replicated : int
        Starts, how many of them were asked for (the others were given), and how many reached the best value.
    iterations : int
        Of Newton, from the starts.
    runner_up : float
        The best other value that a start reached; NaN where all reached the best.
    moves : int
        How many times splitting and merging groups gained.
    failed, collapsed : int
        Starts that came to no maximum, and those of them in which the sigma of a group went to zero.
    sampled : int or None
        Of how many units a sample was searched first; None where all were.
    decrement : float
        Twice what Newton's next step would gain.
    curvature : float
        Least eigenvalue of the scaled information; not positive where the parameters are not identified.
    seed : int
    values : tuple of float
        Where the starts ended, as far as known, best first.
    """

    starts: int
    asked: int
    replicated: int
    iterations: int
    runner_up: float
    moves: int
    failed: int
    collapsed: int
    sampled: int | None
    decrement: float
    curvature: float
    seed: int
    values: tuple[float, ...] = ()
