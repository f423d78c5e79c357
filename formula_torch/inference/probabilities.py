"""Averages over rows of the probabilities of a multinomial logit and of their slopes, with their gradients.

pi_ig = softmax_g(z_i'gamma_g)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.inference.margins import Slopes

__all__ = ["Averages", "mean_probabilities", "mean_probability_slopes"]


@dataclass(frozen=True, eq=False)
class Averages:
    """An estimate for each of K groups, with gradients in the coefficients.

    Parameters
    ----------
    estimate : array, shape (K,)
    gradient : array, shape (K, K, m)
        Of the first group's estimate in the second's coefficients.
    """

    estimate: np.ndarray
    gradient: np.ndarray

    def __sub__(self, other: Averages) -> Averages:
        return Averages(self.estimate - other.estimate, self.gradient - other.gradient)


def mean_probabilities(design: Design, gamma: np.ndarray, weights: Tensor) -> Averages:
    """Weighted means of the probabilities.

        sum_i w_i pi_ig / W,   d / d gamma_h = sum_i w_i pi_ig (1[g = h] - pi_ih) z_i / W

    Parameters
    ----------
    design : Design
    gamma : array, shape (K, m)
        Zero for aliased columns.
    weights : Tensor, shape (n,)

    Examples
    --------
    >>> from formula_torch.formula.learn import learn
    >>> design = learn("~ x", {"x": [-1.0, 1.0]}, response=False).design
    >>> gamma = np.array([[0.0, 0.0], [0.0, 2.0]])
    >>> mean_probabilities(design, gamma, torch.ones(2).double()).estimate.round(4).tolist()
    [0.5, 0.5]
    """
    pi, share = _probabilities(design, gamma), weights / weights.sum()
    groups = range(len(gamma))
    gradient = [[design.rmatvec(share * pi[g] * (float(g == h) - pi[h])) for h in groups] for g in groups]
    return Averages((pi @ share).numpy(), np.array(gradient))


def mean_probability_slopes(design: Design, slopes: Slopes, gamma: np.ndarray, weights: Tensor) -> Averages:
    """Weighted means of the slopes of the probabilities in one column of the data.

        d pi_ig / dx = pi_ig (d_ig - sum_l pi_il d_il),   d_ig = (dz_i / dx)'gamma_g

    Parameters
    ----------
    design : Design
    slopes : Slopes
        Of the design in the column.
    gamma : array, shape (K, m)
        Zero for aliased columns.
    weights : Tensor, shape (n,)
    """
    pi, share = _probabilities(design, gamma), weights / weights.sum()
    d = torch.stack([slopes.matvec(g) for g in gamma])
    apart = d - (pi * d).sum(0)

    def gradient(g: int, h: int) -> np.ndarray:
        own = float(g == h) - pi[h]
        through_z = design.rmatvec(share * pi[g] * (own * apart[g] - pi[h] * apart[h]))
        return through_z + slopes.rmatvec(share * pi[g] * own)

    groups = range(len(gamma))
    return Averages(((pi * apart) @ share).numpy(), np.array([[gradient(g, h) for h in groups] for g in groups]))


def _probabilities(design: Design, gamma: np.ndarray) -> Tensor:
    """Probabilities of the rows, shape (K, n)."""
    return torch.softmax(torch.stack([design.matvec(g) for g in gamma]), 0)
