"""How the weights of a network were found, so that they can be found again on other rows."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from formula_torch.models.network_rows import NetworkLoss
from formula_torch.solvers.descending import Descended, descend
from formula_torch.solvers.descent import Descent
from formula_torch.solvers.levenberg import levenberg

__all__ = ["Search"]


@dataclass(frozen=True)
class Search:
    """A way to the weights.

    Parameters
    ----------
    method : Descent
    finish : int
        Steps of Levenberg and Marquardt with which it ends, at most.
    seed : int
        Of all starts.
    """

    method: Descent
    finish: int
    seed: int

    def seeds(self, starts: int) -> list[int]:
        """Return a seed for each start: of its weights and of its orders of the rows."""
        return [int(seed) for seed in np.random.SeedSequence(self.seed).generate_state(starts)]

    def again(self, objective: NetworkLoss, theta: Tensor, seed: int, held_out: NetworkLoss | None) -> Tensor:
        """Find the weights of other rows, from near them.

        Where Levenberg and Marquardt's steps end the search they make all of it.

        Parameters
        ----------
        objective : NetworkLoss
        theta : Tensor, shape (p,)
            Where to begin.
        seed : int
            Of the orders of the rows.
        held_out : NetworkLoss or None
            Rows that say when to stop.

        Raises
        ------
        DataError
            The descent diverges.
        """
        if not self.finish or held_out is not None:
            return descend(objective, theta, self.method, seed, held_out=held_out).theta
        loss, gradient = objective.evaluate(theta)
        record = {"epoch": 0.0, "loss": loss, "gradient_norm": float(gradient.norm()), "seconds": time.perf_counter()}
        steepest = float(gradient.abs().max())
        begun = Descended(theta, False, "", loss, steepest, 0.0, {name: [value] for name, value in record.items()})
        return levenberg(objective, begun, most=self.finish, enough=1e-3, tolerance=self.method.tolerance).theta
