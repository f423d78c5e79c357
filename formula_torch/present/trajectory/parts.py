"""What each parameter of a trajectory model belongs to."""

from __future__ import annotations

import numpy as np

from formula_torch.result.trajectory import Layout

__all__ = ["components"]


def components(layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Component and group of every parameter.

    Returns
    -------
    component : object array, shape (P,)
        "trajectory", "dispersion" or "membership".
    group : int array, shape (P,)
        From 1; 0 for a sigma that all groups share.
    """
    component = np.full(len(layout.names), "trajectory", dtype=object)
    group = np.zeros(len(layout.names), dtype=np.int64)
    for g, (beta, gamma) in enumerate(zip(layout.beta, layout.gamma, strict=True), 1):
        component[gamma[gamma >= 0]] = "membership"
        group[beta[beta >= 0]] = group[gamma[gamma >= 0]] = g
    component[layout.sigma] = "dispersion"
    own = len(layout.sigma) == 1 or len(set(layout.sigma.tolist())) > 1
    group[layout.sigma] = np.arange(1, len(layout.sigma) + 1) if own else 0
    return component, group
