"""Coefficients within bounds: against every face tried in turn, scipy's solvers, and the conditions of an optimum."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import lsq_linear, minimize, nnls

from formula_torch.errors import DataError, UnknownNameError
from formula_torch.families.generalized import resolve_generalized
from formula_torch.formula.learn import learn
from formula_torch.models.glm import GlmModel, first_predictor, glm_scores
from formula_torch.models.linear import LinearModel, linear_scores
from formula_torch.solvers.bounded import Face, bounded, bounded_least_squares
from formula_torch.solvers.bounded_scoring import bounded_scored
from formula_torch.solvers.box import Box, box_least_squares
from formula_torch.solvers.held import embedded, moved_to_offset, without_held
from formula_torch.solvers.least_squares import least_squares
from formula_torch.solvers.scoring import scored

FORMULAS = ["y ~ a + b + c + g", "y ~ a + b + C(g, Sum) - 1", "y ~ a * b + year"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return table(np.random.default_rng(5), 60)


def table(draw: np.random.Generator, n: int) -> pd.DataFrame:
    a = draw.normal(size=n)
    frame = pd.DataFrame(
        {
            "a": a,
            "b": a + draw.normal(size=n),
            "c": 1e4 * draw.normal(size=n),
            "year": draw.integers(1990, 2020, n),
            "g": draw.choice(["u", "v", "w"], n),
            "w": draw.uniform(0.2, 3, n),
            "o": draw.normal(size=n),
        }
    )
    eta = 0.3 - 0.5 * frame["a"] + 0.4 * frame["b"] + 3e-5 * frame["c"] + 0.3 * (frame["g"] == "v")
    return frame.assign(
        y=eta + draw.normal(size=n),
        count=draw.poisson(np.exp(eta)),
        yes=draw.uniform(size=n) < 1 / (1 + np.exp(-eta)),
        amount=np.exp(eta) * draw.gamma(2, 0.5, n),
    )


def best_of_all_faces(x: np.ndarray, y: np.ndarray, w: np.ndarray, box: Box) -> np.ndarray:
    """Least squares with each coefficient free, at its lower or at its upper bound, in all combinations."""
    low, high, root = box.low, box.high, np.sqrt(w)
    sides = [
        [0, *([-1] if math.isfinite(lo) else []), *([1] if math.isfinite(hi) else [])]
        for lo, hi in zip(low, high, strict=True)
    ]
    best, answer = math.inf, np.full(x.shape[1], np.nan)
    for face in itertools.product(*sides):
        at = np.array(face)
        b = np.where(at == -1, low, np.where(at == 1, high, 0.0))
        free = at == 0
        rest = y - x[:, ~free] @ b[~free]
        b[free] = np.linalg.lstsq(x[:, free] * root[:, None], rest * root, rcond=None)[0]
        slack = 1e-12 * np.abs(b)
        value = float(w @ (y - x @ b) ** 2)
        if (b >= low - slack).all() and (b <= high + slack).all() and value < best:
            best, answer = value, b
    return answer


def random_box(draw: np.random.Generator, centre: np.ndarray, size: np.ndarray, share: float = 0.6) -> Box:
    """Bounds near some values, `size` apart, on a share of them; all kinds."""
    low, high = np.full(len(centre), -math.inf), np.full(len(centre), math.inf)
    for j in np.flatnonzero(draw.uniform(size=len(centre)) < share):
        at, half = centre[j] + size[j] * draw.normal(), size[j] * draw.uniform()
        low[j], high[j] = [(at - half, at + half), (at, math.inf), (-math.inf, at), (at, at)][draw.integers(4)]
    return Box(low, high)


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_least_squares_against_all_faces(formula: str, weights: str | None) -> None:
    draw = np.random.default_rng(17)
    bound = 0
    for _ in range(7):
        frame = table(draw, 25)
        design = learn(formula, frame, weights=weights, offset="o").design
        x, y = design.dense(), (frame["y"] - frame["o"]).to_numpy()
        w = np.ones(len(frame)) if weights is None else frame["w"].to_numpy()
        first = least_squares(design)
        box = random_box(draw, first.params, 2 * np.sqrt(np.diag(first.inverse_gram)))
        found = bounded_least_squares(design, box)
        expected = best_of_all_faces(x, y, w, box)
        errors = np.sqrt(np.diag(first.inverse_gram))
        np.testing.assert_allclose(found.params / errors, expected / errors, rtol=1e-10, atol=1e-8)
        # The intercept beside a calendar year is large, and the reference has its error.
        np.testing.assert_allclose(x @ found.params, x @ expected, rtol=0, atol=1e-9)
        assert not box.outside(found.params).any()
        assert all(found.params[j] == value and value in (box.low[j], box.high[j]) for j, value in found.held.items())
        assert sorted([*found.held, *found.kept]) == list(range(design.k))
        np.testing.assert_allclose(found.ssr, w @ (y - x @ expected) ** 2, rtol=1e-9)
        bound += len(found.held)
    assert bound > 10


def test_many_columns_against_scipy() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(size=(300, 40)) + draw.normal(size=(300, 1))
    y = x @ np.maximum(draw.normal(size=40), 0) * 0.1 + draw.normal(size=300)
    columns = {f"x{j}": x[:, j] for j in range(40)}
    design = learn("y ~ " + " + ".join(columns) + " - 1", {"y": y, **columns}).design
    found = bounded_least_squares(design, Box(np.zeros(40), np.full(40, np.inf)))
    np.testing.assert_allclose(found.params, nnls(x, y)[0], rtol=0, atol=1e-12)
    low, high = np.full(40, -0.05), np.full(40, 0.1)
    found = bounded_least_squares(design, Box(low, high))
    expected = lsq_linear(x, y, (low, high), method="bvls", tol=1e-14)
    np.testing.assert_allclose(found.params, expected.x, rtol=0, atol=1e-10)
    assert {-0.05, 0.1} == set(found.held.values())


def test_the_optimum_is_one(data) -> None:
    """Free coefficients have no gradient; held ones are pulled out of the box."""
    design = learn("y ~ a + b + c + g", data, weights="w").design
    box = Box.of({"a": (0, None), "b": (None, 0.9), "g[T.v]": (None, 0), "c": (3e-5, 4e-5)}, design.names)
    found = bounded_least_squares(design, box)
    x, w = design.dense(), data["w"].to_numpy()
    gradient = x.T @ (w * (data["y"].to_numpy() - x @ found.params)) / np.linalg.norm(x, axis=0)
    assert {design.names[j] for j in found.held} == {"a", "c", "g[T.v]"}
    for j in range(design.k):
        if j not in found.held:
            assert abs(gradient[j]) < 1e-12
        else:
            assert (gradient[j] < -1e-3) == (found.params[j] == box.low[j])
            assert (gradient[j] > 1e-3) == (found.params[j] == box.high[j])


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_do_not_matter(unit: float, data) -> None:
    design = learn("y ~ a + b + year", data).design
    scaled = data.assign(a=data["a"] * unit, b=data["b"] * unit, year=(data["year"] - 2000) * unit)
    there = learn("y ~ a + b + year", scaled).design
    bounds = {"a": (-0.2, None), "year": (0.01, 0.02)}
    found = bounded_least_squares(design, Box.of(bounds, design.names))
    moved = {name: (low / unit, None if high is None else high / unit) for name, (low, high) in bounds.items()}
    again = bounded_least_squares(there, Box.of(moved, there.names))
    assert list(found.held) == list(again.held) == [1, 3]
    np.testing.assert_allclose(again.params[1:] * unit, found.params[1:], rtol=1e-11)
    np.testing.assert_allclose(again.ssr, found.ssr, rtol=1e-12)


def test_a_bounded_constant_is_that_of_the_raw_columns() -> None:
    """With columns far from zero, whose shifts inside the solver move the constant."""
    draw = np.random.default_rng(8)
    held = 0
    for _ in range(12):
        frame = table(draw, 30).assign(b=lambda d: d["b"] + 50)
        design = learn("y ~ a + b + c", frame).design
        first = least_squares(design)
        box = random_box(draw, first.params, 2 * np.sqrt(np.diag(first.inverse_gram)), share=0.5)
        box.low[0] = box.high[0] - 1 if math.isfinite(box.high[0]) else first.params[0] + draw.normal()
        found = bounded_least_squares(design, box)
        expected = best_of_all_faces(design.dense(), frame["y"].to_numpy(), np.ones(30), box)
        errors = np.sqrt(np.diag(first.inverse_gram))
        np.testing.assert_allclose(found.params / errors, expected / errors, rtol=1e-9, atol=1e-9)
        held += 0 in found.held
    assert held > 4


def test_bounds_that_do_not_bind_change_nothing(data) -> None:
    design = learn("y ~ a + b + c", data).design
    found = bounded_least_squares(design, Box.of({"a": (-10, 10), "b": (-10, None), "c": (None, None)}, design.names))
    expected = least_squares(design)
    assert not found.held
    np.testing.assert_array_equal(found.params, expected.params)
    np.testing.assert_array_equal(found.inverse_gram, expected.inverse_gram)


def test_a_bound_at_the_estimate(data) -> None:
    """Held or free, the numbers are the same."""
    design = learn("y ~ a + b + c", data).design
    expected = least_squares(design)
    for name, value in zip(design.names, expected.params, strict=True):
        for pair in [(value, None), (None, value), (value, value)]:
            found = bounded_least_squares(design, Box.of({name: pair}, design.names))
            np.testing.assert_allclose(found.params, expected.params, rtol=1e-10)


def test_the_solution_is_that_of_the_other_columns(data) -> None:
    """What errors, scores and residuals are made of, in the positions of all columns."""
    design = learn("y ~ a + year + C(g, Sum) * b", data, weights="w", offset="o").design
    box = Box.of({"year": (0.5, None), "C(g, Sum)[S.u]": (None, -1), "C(g, Sum)[S.v]:b": (2, 2)}, design.names)
    found = bounded_least_squares(design, box)
    assert found.held == {2: 0.5, 3: -1.0, 7: 2.0}
    free = [j for j in range(design.k) if j not in found.held]
    rest = moved_to_offset(design, found.held)
    alone = least_squares(rest)
    np.testing.assert_array_equal(found.params[free], alone.params)
    np.testing.assert_array_equal(found.inverse_gram[np.ix_(free, free)], alone.inverse_gram)
    assert np.isnan(found.inverse_gram[list(found.held)]).all()
    assert np.isnan(found.coordinates.lift[list(found.held)]).all()
    assert (found.ssr, found.rank, found.dependent) == (alone.ssr, alone.rank, {})
    assert found.spans_constant
    np.testing.assert_allclose(design.matvec(found.constant).numpy(), 1, rtol=1e-12)
    model = LinearModel.of(design, "analytic")
    whole = linear_scores(design, found.shifted_params, found.coordinates, model, shift=found.response_shift)
    part = linear_scores(rest, alone.shifted_params, alone.coordinates, model, shift=alone.response_shift)
    residuals = design.weights * (design.response - design.matvec(found.params))
    np.testing.assert_allclose(whole.row_slopes(), residuals.numpy(), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(whole.row_slopes(), part.row_slopes(), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(whole.outer(), part.outer(), rtol=1e-9, atol=1e-10)
    coordinates, shifted = without_held(found)
    again = linear_scores(rest, shifted, coordinates, model, shift=found.response_shift)
    np.testing.assert_array_equal(again.dense(), part.dense())
    np.testing.assert_allclose(whole.leverage(), part.leverage(), rtol=1e-9)
    np.testing.assert_allclose(
        found.coordinates.lift[free] @ found.coordinates.lift[free].T, alone.inverse_gram, rtol=1e-9
    )


def test_extreme_units_in_a_factor_of_which_some_columns_are_held() -> None:
    """The columns of a block share the power of two by which it is scaled, where one is held at a value too."""
    draw = np.random.default_rng(4)
    frame = table(draw, 50)
    design = learn("y ~ g:a - 1", frame).design
    small = learn("y ~ g:a - 1", frame.assign(a=frame["a"] * 1e-80)).design
    first, second = design.names[:2]
    found = bounded_least_squares(design, Box.of({first: (0.3, None), second: (0.2, 0.2)}, design.names))
    again = bounded_least_squares(small, Box.of({first: (0.3e80, None), second: (0.2e80, 0.2e80)}, design.names))
    assert list(found.held) == list(again.held) == [0, 1]
    np.testing.assert_allclose(again.params * 1e-80, found.params, rtol=1e-12)
    model = LinearModel.of(design, "analytic")
    slopes = [
        linear_scores(d, s.shifted_params, s.coordinates, model, shift=s.response_shift).row_slopes()
        for d, s in [(design, found), (small, again)]
    ]
    np.testing.assert_allclose(*slopes, rtol=1e-10)


@pytest.mark.parametrize("formula", ["y ~ a + b", "y ~ a + b - 1"])
def test_every_coefficient_is_held(formula: str, data) -> None:
    design = learn(formula, data).design
    bounds = {"Intercept": (2, 2), "a": (3, None), "b": (3, None)}
    box = Box.of({name: bounds[name] for name in design.names}, design.names)
    found = bounded_least_squares(design, box)
    assert len(found.held) == design.k
    assert (found.rank, found.params[-2:].tolist()) == (0, [3, 3])
    rest = data["y"] - (2 if len(found.params) == 3 else 0) - 3 * data["a"] - 3 * data["b"]
    np.testing.assert_allclose(found.ssr, rest @ rest, rtol=1e-12)


# -- dependent columns ----------------------------------------------------------------------------


def test_dependent_columns_without_bounds_are_dropped_as_ever(data) -> None:
    design = learn("y ~ a + b + I(a + b) + c", data.assign(b=data["b"])).design
    found = bounded_least_squares(design, Box.of({"c": (1e-4, None)}, design.names))
    plain = bounded_least_squares(learn("y ~ a + b + c", data).design, Box.of({"c": (1e-4, None)}, list("iabc")))
    assert np.isnan(found.params[3])
    assert list(found.dependent) == [3]
    np.testing.assert_allclose(found.params[[0, 1, 2, 4]], plain.params, rtol=1e-10)
    np.testing.assert_allclose(design.matvec(found.null_space[0]).numpy(), 0, atol=1e-10)


def test_bounds_on_dependent_columns(data) -> None:
    """Where they leave one solution it is found, and where they do not the column is named."""
    frame = data.assign(twice=2 * data["a"])
    design = learn("y ~ a + twice + b", frame).design
    names = design.names
    # The sum 0.5 * twice + a wants -0.4 or so.
    found = bounded_least_squares(design, Box.of({"a": (0, None), "twice": (0, None)}, names))
    assert list(found.held) == [1, 2]
    found = bounded_least_squares(design, Box.of({"a": (0, None), "twice": (-0.05, 1)}, names))
    assert found.held == {1: 0.0, 2: -0.05}
    with pytest.raises(DataError, match="the data do not determine `a`, whose column depends on others"):
        bounded_least_squares(design, Box.of({"a": (0, None)}, names))
    # Fixed, there is nothing left to tell.
    found = bounded_least_squares(design, Box.of({"a": (1, 1)}, names))
    np.testing.assert_allclose(1 + 2 * found.params[2], least_squares(learn("y ~ a + b", data).design).params[1])
    # Within bounds nothing is said of them.
    found = bounded_least_squares(design, Box.of({"a": (None, 0)}, names))
    assert np.isnan(found.params[2])
    assert not found.held


def test_more_columns_than_rows() -> None:
    draw = np.random.default_rng(6)
    solved = 0
    for _ in range(12):
        x, y = draw.normal(size=(15, 25)), draw.normal(size=15) + 1
        columns = {f"x{j}": x[:, j] for j in range(25)}
        design = learn("y ~ " + " + ".join(columns) + " - 1", {"y": y, **columns}).design
        expected, distance = nnls(x, y)
        box = Box(np.zeros(25), np.full(25, np.inf))
        if distance < 1e-8:
            with pytest.raises(DataError, match="the data do not determine"):
                bounded_least_squares(design, box)
        else:
            solved += 1
            found = bounded_least_squares(design, box)
            np.testing.assert_allclose(found.params, expected, rtol=0, atol=1e-11)
    assert solved > 3


def test_box_least_squares_with_dependent_columns() -> None:
    draw = np.random.default_rng(12)
    for _ in range(40):
        root = np.triu(draw.normal(size=(4, 4)))
        matrix = root @ np.column_stack([np.eye(4), draw.integers(-2, 3, size=(4, 3))])
        target = draw.normal(size=4)
        low = np.where(draw.uniform(size=7) < 0.5, draw.normal(size=7) - 0.5, -np.inf)
        high = np.where(draw.uniform(size=7) < 0.5, np.maximum(low, -1) + draw.uniform(size=7), np.inf)
        corner = box_least_squares(matrix, target, Box(low, high), np.arange(7) < 4)
        expected = lsq_linear(matrix, target, (low, high), method="bvls", tol=1e-15)
        assert ((corner.values >= low - 1e-12) & (corner.values <= high + 1e-12)).all()
        distance = np.linalg.norm(target - matrix @ corner.values)
        np.testing.assert_allclose(distance**2 / 2, expected.cost, rtol=1e-9, atol=1e-14)
        assert np.linalg.matrix_rank(matrix[:, corner.free]) == corner.free.sum()


# -- the rows have the last word ------------------------------------------------------------------


class _Misled:
    """Least squares with a search that holds what it is told."""

    def __init__(self, held: dict[int, float], design, box: Box) -> None:
        from formula_torch.solvers.bounded import _LinearMethod

        self.method, self.held = _LinearMethod(), held
        self.face = self.method.search(design, box)

    def search(self, design, box: Box) -> Face:
        return replace(self.face, held=self.held, solution=None)

    def embedded(self, solution, design, held):
        return embedded(solution, design, held)


@pytest.mark.parametrize("held", [{}, {1: -0.2, 2: 0.0, 3: 2e-5}, {3: 1e-5}, {2: 0.1}])
def test_a_wrong_face_is_mended(held: dict[int, float], data) -> None:
    design = learn("y ~ a + b + c", data).design
    box = Box.of({"a": (-0.2, None), "b": (0, 0.1), "c": (1e-5, 2e-5)}, design.names)
    expected = bounded_least_squares(design, box)
    assert expected.held
    found = bounded(design, box, _Misled(held, design, box))
    assert found.held == expected.held
    np.testing.assert_array_equal(found.params, expected.params)


def test_a_pull_that_does_not_end_is_an_error(data) -> None:
    design = learn("y ~ a + b", data).design
    box = Box.of({"a": (0, None)}, design.names)
    method = _Misled({}, design, box)
    method.face = replace(method.face, pull=lambda design, solution, held: (np.ones(design.k), 1e-6))
    with pytest.raises(DataError, match="`a` is still pulled away from its bound 0"):
        bounded(design, box, method)


# -- how bounds are written -----------------------------------------------------------------------


def test_reading_of_bounds() -> None:
    names = ["Intercept", "x", "C(g)[T.b]"]
    box = Box.of({"x": [None, np.float64(2)], "C(g)[T.b]": (-np.inf, math.inf)}, names)
    assert box.low.tolist() == [-math.inf] * 3
    assert box.high.tolist() == [math.inf, 2, math.inf]
    assert Box.of({"x": (1, 1)}, names).fixed == {1: 1.0}
    assert Box.of({}, names).fixed == {}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"X": (0, 1)}, "`X` is not a coefficient; did you mean `x`"),
        ({"C(g)[b]": (0, 1)}, r"is not a coefficient; did you mean `C\(g\)\[T.b\]`"),
        ({"slopes": (0, 1)}, "is not a coefficient. The coefficients are `Intercept`, `x`"),
        ((0, None), "maps names of coefficients to pairs"),
        ({"x": 0}, r"`x` must be a pair \(low, high\) of numbers or None"),
        ({"x": (0, 1, 2)}, "must be a pair"),
        ({"x": "01"}, "must be a pair"),
        ({"x": ("low", 1)}, "must be a pair"),
        ({"x": (math.nan, 1)}, "NaN is not a bound"),
        ({"x": (2, 1)}, "no number lies between 2 and 1"),
        ({"x": (math.inf, None)}, "no number lies between inf and inf"),
        ({"x": (None, -math.inf)}, "no number lies between -inf and -inf"),
    ],
)
def test_bounds_that_cannot_be(bounds, message: str) -> None:
    kind = (
        UnknownNameError if "coefficient" in message and isinstance(bounds, dict) and "x" not in bounds else DataError
    )
    with pytest.raises(kind, match=message):
        Box.of(bounds, ["Intercept", "x", "C(g)[T.b]"])


# -- likelihoods ----------------------------------------------------------------------------------

FAMILIES = {
    "poisson": ("count", "poisson", None),
    "logit": ("yes", "binomial", "logit"),
    "probit": ("yes", "binomial", "probit"),
    "gamma": ("amount", "gamma", "log"),
    "normal": ("amount", "gaussian", "log"),
}


def likelihood(family, design):
    """Minus the log-likelihood, its gradient and information, by dense algebra."""
    x, y = design.dense(), design.y
    w = np.ones(design.n_rows) if design.weights is None else design.weights.numpy()
    o = 0.0 if design.offset is None else design.offset.numpy()

    def of(b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        loss, score, information = (v.numpy() for v in family.pieces(y, torch.from_numpy(x @ b + o)))
        return float(w @ loss), -x.T @ (w * score), x.T @ ((w * information)[:, None] * x)

    return of


def prepared(name: str, frame: pd.DataFrame, formula: str = "a + b + c + g", **options):
    response, family, link = FAMILIES[name]
    frame = frame.assign(yes=frame["yes"].astype(float))
    resolved = resolve_generalized(family, link)
    design = learn(f"{response} ~ {formula}", frame, **options).design
    return resolved, design, first_predictor(design, resolved, response)


@pytest.mark.parametrize("name", FAMILIES)
def test_likelihoods_against_scipy(name: str) -> None:
    draw = np.random.default_rng(21)
    bound = 0
    for weights, offset in [(None, None), ("w", "o")]:
        frame = table(draw, 120).assign(o=lambda d: 0.1 * d["o"])
        family, design, start = prepared(name, frame, weights=weights, offset=offset)
        free = scored(design, family, start)
        errors = np.sqrt(np.diag(free.solution.inverse_gram))
        box = random_box(draw, free.params, 1.5 * errors, share=0.8)
        found = bounded_scored(design, family, start, box)
        of = likelihood(family, design)
        loss, gradient, information = of(found.params)
        pull = -gradient / np.sqrt(np.diag(information))
        for j in range(design.k):
            if j not in found.solution.held:
                assert abs(pull[j]) < 1e-9
                assert box.low[j] <= found.params[j] <= box.high[j]
            elif box.low[j] < box.high[j]:
                assert (pull[j] < 0) == (found.params[j] == box.low[j])
                assert (pull[j] > 0) == (found.params[j] == box.high[j])
        reference = minimize(
            lambda q, of=of, errors=errors: (of(q * errors)[0], of(q * errors)[1] * errors),
            box.nearest(free.params + errors * draw.normal(size=design.k)) / errors,
            jac=True,
            bounds=list(zip(box.low / errors, box.high / errors, strict=True)),
            method="L-BFGS-B",
            options={"maxiter": 5000, "maxfun": 20000, "ftol": 0, "gtol": 1e-10},
        )
        np.testing.assert_allclose(found.params / errors, reference.x, rtol=0, atol=1e-6)
        assert loss <= reference.fun + 1e-12 * abs(loss)
        assert found.converged
        bound += len(found.solution.held)
    assert bound > 2


@pytest.mark.parametrize("name", FAMILIES)
def test_likelihoods_whose_bounds_do_not_bind(name: str, data) -> None:
    family, design, start = prepared(name, data)
    expected = scored(design, family, start)
    found = bounded_scored(design, family, start, Box.of({"a": (-9, 9), "Intercept": (None, 50)}, design.names))
    assert not found.solution.held
    np.testing.assert_array_equal(found.params, expected.params)


def test_the_likelihood_of_the_other_columns(data) -> None:
    family, design, start = prepared("poisson", data, weights="w", offset="o")
    box = Box.of({"b": (None, 0.2), "g[T.v]": (0.8, 1), "c": (1e-5, 1e-5)}, design.names)
    found = bounded_scored(design, family, start, box)
    assert [design.names[j] for j in found.solution.held] == ["b", "c", "g[T.v]"]
    free = [j for j in range(design.k) if j not in found.solution.held]
    rest = moved_to_offset(design, found.solution.held)
    alone = scored(rest, family, start)
    np.testing.assert_allclose(found.params[free], alone.params, rtol=1e-12)
    inverse = found.solution.inverse_gram[np.ix_(free, free)]
    # Errors are taken where the last step begins, which need not be the same place: 3e-9 of a predictor at most.
    np.testing.assert_allclose(inverse, alone.solution.inverse_gram, rtol=1e-8)
    model = GlmModel.of(design, family, "analytic")
    whole, part = (
        glm_scores(d, s.shifted_params, s.response_shift, s.coordinates, model)
        for d, s in [(design, found.solution), (rest, alone.solution)]
    )
    np.testing.assert_allclose(whole.row_slopes(), part.row_slopes(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(whole.outer(), part.outer(), rtol=1e-8, atol=1e-9)
    assert (found.last_step[list(found.solution.held)] == 0).all()


def test_a_bound_keeps_a_separated_fit_finite() -> None:
    frame = pd.DataFrame({"x": np.arange(10.0), "y": np.repeat([0.0, 1.0], 5)})
    family = resolve_generalized("binomial", "logit")
    design = learn("y ~ x", frame).design
    start = first_predictor(design, family, "y")
    found = bounded_scored(design, family, start, Box.of({"x": (None, 2)}, design.names))
    assert found.solution.held == {1: 2.0}
    np.testing.assert_allclose(found.params, [-9, 2], rtol=1e-10)
    assert found.converged


def test_means_out_of_range_within_the_bounds(data) -> None:
    """With an identity link and a mean that must be positive."""
    family = resolve_generalized("poisson", "identity")
    design = learn("count ~ a", data).design
    box = Box.of({"Intercept": (None, -50), "a": (0, 1)}, design.names)
    with pytest.raises(DataError, match="no coefficients within the bounds were found for which every row has a mean"):
        bounded_scored(design, family, first_predictor(design, family, "count"), box)


def test_every_coefficient_of_a_likelihood_is_held(data) -> None:
    family, design, start = prepared("poisson", data, "a + b - 1")
    found = bounded_scored(design, family, start, Box.of({"a": (4, None), "b": (-2, -2)}, design.names))
    assert found.params.tolist() == [4, -2]
    assert found.solution.rank == 0
