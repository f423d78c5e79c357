"""The floors of docs/architecture.md: imports go down only, and importing the package costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import formula_torch

ROOT = Path(formula_torch.__file__).parent
FLOORS = {
    "errors": 0,
    "numerics": 1,
    "data": 2,
    "design": 2,
    "families": 2,
    "formula": 3,
    "models": 4,
    "solvers": 4,
    "inference": 4,
    "result": 5,
    "present": 6,
    "select": 6,
    "api": 8,
    "datasets": 7,
    "fitting": 7,
    "trajectories": 7,
    "__main__": 9,
    "smf": 9,
}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a module imports, but for methods of a result that call `present`."""
    tree = ast.parse(path.read_text())
    inside = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    typing = {
        n
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and ast.unparse(i.test) == "TYPE_CHECKING"
        for n in ast.walk(i)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("formula_torch."):
            target = node.module.split(".")[1]
            if room(path) == "result" and target == "present" and (node in inside or node in typing):
                continue
            found.add(target)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down_the_floors(path: Path) -> None:
    here = room(path)
    for target in imported_rooms(path) - {here}:
        assert FLOORS[target] < FLOORS[here], f"{path.name} ({here}) imports {target}"


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in MODULES} == set(FLOORS)


def test_a_fit_loads_only_what_it_uses() -> None:
    code = (
        "import sys, formula_torch as ft; str(ft.fit('drvisits ~ age * private', ft.datasets.visits())); "
        "avoided = {'scipy.stats', 'scipy.optimize', 'matplotlib', 'statsmodels', 'polars', 'dask'}; "
        "print(sorted(avoided & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_import_loads_nothing_heavy_and_is_quick() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import formula_torch; "
        "seconds = time.perf_counter() - start; "
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'matplotlib', 'formulaic', 'narwhals'} & set(sys.modules); "
        "print(seconds, sorted(heavy))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    assert all("[]" in run for run in runs)
    assert min(float(run.split()[0]) for run in runs) < 0.05
