"""Epochs of descent beside the loop that tutorials write: DataLoader, nn.Linear and Adam, in single precision.

    python benchmarks/descent.py            # all rows, prints a Markdown table
    python benchmarks/descent.py --share 10  # a tenth of the epochs

A line through 1,000 points. Ours is timed from the data frame to the finished fit, with its errors, its distance from
the exact solution and a history of all losses, in double precision; the loop from tensors to weights. Both take turns
in one process, the best of the repetitions counts, and ratios are of the processor's time and of the clock's.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

import formula_torch as ft

N = 1_000
LR = 1e-3
REPEATS = 3


@dataclass(frozen=True)
class Case:
    """A descent by Adam."""

    name: str
    epochs: int
    batch_size: int


CASES = (Case("mini-batches of 32", 300, 32), Case("stochastic", 10, 1), Case("batch", 3_000, N))
Time = tuple[float, float]


def line() -> pd.DataFrame:
    draw = np.random.RandomState(37)
    x = draw.normal(2, 1, N)
    return pd.DataFrame({"x": x, "y": draw.normal(5 + 2 * x, 1) + draw.normal(0, 1, N)})


def ours(data: pd.DataFrame, case: Case) -> np.ndarray:
    method = ft.solvers.Adam(lr=LR, epochs=case.epochs, batch_size=case.batch_size)
    return ft.fit("y ~ x", data, solver=method).params.to_numpy()


def plain(data: pd.DataFrame, case: Case) -> np.ndarray:
    x = torch.tensor(np.column_stack([np.ones(N), data["x"]]), dtype=torch.float32)
    y = torch.tensor(data["y"].to_numpy()[:, None], dtype=torch.float32)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=case.batch_size, shuffle=True)
    model = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False))
    loss_fn = torch.nn.MSELoss(reduction="mean")
    optimiser = torch.optim.Adam(model.parameters(), lr=LR)
    losses = []
    for _ in range(case.epochs):
        for some_x, some_y in loader:
            optimiser.zero_grad()
            loss = loss_fn(model(some_x), some_y)
            loss.backward()
            optimiser.step()
        losses.append(loss.item())
    return model[0].weight.detach().numpy().ravel()


def once(call: Callable[[], object]) -> Time:
    start = time.process_time(), time.perf_counter()
    call()
    return time.process_time() - start[0], time.perf_counter() - start[1]


def in_turns(calls: list[Callable[[], object]]) -> list[Time]:
    """Best times of each call, by the processor and by the clock."""
    runs = [[once(call) for call in calls] for _ in range(REPEATS)]
    return [(min(r[i][0] for r in runs), min(r[i][1] for r in runs)) for i in range(len(calls))]


def row(data: pd.DataFrame, case: Case) -> str:
    our, their = in_turns([lambda: ours(data, case), lambda: plain(data, case)])
    texts = [f"{t * 1e3:,.0f} ms" for t in (our[0], their[0], our[1], their[1])]
    ratios = f"{their[0] / our[0]:.1f}x", f"{their[1] / our[1]:.1f}x"
    cells = (case.name, f"{case.epochs:,}", texts[0], texts[1], ratios[0], texts[2], texts[3], ratios[1])
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=int, default=1, help="run one epoch in so many")
    share = parser.parse_args().share
    warnings.simplefilter("ignore", ft.errors.ConvergenceWarning)
    data = line()
    ours(data, Case("warm", 2, 32)), plain(data, Case("warm", 2, 32))
    print(f"Adam, n = {N:,}, lr = {LR:g}; torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| descent | epochs | ours, CPU | loop, CPU | ratio | ours, clock | loop, clock | ratio |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for case in CASES:
        print(row(data, Case(case.name, max(case.epochs // share, 1), case.batch_size)), flush=True)


if __name__ == "__main__":
    main()
