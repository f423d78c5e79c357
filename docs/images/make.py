"""Draw the pictures of the README: ``python docs/images/make.py``."""

from __future__ import annotations

from pathlib import Path

from formula_torch.__main__ import main

if __name__ == "__main__":
    main(["demo", "--plot", str(Path(__file__).with_name("trajectories.png"))])
