"""Descents of losses that are known by heart: quadratics by numpy, likelihoods by autograd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from formula_torch.errors import DataError
from formula_torch.families.generalized import resolve_generalized
from formula_torch.models.row_loss import DenseColumns, RowLoss
from formula_torch.solvers import LBFGS, SGD, Adam, Descent
from formula_torch.solvers.descending import descend, random_start

DRAW = np.random.default_rng(2)
N = 70
Z = DRAW.normal(size=(N, 3)) * [1.0, 0.7, 1.5]
Y = Z @ [0.5, -1.0, 0.3] + DRAW.normal(size=N)
ETA = 0.3 * Z[:, 0] - 0.2 * Z[:, 2]
RESPONSES = {
    "gaussian": Y,
    "binomial": (DRAW.random(N) < 1 / (1 + np.exp(-ETA))).astype(float),
    "poisson": DRAW.poisson(np.exp(ETA)).astype(float),
    "gamma": np.exp(ETA) * DRAW.gamma(2.0, 0.5, N),
}
LINKS = {"gamma": "log"}


def tensor(x: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(x, dtype=float))


def rows(family: str = "gaussian", *, weighted: bool = False, moved: bool = False, n: int = N) -> RowLoss:
    draw = np.random.default_rng(5)
    weights, offset = draw.uniform(0.5, 3, N), draw.normal(size=N) * 0.2
    return RowLoss(
        DenseColumns(tensor(Z[:n])),
        resolve_generalized(family, LINKS.get(family)),
        tensor(RESPONSES[family][:n]),
        tensor(weights / weights.mean())[:n] if weighted else None,
        tensor(offset)[:n] if moved else None,
    )


def least_squares(z: np.ndarray = Z, y: np.ndarray = Y) -> np.ndarray:
    return np.linalg.lstsq(z, y, rcond=None)[0]


def zeros() -> Tensor:
    return torch.zeros(3, dtype=torch.float64)


@pytest.mark.parametrize("family", RESPONSES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("moved", [False, True])
def test_gradients_are_those_of_autograd(family: str, weighted: bool, moved: bool) -> None:
    loss = rows(family, weighted=weighted, moved=moved)
    theta = tensor(np.array([0.2, -0.3, 0.4])).requires_grad_()
    eta = tensor(Z) @ theta + (0 if loss.offset is None else loss.offset)
    y = loss.y
    each = {
        "gaussian": lambda: (y - eta) ** 2 / 2,
        "binomial": lambda: torch.nn.functional.softplus(eta) - y * eta,
        "poisson": lambda: torch.xlogy(y, y) - y * eta - y + eta.exp(),
        "gamma": lambda: -(y.log() - eta) + y * (-eta).exp() - 1,
    }[family]()
    each = each if loss.weights is None else each * loss.weights
    whole = each.sum() / N
    some = each[10:25].sum() / 15
    found, slope = loss.evaluate(theta.detach())
    assert found == pytest.approx(whole.item(), rel=1e-12)
    torch.testing.assert_close(slope, torch.autograd.grad(whole, theta, retain_graph=True)[0], rtol=1e-12, atol=1e-14)
    part = loss.gradient(theta.detach(), slice(10, 25))
    torch.testing.assert_close(part, torch.autograd.grad(some, theta)[0], rtol=1e-12, atol=1e-14)


def test_permuted_rows_keep_their_weights_and_offsets() -> None:
    loss, order = rows("poisson", weighted=True, moved=True), torch.randperm(N, generator=torch.Generator())
    theta = tensor(np.array([0.2, -0.3, 0.4]))
    mixed = loss.permuted(order)
    assert mixed.evaluate(theta)[0] == pytest.approx(loss.evaluate(theta)[0], rel=1e-13)
    torch.testing.assert_close(mixed.predicted(theta), loss.predicted(theta)[order])


@pytest.mark.parametrize(
    "method", [SGD(), SGD(momentum=0.9), SGD(momentum=0.5, nesterov=True), Adam(), LBFGS()], ids=repr
)
def test_all_rows_at_once_reach_least_squares(method: Descent) -> None:
    found = descend(rows(), zeros(), method)
    assert found.converged
    assert found.steepest <= method.tolerance
    np.testing.assert_allclose(found.theta.numpy(), least_squares(), atol=1e-7)
    assert found.loss == pytest.approx(((Y - Z @ least_squares()) ** 2).mean() / 2, rel=1e-12)


def test_batch_steps_are_those_of_numpy_and_their_mean_is_the_average() -> None:
    theta, lr, passed = np.zeros(3), 0.2, []
    for _ in range(10):
        theta = theta + lr * Z.T @ (Y - Z @ theta) / N
        passed.append(theta)
    last = descend(rows(), zeros(), SGD(lr=lr, epochs=10))
    np.testing.assert_allclose(last.theta.numpy(), passed[-1], rtol=1e-12)
    mean = descend(rows(), zeros(), SGD(lr=lr, epochs=10, average=0.3))
    np.testing.assert_allclose(mean.theta.numpy(), np.mean(passed[-3:], axis=0), rtol=1e-12)


def test_batches_in_order_are_those_of_numpy_with_a_shorter_one_that_counts_by_its_rows() -> None:
    theta, lr, height = np.zeros(3), 0.1, 16
    for epoch in range(4):
        for start in range(0, N, height):
            z, y = Z[start : start + height], Y[start : start + height]
            theta = theta + lr * (1 - epoch / 4) * z.T @ (y - z @ theta) / height
    found = descend(rows(), zeros(), SGD(lr=lr, epochs=4, batch_size=height, shuffle=False, schedule="linear"), seed=9)
    np.testing.assert_allclose(found.theta.numpy(), theta, rtol=1e-12)


def test_adam_is_that_of_its_paper() -> None:
    theta, m, v, lr = np.zeros(3), np.zeros(3), np.zeros(3), 0.05
    for t in range(1, 21):
        g = -Z.T @ (Y - Z @ theta) / N
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        theta = theta - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    found = descend(rows(), zeros(), Adam(lr=lr, epochs=20))
    np.testing.assert_allclose(found.theta.numpy(), theta, rtol=1e-10)


@pytest.mark.parametrize("method", [SGD(weight_decay=0.3), Adam(weight_decay=0.3), LBFGS(weight_decay=0.3)], ids=repr)
def test_weight_decay_is_ridge(method: Descent) -> None:
    found = descend(rows(), zeros(), method)
    ridge = np.linalg.solve(Z.T @ Z / N + 0.3 * np.eye(3), Z.T @ Y / N)
    np.testing.assert_allclose(found.theta.numpy(), ridge, atol=1e-7)
    # The loss on record is of the rows alone.
    assert found.loss == pytest.approx(((Y - Z @ ridge) ** 2).mean() / 2, rel=1e-7)


def test_decay_of_small_batches_is_ridge_too() -> None:
    method = SGD(weight_decay=0.3, batch_size=16, epochs=300, lr=0.1, schedule="exponential")
    ridge = np.linalg.solve(Z.T @ Z / N + 0.3 * np.eye(3), Z.T @ Y / N)
    np.testing.assert_allclose(descend(rows(), zeros(), method).theta.numpy(), ridge, atol=2e-3)


def test_an_average_is_left_where_the_gradient_was_zero() -> None:
    found = descend(rows(), zeros(), SGD(epochs=400, average=0.999))
    assert found.converged
    np.testing.assert_allclose(found.theta.numpy(), least_squares(), atol=1e-7)


def test_patience_returns_to_the_least_loss_of_the_rows_held_out() -> None:
    fitted, held = rows(n=20), rows("gaussian").permuted(torch.arange(20, N))
    found = descend(fitted, random_start(3, 4) * 5, SGD(epochs=500, lr=0.05, patience=5), held_out=held)
    losses = np.array(found.history["validation_loss"])
    best = int(losses.argmin())
    assert "not fallen" in found.reason
    assert 0 < best == len(losses) - 6
    assert held.evaluate(found.theta)[0] == losses[best]
    assert found.history["loss"][best] == found.loss


def test_schedules_begin_at_one_and_fall() -> None:
    done = np.linspace(0, 1, 11)
    ends = {"constant": 1.0, "cosine": 0.0, "linear": 0.0, "inverse": 0.1, "exponential": 0.01}
    for name, end in ends.items():
        shares = [SGD(schedule=name).rate_share(share) for share in done]
        assert shares[0] == 1
        assert shares[-1] == pytest.approx(end, abs=1e-12)
        assert (np.diff(shares) <= 0).all()
    assert SGD(schedule=lambda done: 0.5 - done / 4).rate_share(1.0) == 0.25


@dataclass
class Steep:
    """A loss of one coefficient whose curvature is 100."""

    n_rows: int = 4

    def gradient(self, theta: Tensor, rows: slice) -> Tensor:
        return 100 * theta

    def evaluate(self, theta: Tensor) -> tuple[float, Tensor]:
        return float(50 * theta @ theta), 100 * theta

    def permuted(self, order: Tensor) -> Steep:
        return self


def test_the_usual_rate_is_one_over_the_curvature() -> None:
    found = descend(Steep(), torch.ones(1, dtype=torch.float64), SGD())
    assert found.lr == pytest.approx(0.01, rel=1e-6)
    assert found.converged


@pytest.mark.parametrize("method", [SGD(lr=0.03), SGD(lr=0.03, batch_size=2)], ids=repr)
def test_divergence_names_a_rate_that_converges(method: SGD) -> None:
    start = torch.ones(1, dtype=torch.float64)
    with pytest.raises(DataError, match=r"diverged in epoch \d+: with lr=0.03 .* smaller lr=, as 0.003,"):
        descend(Steep(), start, method)
    assert descend(Steep(), start, SGD(lr=0.003)).converged


def test_the_usual_rate_is_halved_where_curvature_grows() -> None:
    z = np.linspace(0, 4, 40)[:, None]
    loss = RowLoss(DenseColumns(tensor(z)), resolve_generalized("poisson", None), tensor(np.exp(z[:, 0])), None, None)
    start = torch.zeros(1, dtype=torch.float64)
    first = descend(loss, start, SGD(epochs=1)).lr
    # At that rate steps go to and fro about the solution for ever.
    swinging = descend(loss, start, SGD(lr=first, epochs=500))
    assert abs(swinging.theta.item() - 1) > 0.05
    found = descend(loss, start, SGD(epochs=2000))
    assert found.lr < first
    assert (np.diff(found.history["loss"]) <= 1e-9 * found.history["loss"][0]).all()
    assert found.theta.item() == pytest.approx(1, abs=1e-6)


def test_what_is_given_to_start_from_is_not_changed() -> None:
    start = torch.ones(3, dtype=torch.float64)
    descend(rows(), start, SGD(epochs=3))
    assert torch.equal(start, torch.ones(3, dtype=torch.float64))


def test_the_number_of_threads_is_given_back() -> None:
    before = torch.get_num_threads()
    descend(rows(), zeros(), SGD(epochs=3))
    assert torch.get_num_threads() == before


BAD: list[tuple[type[Descent], dict[str, object], str]] = [
    *[(SGD, {"lr": lr}, "lr=") for lr in (0, -1.0, float("nan"), float("inf"))],
    *[(SGD, {name: x}, f"{name}=") for name in ("epochs", "batch_size", "patience") for x in (0, 2.5, True, "3")],
    (SGD, {"epochs": None}, "epochs="),
    *[(SGD, {name: x}, f"{name}=") for name in ("tolerance", "weight_decay") for x in (-1, float("nan"), float("inf"))],
    *[(SGD, {"average": x}, "average=") for x in (-0.1, 1.1, float("nan"))],
    (SGD, {"schedule": "step"}, "'cosine'"),
    (SGD, {"schedule": 3}, "'cosine'"),
    (SGD, {"start": "ones"}, "'zero'"),
    (SGD, {"shuffle": "no"}, "shuffle="),
    *[(SGD, {"momentum": x}, "momentum=") for x in (-0.1, 1.0)],
    (SGD, {"nesterov": True}, "momentum="),
    (Adam, {"betas": (0.9, 1.0)}, "betas="),
    (Adam, {"betas": (0.9,)}, "betas="),
    (LBFGS, {"batch_size": 3}, "batch_size="),
    (LBFGS, {"average": 0.5}, "average="),
    (LBFGS, {"history_size": 0}, "history_size="),
]


@pytest.mark.parametrize(("method", "given", "named"), BAD, ids=str)
def test_numbers_out_of_their_range_are_refused(method: type[Descent], given: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        method(**given)  # type: ignore[arg-type]
