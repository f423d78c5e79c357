"""Where the user has the search begin: another fit, or values of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.models.mixture import Mixture
from formula_torch.result.trajectory import TrajectoryFit
from formula_torch.trajectories.parameters import Parameters

__all__ = ["given_starts"]

# How far the halves of a divided group begin from one another, in coordinates whose columns have unit size.
APART = (0.25, 1.0)


def given_starts(
    given: Any, parameters: Parameters, mixture: Mixture, pooled: Tensor, generator: torch.Generator
) -> Tensor:
    """Starts of shape (B, K, D) from what the user gave; none where that is None.

    Parameters
    ----------
    given : TrajectoryFit, Series, dict, or None
        A fit with as many groups, or one fewer, each of which is then divided; or values by name.
    parameters : Parameters
    mixture : Mixture
    pooled : Tensor, shape (D,)
        One group of all units: its sigma where the fit has none.
    generator : torch.Generator

    Raises
    ------
    DataError
        A value is missing, or of no parameter; or the fit has another number of groups.
    """
    if given is None:
        return torch.zeros(0, mixture.groups, mixture.size, dtype=torch.float64)
    if not isinstance(given, TrajectoryFit):
        return parameters.theta(_named(given, parameters))[None]
    missing = mixture.groups - given.n_groups
    if missing not in (0, 1):
        raise DataError(
            f"start= is a fit of {given.n_groups} groups, and groups={mixture.groups}; it must have as many, or one "
            "fewer."
        )
    theta = _from_fit(given, parameters, float(pooled[mixture.p]))[None]
    return theta if missing == 0 else _divided(theta, mixture, generator)


def _named(given: Any, parameters: Parameters) -> np.ndarray:
    if not isinstance(given, (Mapping, pd.Series)):
        raise DataError("start= is a fit of traj, or values by the names of the parameters (a dict or Series).")
    values, names = dict(given), parameters.layout.names
    lost = [name for name in names if name not in values]
    extra = [name for name in values if name not in names]
    if lost or extra:
        what = [f"lacks {', '.join(lost[:5])}"] if lost else []
        what += [f"names {', '.join(map(str, extra[:5]))}, which the model has not"] if extra else []
        raise DataError(f"start= {' and '.join(what)}; the parameters are {', '.join(names)}.")
    found = pd.to_numeric(pd.Series([values[name] for name in names]), errors="coerce").to_numpy(np.float64)
    if np.isinf(found).any() or not (found[parameters.layout.sigma] > 0).all():
        raise DataError("start= has values that are infinite, or a sigma that is not a positive number.")
    return found


def _from_fit(fit: TrajectoryFit, parameters: Parameters, log_sigma: float) -> Tensor:
    """What the fit and the model have in common; zero for what the fit has not."""
    own = {name: j for j, name in enumerate(fit.recipe.column_names)}
    beta = np.zeros((fit.n_groups, len(parameters.curve.names)))
    for j, name in enumerate(parameters.curve.names):
        if name in own:
            beta[:, j] = np.nan_to_num(fit.beta[:, own[name]])
    gamma = np.zeros((fit.n_groups, len(parameters.membership.names)))
    theirs = ["Intercept"] if fit.spec.membership is None else list(fit.spec.membership.column_names)
    for j, name in enumerate(parameters.membership.names):
        if name in theirs:
            gamma[:, j] = np.nan_to_num(fit.gamma[:, theirs.index(name)])
    parts = [(beta - parameters.curve.shift) @ parameters.curve.lower.T]
    if parameters.sigmas:
        parts.append(np.where(fit.sigma > 0, np.log(fit.sigma), log_sigma)[:, None])
    parts.append(gamma @ parameters.membership.lower.T)
    return torch.from_numpy(np.concatenate(parts, axis=1))


def _divided(theta: Tensor, mixture: Mixture, generator: torch.Generator) -> Tensor:
    """Divide each group in turn along random directions, shape (B, K + 1, D)."""
    found = []
    scale = float(theta[0, :, mixture.p].exp().mean()) if mixture.family.dispersed else 1.0
    for group in range(theta.shape[1]):
        for apart in APART:
            direction = torch.randn(mixture.p, generator=generator, dtype=theta.dtype)
            move = apart * scale * direction / direction.norm()
            both = torch.cat([theta, theta[:, group : group + 1]], 1)
            both[:, group, : mixture.p] += move
            both[:, -1, : mixture.p] -= move
            found.append(both)
    return torch.cat(found)
