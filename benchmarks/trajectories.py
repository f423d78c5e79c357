"""Trajectory models beside R's flexmix: seconds, peak memory, the log-likelihood reached, and how reliably.

    python benchmarks/trajectories.py                # speed: prints Markdown tables
    python benchmarks/trajectories.py --most 5000    # fewer units
    python benchmarks/trajectories.py --floor        # beside bare products and exponentials
    python benchmarks/trajectories.py --reliability  # share of seeds that reach the best known maximum

Every measurement runs in a process of its own, on one thread: the data are made, the tool is warmed up on a few
units, the peak of the resident memory is reset, and the call is timed; the best of the repetitions counts. Ours is
20 starts, the moves from the best, and standard errors; flexmix is one start of EM without errors, the mean of three
seeds for its time and the best of them for its log-likelihood. Without Rscript and flexmix their columns stay empty.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from trajectory_cases import HARD, SPEED, Case

SIZES = (100, 500, 1_000, 5_000, 10_000, 100_000)
# Enough repetitions that the machine's noise leaves one of them alone.
REPEATS = {100: 20, 500: 20, 1_000: 10, 5_000: 5, 10_000: 5, 100_000: 3}
LIMIT_SECONDS = 600
PEER_SEEDS = (1, 2, 3)
# Of the reliability: data sets of each case, seeds of each, and how far below the best is another maximum. The
# M-step of flexmix ends a little below it by itself.
DATA_SETS, PEER_DATA_SETS = 5, 2
SAME, SAME_FOR_PEER = 1e-4, 1e-2
MANY_STARTS = 200
R_SCRIPT = Path(__file__).with_suffix(".R")


# -- calls ----------------------------------------------------------------------------------------


def without_moves() -> None:
    from formula_torch.solvers import multistart

    multistart.MOST_ROUNDS = 0


def ours(case: Case, data: pd.DataFrame, **options: object) -> float:
    import formula_torch as ft

    fit = ft.traj(case.formula, data, **case.arguments | options)
    assert len(fit.bse)
    return fit.llf


# name: (what is done first, options)
TOOLS: dict[str, tuple[Callable[[], None], dict]] = {
    "formula_torch": (lambda: None, {}),
    "without moves": (without_moves, {}),
    "one group": (lambda: None, {"groups": 1}),
}


@cache
def flexmix_is_there() -> bool:
    known = shutil.which("Rscript") is not None
    return known and subprocess.run(["Rscript", "-e", "library(flexmix)"], capture_output=True).returncode == 0


def flexmix(case: Case, data: pd.DataFrame, seed: int, starts: int) -> dict | None:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        data.to_csv(file.name, index=False)
        order = [file.name, case.formula, str(len(case.curves)), case.family, str(seed), str(starts)]
        return in_a_process(["Rscript", str(R_SCRIPT), *order])


# -- measuring ------------------------------------------------------------------------------------


def peak_kilobytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise RuntimeError("the peak of the resident memory can be read on Linux only")


def measure(tool: str, name: str, units: int) -> dict:
    case, (prepare, options) = SPEED[name], TOOLS[tool]
    prepare()
    data = case.data(units)
    ours(case, case.data(100), **options)
    Path("/proc/self/clear_refs").write_text("5")
    before, best, best_cpu = peak_kilobytes(), float("inf"), float("inf")
    for _ in range(REPEATS[units]):
        start, start_cpu = time.perf_counter(), time.process_time()
        loglik = ours(case, data, **options)
        best = min(best, time.perf_counter() - start)
        best_cpu = min(best_cpu, time.process_time() - start_cpu)
    extra = (peak_kilobytes() - before) / 1024
    return {"seconds": best, "cpu": best_cpu, "extra_mb": extra, "loglik": loglik}


def in_a_process(command: list[str]) -> dict | None:
    """The last line as JSON, or None where the call failed or took too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=True)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
        return None
    return json.loads(done.stdout.splitlines()[-1])


def ours_apart(tool: str, name: str, units: int) -> dict | None:
    return in_a_process([sys.executable, "-W", "ignore", __file__, "--one", tool, name, str(units)])


def flexmix_mean(name: str, units: int) -> dict | None:
    found = [flexmix(SPEED[name], SPEED[name].data(units), seed, 1) for seed in PEER_SEEDS]
    known = [one for one in found if one]
    if not known:
        return None
    mean = {key: float(np.mean([one[key] for one in known])) for key in ("seconds", "cpu", "extra_mb")}
    return mean | {"loglik": max(one["loglik"] for one in known)}


# -- tables ---------------------------------------------------------------------------------------


def cell(result: dict | None) -> str:
    if result is None:
        return "failed or over 10 minutes"
    return f"{result['seconds'] * 1e3:.1f} ms ({result['cpu'] * 1e3:.1f} CPU), {result['extra_mb']:.0f} MB"


def peer_cells(base: dict | None, peer: dict | None) -> list[str]:
    """Time, ratios for one start of theirs to all and to one of ours, and how far its best is below ours."""
    if base is None or peer is None:
        return ["not run", "", ""]
    ratio = peer["seconds"] / base["seconds"]
    gap = base["loglik"] - peer["loglik"]
    return [cell(peer), f"{ratio:.1f}x, {20 * ratio:.0f}x a start", f"{gap:.3g}"]


def header(columns: list[str]) -> None:
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")


def speed_table(name: str, sizes: list[int], peer_most: int) -> None:
    print(f"\n### {name} groups\n")
    peers = ["flexmix, one start", "flexmix to ours", "below ours"] if peer_most and flexmix_is_there() else []
    header(["units", *TOOLS, "log-likelihood", *peers])
    for units in sizes:
        results = {tool: ours_apart(tool, name, units) for tool in TOOLS}
        base = results["formula_torch"]
        row = [cell(result) for result in results.values()] + ["" if base is None else f"{base['loglik']:.4f}"]
        if peers:
            peer = flexmix_mean(name, units) if units <= peer_most else None
            row += peer_cells(base, peer)
        print(f"| {units:,} | " + " | ".join(row) + " |", flush=True)


# -- floor ----------------------------------------------------------------------------------------


def counted(case: Case, data: pd.DataFrame) -> dict[str, int]:
    """Densities of units in groups, and Hessians of units, that a call computes."""
    from formula_torch.models.mixture.ascent import Ascent

    counts = {"densities": 0, "hessians": 0}

    def wrap(name: str, key: str, times: Callable[..., int]) -> None:
        plain = getattr(Ascent, name)

        def counting(self: Ascent, theta: object, *rest: object) -> object:
            counts[key] += times(*rest) * theta.shape[0] * theta.shape[1] ** (key == "densities") * self.mixture.units.n
            return plain(self, theta, *rest)

        setattr(Ascent, name, counting)

    wrap("value", "densities", lambda: 1)
    wrap("improved", "densities", lambda steps: steps)
    wrap("derivatives", "hessians", lambda: 1)
    ours(case, data)
    return counts


def bare(case: Case, counts: dict[str, int]) -> float:
    """Seconds for the same products and exponentials in numpy alone."""
    k, q, n, batch = len(case.curves), len(case.curves[0]) + 2, 500, 20
    size = k * (q - 1)
    theta, s, c = np.ones((batch * k, q)), np.ones((q, n)), np.ones((batch, size, n))

    def best(call: Callable[[], object]) -> float:
        times = []
        for _ in range(200):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return min(times)

    density = best(lambda: np.exp(theta @ s)) / (batch * k * n)
    product = best(lambda: c @ c.transpose(0, 2, 1)) / (batch * n)
    # Posteriors and derivatives each take an exponential of every density as well.
    return counts["densities"] * density + counts["hessians"] * (k * density + product)


def floor_table(sizes: list[int]) -> None:
    header(["units", "densities", "Hessians", "bare numpy", "the call", "the table read once"])
    case = SPEED["gaussian 3"]
    for units in sizes:
        data = case.data(units)
        base = ours_apart("formula_torch", "gaussian 3", units)
        counts = counted(case, data)
        start = time.perf_counter()
        data.to_numpy().sum(0)
        read = time.perf_counter() - start
        row = [f"{value:,}" for value in counts.values()]
        row += [f"{bare(case, counts) * 1e3:.1f} ms", cell(base), f"{read * 1e3:.2f} ms"]
        print(f"| {units:,} | " + " | ".join(row) + " |", flush=True)


# -- reliability ----------------------------------------------------------------------------------


def reached(case: Case, data: pd.DataFrame, seeds: int, peer: bool) -> dict[str, np.ndarray]:
    """Log-likelihoods by tool and seed."""
    from formula_torch.solvers import multistart

    rounds = multistart.MOST_ROUNDS
    found = {"formula_torch": np.array([ours(case, data, seed=seed) for seed in range(seeds)])}
    found["many starts"] = np.array([ours(case, data, seed=seeds, starts=MANY_STARTS)])
    without_moves()
    found["without moves"] = np.array([ours(case, data, seed=seed) for seed in range(seeds)])
    multistart.MOST_ROUNDS = rounds
    if peer and not case.options:
        one = flexmix(case, data, 1, 20)
        found["flexmix, 20 starts"] = np.array([one["loglik"] if one else -np.inf])
    return found


def share(found: list[dict[str, np.ndarray]], tool: str, same: float) -> str:
    """How many seeds reach the best known value, and how far the worst stays below."""
    if tool not in found[0]:
        return "not run"
    below = np.concatenate([max(v.max() for v in one.values()) - one[tool] for one in found if tool in one])
    return f"{np.sum(below < same)} of {len(below)} (worst {max(below.max(), 0):.2g} below)"


def reliability_table(seeds: int, peer_most: int) -> None:
    tools = {"formula_torch": SAME, "without moves": SAME, "many starts": SAME, "flexmix, 20 starts": SAME_FOR_PEER}
    header(["case", "units x times", *tools, "a call of ours"])
    for name, (case, units) in HARD.items():
        ours(case, case.data(units))
        start = time.perf_counter()
        ours(case, case.data(units))
        once = time.perf_counter() - start
        peer = units <= peer_most and flexmix_is_there()
        found = [reached(case, case.data(units, d), seeds, peer and d < PEER_DATA_SETS) for d in range(DATA_SETS)]
        row = [f"{units} x {case.times}", *(share(found, tool, same) for tool, same in tools.items())]
        print(f"| {name} | " + " | ".join(row) + f" | {once * 1e3:.0f} ms |", flush=True)


# -- command line ---------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "CASE", "UNITS"), help="measure one call, print JSON")
    parser.add_argument("--most", type=int, default=max(SIZES), help="largest number of units")
    parser.add_argument("--peer-most", type=int, default=5_000, help="largest number of units for flexmix")
    parser.add_argument(
        "--cases", nargs="*", default=list(SPEED), choices=list(SPEED), help="which, of " + ", ".join(SPEED)
    )
    parser.add_argument("--floor", action="store_true", help="beside bare products and exponentials")
    parser.add_argument("--reliability", action="store_true", help="share of seeds that reach the best known value")
    parser.add_argument("--seeds", type=int, default=20, help="for the reliability")
    options = parser.parse_args()
    if options.one:
        tool, name, units = options.one
        print(json.dumps(measure(tool, name, int(units))))
        return
    sizes = [size for size in SIZES if size <= options.most]
    print(f"{os.cpu_count()} cores; best of {REPEATS}")
    warnings.simplefilter("ignore")
    if options.reliability:
        reliability_table(options.seeds, options.peer_most)
    elif options.floor:
        floor_table(sizes)
    else:
        for name in options.cases:
            speed_table(name, sizes, options.peer_most)


if __name__ == "__main__":
    main()
