"""What the README shows is what happens."""

from __future__ import annotations

import doctest
import re
import sys
from pathlib import Path

import pytest

from formula_torch.__main__ import main

README = Path(__file__).parents[1] / "README.md"


def test_examples_print_what_is_pasted() -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", README.read_text(), re.DOTALL)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README", str(README), 0)
    results = doctest.DocTestRunner().run(examples)
    assert results.attempted >= 8
    assert results.failed == 0


def test_the_first_screen_has_both_commands() -> None:
    commands = re.findall(r"```sh\n(.*?)\n```", README.read_text(), re.DOTALL)
    assert commands[0].endswith("python -m formula_torch demo")
    assert "python -m pytest" in commands[1]
    assert README.read_text()[: README.read_text().index(commands[1])].count("\n") < 25


def test_demo(capsys) -> None:
    main(["demo"])
    printed = capsys.readouterr().out
    assert "OLS Regression Results" in printed
    assert re.search(r"chronic\s+1\.9018\s+0\.090\s+21\.249", printed)
    assert "Group-Based Trajectory Model" in printed
    assert re.search(r"Log-Likelihood:\s+-12567\.123", printed)


def test_demo_draws_where_it_is_told(capsys, tmp_path) -> None:
    file = tmp_path / "curves.png"
    main(["demo", "--plot", str(file)])
    assert f"drawn in {file}" in capsys.readouterr().out
    assert file.read_bytes().startswith(b"\x89PNG")


def test_demo_without_matplotlib_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SystemExit, match=r"pip install formula-torch\[plot\]"):
        main(["demo", "--plot", "curves.png"])


def test_the_picture_is_there_and_small() -> None:
    (shown,) = re.findall(r"!\[[^]]*\]\((docs/images/[^)]+)\)", README.read_text())
    assert (README.parent / shown).stat().st_size < 150_000


def test_info(capsys) -> None:
    main(["info"])
    printed = capsys.readouterr().out
    for word in ("formula_torch 0.", "python 3.", "torch 2.", "threads", "CUDA device"):
        assert word in printed


def test_unknown_command() -> None:
    with pytest.raises(SystemExit):
        main(["dance"])
