"""``python -m formula_torch demo`` and ``python -m formula_torch info``."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
from collections.abc import Callable

__all__ = ["main"]

DEMO_FORMULA = "drvisits ~ private + medicaid + age + educ + actlim + chronic"
REPORTED = ("torch", "numpy", "pandas", "scipy", "formulaic", "narwhals")


def demo() -> None:
    """Fit the doctor-visits regression on packaged data and print its summary."""
    import formula_torch as ft

    print(f'>>> ft.fit("{DEMO_FORMULA}", ft.datasets.visits()).summary()')
    print(ft.fit(DEMO_FORMULA, ft.datasets.visits()).summary())


def info() -> None:
    """Print versions, device and threads, for bug reports."""
    import torch

    import formula_torch as ft

    print(f"formula_torch {ft.__version__}")
    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in REPORTED:
        print(f"{name} {importlib.metadata.version(name)}")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    print(f"threads {torch.get_num_threads()}, CUDA device: {device}")


COMMANDS: dict[str, Callable[[], None]] = {"demo": demo, "info": info}


def main(arguments: list[str] | None = None) -> None:
    """Run a command.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the command line.
    """
    parser = argparse.ArgumentParser(
        prog="python -m formula_torch", description="A first look, and facts for bug reports."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=(command.__doc__ or "").splitlines()[0])
    COMMANDS[parser.parse_args(arguments).command]()


if __name__ == "__main__":
    main()
