"""How well units are told apart by the probabilities of their groups: what Nagin (2005, ch. 5) asks of a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

__all__ = ["LEAST_APPA", "LEAST_OCC", "Classification"]

# Nagin (2005, Group-Based Modeling of Development, pp. 88-89): at least so much in every group.
LEAST_APPA = 0.7
LEAST_OCC = 5.0


@dataclass(frozen=True, eq=False)
class Classification:
    """Units assigned to their most probable group, and how surely they belong there.

    Parameters
    ----------
    share : array, shape (K,)
        Estimated shares of the groups.
    assigned : array, shape (K,)
        Units assigned to each group, the sum of their weights.
    doubt : array, shape (K,)
        Mean probability that a unit assigned to a group belongs to another: 1 - APPA, with all its digits.
    spread : array, shape (K,)
        Standard deviation of the assigned units' probabilities, over their number less one.
    entropy : float
        1 - sum_u w_u sum_g -p_ug log p_ug / (n log K): 1 where no unit is in doubt, NaN for a single group
        (Ramaswamy et al. 1993, Marketing Science 12:103-124).

    Examples
    --------
    >>> posterior = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
    >>> found = Classification.of(posterior, np.ones(3), posterior.mean(axis=0))
    >>> found.appa.round(2).tolist(), found.odds_of_correct(found.share).round(2).tolist()
    ([0.8, 0.8], [2.67, 6.0])
    """

    share: np.ndarray
    assigned: np.ndarray
    doubt: np.ndarray
    spread: np.ndarray
    entropy: float

    @staticmethod
    def of(posterior: np.ndarray, weights: np.ndarray, share: np.ndarray) -> Classification:
        """Assign units and measure how surely.

        Parameters
        ----------
        posterior : array, shape (n, K)
        weights : array, shape (n,)
            How many units each one stands for.
        share : array, shape (K,)
        """
        groups = posterior.shape[1]
        group = posterior.argmax(axis=1)
        own = posterior[np.arange(len(group)), group]
        # The sum of the others keeps the digits that 1 - p loses where p is nearly 1.
        others = np.where(np.arange(groups) == group[:, None], 0.0, posterior).sum(axis=1)
        assigned = np.bincount(group, weights, groups)
        with np.errstate(divide="ignore", invalid="ignore"):  # no unit, or one, in a group
            doubt = np.bincount(group, weights * others, groups) / assigned
            mean = np.bincount(group, weights * own, groups) / assigned
            squares = np.bincount(group, weights * (own - mean[group]) ** 2, groups)
            spread = np.sqrt(squares / np.where(assigned > 1, assigned - 1, np.nan))
        return Classification(share, assigned, doubt, spread, _relative_entropy(posterior, weights))

    @property
    def appa(self) -> np.ndarray:
        """Average posterior probability of assignment, shape (K,); NaN for a group without units."""
        return 1 - self.doubt

    @property
    def assigned_share(self) -> np.ndarray:
        """Share of the units assigned to each group, shape (K,)."""
        return self.assigned / self.assigned.sum()

    def odds_of_correct(self, share: np.ndarray) -> np.ndarray:
        """Odds of correct classification, [APPA / (1 - APPA)] / [share / (1 - share)], shape (K,).

        Parameters
        ----------
        share : array, shape (K,)
            The estimated shares (Nagin 2005), or those of the assigned units. NaN for a single group.
        """
        if len(share) == 1:
            return np.full(1, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):  # no doubt at all, or no unit
            return (self.appa / self.doubt) / (share / (1 - share))


def _relative_entropy(posterior: np.ndarray, weights: np.ndarray) -> float:
    groups = posterior.shape[1]
    if groups == 1:
        return float("nan")
    return float(1 - weights @ special.entr(posterior).sum(axis=1) / (weights.sum() * np.log(groups)))
