"""How the weights of a network were found, so that they can be found again on other rows."""

from __future__ import annotations

import time
from dataclasses import dataclass

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
        Of the order of the rows, and of the best start's weights.
    """

    method: Descent
    finish: int
    seed: int

    def again(self, objective: NetworkLoss, theta: Tensor, held_out: NetworkLoss | None) -> Tensor:
        """Find the weights of other rows, from near them.

        Where Levenberg and Marquardt's steps end the search they make all of it.

        Parameters
        ----------
        objective : NetworkLoss
        theta : Tensor, shape (p,)
            Where to begin.
        held_out : NetworkLoss or None
            Rows that say when to stop.

        Raises
        ------
        DataError
            The descent diverges.
        """
        if not self.finish or held_out is not None:
            return descend(objective, theta, self.method, self.seed, held_out=held_out).theta
        loss, gradient = objective.evaluate(theta)
        record = {"epoch": 0.0, "loss": loss, "gradient_norm": float(gradient.norm()), "seconds": time.perf_counter()}
        steepest = float(gradient.abs().max())
        begun = Descended(theta, False, "", loss, steepest, 0.0, {name: [value] for name, value in record.items()})
        return levenberg(objective, begun, most=self.finish, tolerance=self.method.tolerance).theta
