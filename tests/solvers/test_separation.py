"""Separation: the verdict, the columns named and the rows counted are those of the full linear program."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linprog

from formula_torch.families.generalized import GeneralizedFamily, resolve_generalized
from formula_torch.formula.learn import Problem, learn
from formula_torch.models.glm import first_predictor
from formula_torch.numerics import rank, triangular
from formula_torch.present.messages import separation_warnings
from formula_torch.solvers import least_squares as equations
from formula_torch.solvers import recession as module
from formula_torch.solvers.least_squares import least_squares
from formula_torch.solvers.recession import Frame, recession
from formula_torch.solvers.scoring import Scored, scored
from formula_torch.solvers.separation import Separation, separation

FORMULAS = [
    "y ~ x",
    "y ~ x + u",
    "y ~ g + x",
    "y ~ x - 1",
    "y ~ g - 1 + x",
    "y ~ g * h",
    "y ~ g:x + z",
    "y ~ x + z + I(x + z)",
    "y ~ C(g, Sum) * x",
    "y ~ 1",
    "y ~ x * z + h",
    "y ~ u + I(u**2) + g",
]
FAMILIES = [
    ("binomial", "logit"),
    ("binomial", "probit"),
    ("binomial", "cloglog"),
    ("binomial", "loglog"),
    ("binomial", "cauchit"),
    ("quasibinomial", "logit"),
    ("poisson", "log"),
    ("quasipoisson", "log"),
]


def looked(
    formula: str, data: pd.DataFrame, family: str = "binomial", link: str | None = None, **options
) -> tuple[Problem, GeneralizedFamily, Scored, Separation | None]:
    problem = learn(formula, data, reading="successes" if "binomial" in family else "numbers", **options)
    kernel = resolve_generalized(family, link)
    found = scored(problem.design, kernel, partial(first_predictor, family=kernel, name="y"))
    return problem, kernel, found, separation(problem.design, kernel, found)


def named(problem: Problem, seen: Separation | None) -> list[str]:
    assert seen is not None
    assert seen.proved
    return [problem.design.names[j] for j in seen.positions]


def drawn(seed: int, family: str) -> pd.DataFrame:
    """A few rows of whole numbers, often separated."""
    draw = np.random.default_rng(seed)
    n = int(draw.integers(4, 36))
    data = pd.DataFrame(
        {
            "x": draw.integers(-3, 4, n) * 1.0,
            "z": draw.integers(-2, 3, n) * 1.0,
            "u": draw.normal(size=n).round(2),
            "g": draw.choice(list("abcd"), n),
            "h": draw.choice(["p", "q"], n),
            "w": draw.integers(1, 4, n) * 1.0,
            "o": draw.normal(size=n).round(1),
        }
    )
    slope = draw.normal(size=3) * draw.choice([0.3, 1, 3, 10])
    eta = slope[0] * data.x + slope[1] * data.z + slope[2] * (data.g == "b") + draw.normal()
    if "binomial" in family:
        y = (draw.random(n) < 1 / (1 + np.exp(-eta))) * 1.0
        if draw.random() < 0.2:
            y[draw.random(n) < 0.3] = 0.25
        return data.assign(y=y)
    y = draw.poisson(np.exp(np.clip(eta - 1, -20, 3))) * 1.0
    y[0] = max(y[0], 1)
    return data.assign(y=y)


def program(x: np.ndarray, pull: np.ndarray) -> tuple[list[int], list[int], int]:
    """Columns whose range over the cone is not zero, their signs, and how many rows the cone moves: Konis (2007)."""

    def most(cost: np.ndarray) -> float:
        held = x[pull == 0]
        answer = linprog(
            -cost,
            A_ub=-(pull[:, None] * x)[pull != 0],
            b_ub=np.zeros(int((pull != 0).sum())),
            A_eq=held if len(held) else None,
            b_eq=np.zeros(len(held)) if len(held) else None,
            bounds=[(-1, 1)] * x.shape[1],
            method="highs",
        )
        return -answer.fun

    unit = np.eye(x.shape[1])
    up, down = np.array([most(e) > 1e-7 for e in unit]), np.array([most(-e) > 1e-7 for e in unit])
    moved = np.flatnonzero(up | down)
    signs = np.where(up & down, 0, np.where(up, 1, -1))[moved]
    rows = sum(most(p * row) > 1e-7 for p, row in zip(pull, x, strict=True) if p)
    return moved.tolist(), signs.tolist(), rows


def independent(problem: Problem) -> list[int]:
    return least_squares(replace(problem.design, weights=None, offset=None)).kept


@pytest.mark.parametrize("seed", range(48))
def test_verdict_is_that_of_the_full_program(seed: int) -> None:
    formula, (family, link) = FORMULAS[seed % len(FORMULAS)], FAMILIES[seed // 3 % len(FAMILIES)]
    options = [{}, {"weights": "w"}, {"offset": "o"}][seed % 3]
    problem, kernel, _, seen = looked(formula, drawn(seed, family), family, link, **options)
    kept, pull = independent(problem), kernel.pull(problem.design.y).numpy()
    moved, signs, rows = program(problem.design.dense()[:, kept], pull)
    assert (seen is not None) == bool(moved)
    if seen is not None:
        assert seen.proved
        assert seen.positions == [kept[j] for j in moved]
        assert seen.signs.tolist() == signs
        assert (seen.n_rows, seen.of_rows) == (rows, problem.design.n_rows)


@pytest.mark.parametrize("at_once", [1000, 4])
def test_program_alone_decides_where_nothing_is_known(at_once: int, monkeypatch) -> None:
    """Every row a suspect and a guess that says nothing, with the rows all at once or a few each round."""
    monkeypatch.setattr(module, "PROGRAM_ROWS", at_once)
    verdicts = []
    for seed in range(200, 224):
        problem = learn(FORMULAS[seed % len(FORMULAS)], drawn(seed, "binomial"), reading="successes")
        pull = resolve_generalized("binomial", None).pull(problem.design.y)
        live = torch.ones_like(pull, dtype=torch.bool)
        frame = Frame.of(problem.design, live)
        seen = recession(frame, pull, pull == 0, pull != 0, [np.zeros(problem.design.k)])
        _, _, rows = program(problem.design.dense()[:, frame.plain.kept], pull.numpy())
        assert (0 if seen is None else int(seen.forward.sum())) == rows
        assert seen is None or seen.proved
        verdicts.append(rows > 0)
    assert 5 < sum(verdicts) < 19


def one_data(n: int = 300, seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "x": draw.normal(size=n),
            "z": draw.normal(size=n),
            "g": draw.choice(list("abcd"), n),
            "year": draw.integers(1990, 2021, n) * 1.0,
        }
    )
    return data.assign(coin=(draw.random(n) < 0.5) * 1.0, count=draw.poisson(3, n) * 1.0)


def test_level_with_only_zeros_is_named_alone() -> None:
    data = one_data()
    for family, link, y in (
        ("binomial", "logit", "coin"),
        ("binomial", "cauchit", "coin"),
        ("poisson", "log", "count"),
    ):
        data["y"] = data[y].where(data.g != "c", 0)
        problem, _, _, seen = looked("y ~ g + x", data, family, link)
        assert named(problem, seen) == ["g[T.c]"]
        assert seen.signs.tolist() == [-1]
        (group,) = seen.groups
        assert (group.n_rows, group.pull) == ((data.g == "c").sum(), -1)


def test_reference_level_with_only_ones_moves_all_levels() -> None:
    data = one_data()
    data["y"] = data.coin.where(data.g != "a", 1)
    problem, _, _, seen = looked("y ~ g + x", data)
    assert named(problem, seen) == ["Intercept", "g[T.b]", "g[T.c]", "g[T.d]"]
    assert seen.signs.tolist() == [1, -1, -1, -1]
    assert seen.n_rows == (data.g == "a").sum()


def test_separate_causes_are_kept_apart() -> None:
    data = one_data()
    data["y"] = data.coin.where(data.g != "c", 0).where(data.g != "d", 1)
    problem, _, _, seen = looked("y ~ g + x", data)
    assert named(problem, seen) == ["g[T.c]", "g[T.d]"]
    assert seen.signs.tolist() == [-1, 1]
    assert [(g.n_rows, g.pull) for g in seen.groups] == [((data.g == "c").sum(), -1), ((data.g == "d").sum(), 1)]


def test_many_levels_are_gathered() -> None:
    draw = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat([f"l{i:02}" for i in range(40)], 12)})
    data["y"] = np.where(data.g.isin([f"l{i:02}" for i in range(5, 20)]), 0, draw.random(len(data)) < 0.5) * 1.0
    # Every other level has both outcomes.
    data.loc[~data.g.isin([f"l{i:02}" for i in range(5, 20)]) & ~data.g.duplicated(), "y"] = 1.0
    data.loc[~data.g.isin([f"l{i:02}" for i in range(5, 20)]) & ~data.g.duplicated(keep="last"), "y"] = 0.0
    problem, _, _, seen = looked("y ~ g", data)
    assert named(problem, seen) == [f"g[T.l{i:02}]" for i in range(5, 20)]
    assert [len(g.positions) for g in seen.groups] == [1, 1, 1, 1, 1, 10]
    assert seen.n_rows == sum(g.n_rows for g in seen.groups) == 15 * 12


def levels_apart() -> pd.DataFrame:
    """Ninety levels: two of one outcome each, and one in which `v`, zero elsewhere, tells the outcome."""
    draw = np.random.default_rng(12)
    n = 1800
    data = pd.DataFrame({"g": draw.integers(0, 90, n), "x": draw.normal(size=n), "y": draw.integers(0, 2, n) * 1.0})
    inside = data.g == 40
    data["v"] = np.where(inside, draw.normal(size=n), 0.0)
    data["y"] = data.y.where(~inside, data.v > 0).where(data.g != 7, 0.0).where(data.g != 50, 1.0)
    return data


@pytest.mark.parametrize("formula", ["y ~ x + v + C(g)", "y ~ C(g) + x + v", "y ~ 0 + C(g) + v + x"])
@pytest.mark.parametrize("reference", [0, 7])
def test_levels_by_themselves_are_as_among_dense_columns(formula: str, reference: int, monkeypatch) -> None:
    data = levels_apart()
    data["g"] = data.g.replace({0: reference, reference: 0})
    problem, _, dense, expected = _without_arrows(formula, data, monkeypatch)
    monkeypatch.setattr(equations, "QR_CHEAP", 0)
    _, _, found, seen = looked(formula, data)
    assert named(problem, seen) == named(problem, expected)
    assert seen.n_rows == expected.n_rows == data.g.isin({0 if reference else 7, 40, 50}).sum()
    assert seen.signs.tolist() == expected.signs.tolist()
    assert [(g.positions, g.n_rows, g.pull) for g in seen.groups] == [
        (g.positions, g.n_rows, g.pull) for g in expected.groups
    ]
    finite = [j for j in range(problem.design.k) if j not in seen.positions]
    assert found.solution.kept == dense.solution.kept
    np.testing.assert_allclose(found.params[finite], dense.params[finite], atol=1e-10)
    # About the shift of `v`, which is infinite, the constant's error has lost its digits on either way.
    told = [j for j in finite if j != problem.design.constant]
    errors = [np.sqrt(np.diag(at.solution.inverse_gram)[told]) for at in (found, dense)]
    np.testing.assert_allclose(*errors, rtol=1e-9)


def _without_arrows(formula: str, data: pd.DataFrame, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(triangular, "arrow_of", lambda gram: None)
        patch.setattr(rank, "arrow_of", lambda gram: None)
        return looked(formula, data)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_complete_separation(link: str) -> None:
    data = one_data()
    problem, _, _, seen = looked("y ~ x + z", data.assign(y=(data.x + 0.2 * data.z > 0.1) * 1.0), link=link)
    assert named(problem, seen) == ["Intercept", "x", "z"]
    assert (seen.signs[1], seen.n_rows) == (1, len(data))


def test_slope_within_a_group_is_told_from_the_others() -> None:
    data = one_data()
    data["y"] = data.coin.where(data.g != "b", (data.x > 0) * 1.0)
    problem, _, _, seen = looked("y ~ g * x + z", data)
    assert named(problem, seen) == ["g[T.b]", "g[T.b]:x"]
    assert seen.n_rows == (data.g == "b").sum()


def test_rows_on_the_border_are_not_counted() -> None:
    """Quasi-complete: where x is 0 either may happen."""
    data = one_data()
    data["x"] = data.x.round()
    data["y"] = data.coin.where(data.x == 0, (data.x > 0) * 1.0)
    problem, _, _, seen = looked("y ~ x + z", data)
    assert named(problem, seen) == ["x"]
    assert seen.n_rows == (data.x != 0).sum()


def test_other_estimates_are_those_of_the_other_rows() -> None:
    """The limit of the likelihood is that of the rows that are not separated (Geyer 2009)."""
    data = one_data()
    data["y"] = data.coin.where(data.g != "b", (data.x > 0) * 1.0)
    problem, _, found, seen = looked("y ~ g * x + year", data)
    rest, _, part, none = looked("y ~ g * x + year", data[data.g != "b"])
    assert none is None
    ours = [problem.design.names.index(name) for name in rest.design.names]
    assert not set(ours) & set(seen.positions)
    np.testing.assert_allclose(found.params[ours], part.params, rtol=1e-9)
    bse, expected = (np.sqrt(np.diag(f.solution.inverse_gram)) for f in (found, part))
    np.testing.assert_allclose(bse[ours], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "formula",
    ["y ~ I(x * 1e12)", "y ~ I(x * 1e-12)", "y ~ I(x + 1e9)", "y ~ year", "y ~ I(year**3)", "y ~ I(exp(4 * x))"],
)
def test_units_do_not_matter(formula: str) -> None:
    data = one_data()
    of_year = "year" in formula
    data["y"] = (data.year > 2005 if of_year else data.x > 0.01) * 1.0
    problem, _, _, seen = looked(formula, data)
    assert len(named(problem, seen)) == 2
    assert (seen.signs[1], seen.n_rows) == (1, len(data))
    # Two rows that change places end it: no estimate is infinite.
    order = np.argsort(data.year if of_year else data.x, kind="stable").to_numpy()
    middle = int((data.y == 0).sum())
    data.loc[order[[middle - 1, middle]], "y"] = [1.0, 0.0]
    assert looked(formula, data)[3] is None


def test_aliased_columns_weights_of_zero_and_an_offset() -> None:
    data = one_data().assign(w=1.0, o=np.linspace(-2, 2, 300))
    data["twice"] = 2 * data.x
    data["y"] = (data.x > 0) * 1.0
    problem, _, _, seen = looked("y ~ x + twice + z", data, offset="o")
    assert named(problem, seen) == ["Intercept", "x", "z"]
    # The rows that speak against it do not count.
    data.loc[data.x.abs() > 1, "w"] = 0.0
    data.loc[data.x.abs() > 1, "y"] = 1 - data.y
    problem, kernel, _, seen = looked("y ~ x + z", data, weights="w")
    assert named(problem, seen) == ["Intercept", "x", "z"]
    kept = problem.design
    assert kept.n_rows == seen.of_rows == int((data.w > 0).sum())
    whole = replace(learn("y ~ x + z", data, reading="successes").design, weights=torch.tensor(data.w.to_numpy()))
    found = scored(whole, kernel, partial(first_predictor, family=kernel, name="y"))
    again = separation(whole, kernel, found)
    assert (again.positions, again.n_rows, again.of_rows) == (seen.positions, seen.n_rows, seen.of_rows)


def test_no_false_alarm_by_extreme_data() -> None:
    draw = np.random.default_rng(5)
    n = 3000
    data = pd.DataFrame({"x": draw.normal(size=n), "z": draw.normal(size=n), "year": draw.integers(1990, 2021, n)})
    data["near"] = data.x + 1e-7 * data.z
    coin = (draw.random(n) < 1 / (1 + np.exp(-data.x))) * 1.0
    steep = (draw.random(n) < 1 / (1 + np.exp(-60 * data.x))) * 1.0
    outlier = data.x.where(data.index > 0, 1e6)
    cases = [
        ("y ~ x", data.assign(y=draw.poisson(np.exp(15 + 0.1 * data.x)) * 1.0), "poisson"),
        ("y ~ x + z", data.assign(y=draw.poisson(np.exp(5 + 4 * data.x)) * 1.0), "poisson"),
        ("y ~ x", data.assign(y=draw.poisson(np.exp(np.clip(9 * data.x, -30, 20))) * 1.0), "quasipoisson"),
        ("y ~ x + near", data.assign(y=coin), "binomial"),
        ("y ~ I(x * 1e12) + year", data.assign(y=coin), "binomial"),
        ("y ~ poly(x, 5)", data.assign(y=coin), "binomial"),
        ("y ~ x", data.assign(y=coin.where(data.index > 0, 1.0), x=outlier), "binomial"),
        ("y ~ x + z", data.assign(y=steep), "binomial"),
        ("y ~ x", data.assign(y=steep), "quasibinomial"),
    ]
    for formula, frame, family in cases:
        _, _, found, seen = looked(formula, frame, family)
        assert (found.converged, seen) == (True, None), formula


def test_rare_events_in_many_rows() -> None:
    n = 400_000
    draw = np.random.default_rng(3)
    data = pd.DataFrame({"x": draw.normal(size=n), "y": 0.0})
    data.loc[[5, 100_000, 399_999], "y"] = 1.0
    for family, link in (("binomial", "logit"), ("binomial", "cloglog"), ("poisson", "log")):
        _, _, found, seen = looked("y ~ x", data, family, link)
        assert (found.converged, seen) == (True, None)
        assert found.params[0] == pytest.approx(np.log(3 / n), abs=0.6)


def test_sample_that_is_separated_does_not_mislead() -> None:
    """A rare level without events in the sample that finds the start, and with some in the whole."""
    n = 120_000
    draw = np.random.default_rng(0)
    data = pd.DataFrame({"x": draw.normal(size=n), "g": np.where(np.arange(n) % 1000 == 7, "r", "a")})
    data["y"] = np.where(data.g == "r", 0, draw.random(n) < 0.3) * 1.0
    problem, _, _, seen = looked("y ~ g + x", data)
    assert named(problem, seen) == ["g[T.r]"]
    data.loc[[7, 1007], "y"] = 1.0
    _, _, found, seen = looked("y ~ g + x", data)
    assert (found.converged, seen) == (True, None)
    rate = data.y.groupby(data.g).mean()
    assert found.params[1] == pytest.approx(np.log(rate.r / (1 - rate.r) / rate.a * (1 - rate.a)), abs=1e-2)


def test_what_is_not_proved_is_said(monkeypatch) -> None:
    """Without a direction that agrees with all rows, there is still no information."""
    data = one_data()
    data["y"] = data.coin.where(data.g != "c", 0)
    problem, kernel, found, _ = looked("y ~ g + x", data)
    monkeypatch.setattr(
        module, "separable_rows", lambda rows: (np.zeros(rows.shape[1]), np.ones(len(rows), dtype=bool))
    )
    lost = replace(found, last_step=-found.last_step, params=np.zeros_like(found.params))
    seen = separation(problem.design, kernel, lost)
    assert (seen.positions, seen.proved) == ([2], False)
    (message,) = map(str, separation_warnings(problem, seen, curable=True))
    assert message.startswith("the data hold no information about `g[T.c]`: ")


def test_links_that_cannot_be_separated() -> None:
    data = one_data()
    y = torch.tensor([0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    pulls = {
        ("binomial", "logit"): [-1, 0, 1],
        ("binomial", "log"): [-1, 0, 0],
        ("poisson", "log"): [-1, 0, 0, 0],
        ("poisson", "inverse"): [1, 0, 0, 0],
        ("poisson", "sqrt"): [0, 0, 0, 0],
        ("poisson", "identity"): [0, 0, 0, 0],
        ("gaussian", "identity"): [0, 0, 0, 0],
        ("gaussian", "log"): [-1, 0, 0, 0],
    }
    for (family, link), expected in pulls.items():
        assert resolve_generalized(family, link).pull(y[: len(expected)]).tolist() == expected
    data["y"] = data["count"].where(data.g != "c", 0)
    assert looked("y ~ g", data, "poisson", "sqrt")[3] is None


def test_messages() -> None:
    data = one_data()

    def said(formula: str, y: pd.Series, family: str = "binomial") -> list[str]:
        problem, kernel, _, seen = looked(formula, data.assign(y=y), family)
        return list(map(str, separation_warnings(problem, seen, curable=not kernel.dispersed)))

    remedy = "ft.fit(..., prior='firth') gives finite estimates."
    in_c, in_d = (data.g == "c").sum(), (data.g == "d").sum()
    one = data.coin.where(data.g != "c", 0)
    assert said("y ~ g + x", one) == [
        f"`y` is 0 in all {in_c} rows of `g[T.c]`: its estimate is infinite, and its error NaN. {remedy}"
    ]
    assert said("y ~ g + x", one.where(data.g != "d", 1)) == [
        f"`y` is 0 in all {in_c} rows of `g[T.c]`, 1 in all {in_d} rows of `g[T.d]`: their estimates are infinite, and "
        f"their errors NaN. {remedy}"
    ]
    assert said("y ~ I(g == 'c') + x", data["count"].where(data.g != "c", 0), "quasipoisson") == [
        f"`y` is 0 in all {in_c} rows of `I(g == 'c')[T.True]`: its estimate is infinite, and its error NaN. Merge "
        "levels, or drop columns."
    ]
    assert said("y ~ 1", 0 * one + 1) == [
        f"`y` is 1 in all 300 rows: its estimate is infinite, and its error NaN. {remedy}"
    ]
    assert said("y ~ x", 0 * one + 1) == [
        "`y` is 1 in all 300 rows: the estimates of `Intercept`, `x` are infinite, and their errors are NaN. " + remedy
    ]
    assert said("y ~ x + z", (data.x > 0) * 1.0) == [
        "`x` separates the response: 300 of 300 rows are predicted with certainty, so that the estimates of "
        f"`Intercept`, `x`, `z` are infinite; their errors are NaN. {remedy}"
    ]
    word = pd.Series(np.where(data.g == "c", "no", np.where(data.coin > 0, "yes", "no")))
    assert said("y ~ g", word)[0].startswith(f"`y` is 'no' in all {in_c} rows of `g[T.c]`")
