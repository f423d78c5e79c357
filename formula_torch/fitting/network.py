"""Networks: from a formula that has met its data to a result."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from formula_torch.design import Design
from formula_torch.errors import ConvergenceWarning, DataError
from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.fitting.descent import Descending
from formula_torch.fitting.glm import null_predictor
from formula_torch.fitting.reporting import epochs_reported
from formula_torch.formula.learn import Problem
from formula_torch.inference.moments import Covariance, Estimator, Labels
from formula_torch.inference.vcov import estimate
from formula_torch.models.glm import Fitness, GlmModel, constant_fitness, fitness
from formula_torch.models.network import Network
from formula_torch.models.network_rows import NetworkLoss
from formula_torch.models.network_scores import Identified
from formula_torch.models.row_loss import ResponseUnit, loss_of
from formula_torch.numerics.threads import threads_for
from formula_torch.result.call import Call
from formula_torch.result.network import NetworkFit
from formula_torch.result.network.inputs import Inputs
from formula_torch.result.network.machine import Machine, network_moments
from formula_torch.result.network.search import Search
from formula_torch.result.new_rows import as_kept
from formula_torch.result.rows import Rows
from formula_torch.result.trace import Trace, traced
from formula_torch.solvers.descending import Descended, descend
from formula_torch.solvers.descent import Descent
from formula_torch.solvers.levenberg import levenberg

__all__ = ["solve_network"]

# Standard errors from a maximum within which the weights count as there.
NEAR = 0.05
# Products of a pass over rows for each weight, of the layers forward and back.
WORK = 100.0
# Flops of the information of the weights, n p^2 + p^3, that a fit spends unasked.
AFFORDABLE = 2e11


def solve_network(
    problem: Problem,
    rows: Rows,
    call: Call,
    estimator: Estimator,
    family: GeneralizedFamily | None,
    network: Network,
    descending: Descending,
    *,
    use_t: bool | None = None,
    weights_type: str = "analytic",
    depth: int = 3,
) -> NetworkFit:
    """Fit a network to a formula that has met its data, and warn of what the user must know.

    Parameters
    ----------
    problem : Problem
    rows : Rows
    call : Call
    estimator : Estimator
        Of the covariance.
    family : GeneralizedFamily, or None for least squares
    network : Network
    descending : Descending
    use_t : bool, optional
    weights_type : {"analytic", "frequency", "sampling"}
    depth : int
        Frames from here to the user's, whom warnings are to name.

    Raises
    ------
    DataError
        The response lies outside the range of the family, there are no columns, or the descent diverges.
    """
    family = resolve_generalized("gaussian", None) if family is None else family
    design, name = problem.design.to(torch.device(call.device)), problem.recipe.response_name
    _check(family, design, name)
    training, held_out = _parted(design.n_rows, network.validation, descending.seed)
    machine, objective = _machine(design, family, network, weights_type)
    with threads_for(WORK * design.n_rows * machine.function.size):
        found, starts = _best(machine, objective, network, descending, training, held_out)
        own = design if training is None else design.taken(training.to(design.device))
        model, theta = GlmModel.of(own, family, weights_type), found.theta
        irregular = _irregular(descending.method, network, own.n_rows, len(theta), found)
        known = _unknown(len(theta)) if irregular else machine.identified(own, theta, model)
        eta = machine.eta(own, theta)
        fitted = fitness(model, own, eta, model.n_obs - (len(theta) if irregular else known.rank))
        short = "" if irregular else _short(machine, own, theta, model, known, fitted)
        irregular = irregular or short

    def labels(given: Any, what: str) -> Labels:
        return rows.labels(given, what, call.find_table)

    moments = network_moments(known, model, fitted, lambda: machine.scores(own, theta, model, known), labels)
    fit = NetworkFit(
        recipe=problem.recipe,
        coefficients=theta.cpu().numpy(),
        covariance=_no_errors(len(theta), irregular) if irregular else estimate(estimator, moments, use_t),
        sample=problem.sample,
        call=call,
        rows=rows,
        offset=as_kept(rows.offset),
        exposure=as_kept(rows.exposure),
        null_space=np.zeros((0, len(theta))),
        notes=tuple(_notes(network, starts, irregular)),
        network=network,
        machine=machine,
        model=model,
        fitness=fitted,
        null_fitness=constant_fitness(model, own, null_predictor(family, own, name), fitted),
        trace=_trace(
            descending.method,
            _steps(descending, own.n_rows, len(theta), held_out),
            found,
            own.n_rows,
            machine.unit.loss,
        ),
        starts=starts,
        identified=known,
        search=Search(descending.method, _steps(descending, own.n_rows, len(theta), held_out), descending.seed),
        irregular=irregular,
        training=None if training is None else training.numpy(),
    )
    if short:
        warnings.warn(_short_warning(short), stacklevel=depth)
    return fit


def _check(family: GeneralizedFamily, design: Design, name: str) -> None:
    assert design.y is not None
    if message := family.distribution.refuse(design.y):
        raise DataError(f"`{name}` {message}")
    if design.k == 0 or (design.k == 1 and design.constant is not None):
        raise DataError("a network needs a column besides the constant; add a term to the formula.")


def _parted(n_rows: int, share: float, seed: int) -> tuple[Tensor | None, Tensor | None]:
    """Positions of the rows to train on and of those held out, each in order; None for all and none."""
    if not share:
        return None, None
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    out = max(round(share * n_rows), 1)
    if out >= n_rows:
        raise DataError(f"validation={share:g} holds out all of {n_rows} rows.")
    return order[out:].sort().values, order[:out].sort().values


def _machine(
    design: Design, family: GeneralizedFamily, network: Network, weights_type: str
) -> tuple[Machine, NetworkLoss]:
    counts = design.weights if weights_type == "frequency" else None
    inputs = Inputs.of(design, takes_constant=network.takes_constant, counts=counts)
    function = network.function(len(inputs.names))
    machine = Machine(function, inputs, ResponseUnit())
    has_constant = network.module is not None or network.bias or design.constant is not None
    rows = machine.rows(design)
    objective, unit = loss_of(rows, family, design, centred=has_constant)
    return replace(machine, unit=unit), NetworkLoss.of(objective, rows)


def _best(
    machine: Machine,
    objective: NetworkLoss,
    network: Network,
    descending: Descending,
    training: Tensor | None,
    held_out: Tensor | None,
) -> tuple[Descended, pd.DataFrame]:
    """Descend from every start; return the best of them, and what became of each."""
    method, unit = descending.method, machine.unit.loss
    own = objective if training is None else objective.permuted(training).of_unit_weight()
    other = None if held_out is None else objective.permuted(held_out).of_unit_weight()
    steps = _steps(descending, own.n_rows, machine.function.size, held_out)
    found: list[Descended] = []
    losses: list[float] = []
    rows = []
    for start, seed in enumerate(Search(method, descending.finish, descending.seed).seeds(network.starts)):
        theta = machine.function.start(seed, start == 0).to(objective.y.device)
        try:
            with epochs_reported(method, descending.progress, unit, steps) as report:
                one = descend(own, theta, method, seed, held_out=other, report=report)
                if steps:
                    one = levenberg(own, one, most=steps // 4, enough=0.1, tolerance=method.tolerance, report=report)
        except DataError as error:
            if start == network.starts - 1 and not found:
                raise
            rows.append((start + 1, math.nan, 0, str(error)))
            continue
        losses.append(one.loss if other is None else other.evaluate(one.theta)[0])
        found.append(one)
        rows.append((start + 1, losses[-1] * unit, len(one.history["epoch"]) - 1, one.reason))
    table = pd.DataFrame(rows, columns=["start", "loss", "epochs", "reason"])
    best = found[int(np.argmin(losses))]
    if steps:
        # The other starts come only as near as it takes to tell which is best.
        best = levenberg(own, best, most=steps, enough=1e-4, tolerance=method.tolerance)
    return best, table


def _steps(descending: Descending, n_rows: int, size: int, held_out: Tensor | None) -> int:
    """Damped Newton steps after a descent; none where rows held out say when to stop, or where they are too dear."""
    return descending.finish if held_out is None and _affordable(n_rows, size) else 0


def _irregular(method: Descent, network: Network, n_rows: int, size: int, found: Descended) -> str:
    """Why the weights cannot be at a maximum of the likelihood, or are too many to ask."""
    if method.weight_decay:
        return "weight_decay= draws the weights away from it"
    if network.validation:
        return "it is not sought where rows held out choose among starts and say when to stop"
    if method.patience is not None and not found.converged:
        return "the descent was to stop before it, by patience="
    if not _affordable(n_rows, size):
        return f"{size:,} weights are too many to look for it"
    return ""


def _affordable(n_rows: int, size: int) -> bool:
    return n_rows * size**2 + size**3 <= AFFORDABLE


def _short(machine: Machine, design: Design, theta: Tensor, model: GlmModel, known: Identified, fitted: Fitness) -> str:
    """Why the weights are not at a maximum: a step that is left, in standard errors."""
    if not known.rank or not fitted.scale > 0:
        return "nothing is determined" if not known.rank else "the fit is perfect"
    scores = machine.scores(design, theta, model, known)
    total = scores.by(np.zeros(design.n_rows, dtype=np.int64), 1)[0]
    left = float(np.sqrt(np.sum(total**2) / fitted.scale))
    if left <= NEAR:
        return ""
    return f"the descent stopped {left:.2g} standard errors short of one"


def _unknown(size: int) -> Identified:
    return Identified(np.zeros((size, 0)), np.zeros((0, size)))


def _no_errors(size: int, why: str) -> Covariance:
    return Covariance(np.broadcast_to(np.nan, (size, size)), math.inf, "none", f"There are no standard errors: {why}.")


def _trace(method: Descent, finish: int, found: Descended, n_rows: int, unit: float) -> Trace:
    described = f"{method.name}, then damped Newton" if finish else method.described(n_rows)
    return traced(method.name, described, found.lr, found.reason, found.converged, found.history, unit)


def _notes(network: Network, starts: pd.DataFrame, irregular: str) -> Iterator[str]:
    """For the foot of the summary."""
    if irregular:
        return
    yield (
        "Errors are those of a local maximum of the likelihood, by the Gauss-Newton information of the directions "
        "that the rows determine."
    )
    if network.starts > 1:
        near = int((starts["loss"] <= starts["loss"].min() * 1.001).sum())
        yield f"{near} of {network.starts} starts came within a thousandth of the least loss."


def _short_warning(short: str) -> ConvergenceWarning:
    return ConvergenceWarning(
        f"no maximum of the likelihood was reached, and there are no errors: {short}. Fewer units or another seed= may "
        "have one, and a descent of more epochs=, or without solver=; see bootstrap."
    )
