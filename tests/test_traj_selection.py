"""Numbers of groups beside one another, and trajectory models compared where that is valid."""

from __future__ import annotations

import gc
import warnings
import weakref
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, DataRemovedError, InferenceWarning
from formula_torch.select import selection_of

matplotlib.use("Agg")
COLUMNS = (
    "groups log_lik params aic bic bic_rows entropy min_share min_units min_appa replicated starts delta note".split()
)


def panel(n: int = 100, seed: int = 4) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    group = draw.choice(3, n, p=[0.5, 0.3, 0.2])
    unit, t = np.repeat(np.arange(n), 6), np.tile(np.arange(6.0), n)
    curves = np.array([[0.0, 0.3, 0.0], [4.0, -0.6, 0.1], [-3.0, 0.0, 0.0]])[group][unit]
    y = curves[:, 0] + curves[:, 1] * t + curves[:, 2] * t**2 + draw.normal(size=len(t))
    z = draw.normal(size=n)
    return pd.DataFrame({"id": unit, "t": t, "year": 2000 + t, "y": y, "x": draw.normal(size=len(t)), "z": z[unit]})


DATA = panel()


def traj(formula: str = "y ~ t | id", groups: int = 3, data: pd.DataFrame = DATA, **options) -> ft.TrajectoryFit:
    return ft.traj(formula, data, groups=groups, starts=8, **options)


@pytest.fixture(scope="module")
def selection():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what searches warn of is a note
        return ft.select_groups("y ~ poly(t, 2) | id", DATA, groups=range(1, 6), starts=8)


# -- selection ------------------------------------------------------------------------------------


def test_the_table_says_of_each_fit_what_the_fit_says(selection) -> None:
    table = selection.table
    assert list(table.columns) == COLUMNS
    assert table["groups"].tolist() == list(selection.fits) == [1, 2, 3, 4, 5]
    assert table["params"].tolist() == [4, 8, 12, 16, 20]
    for row, fit in zip(table.to_dict("records"), selection.fits.values(), strict=True):
        assert row["log_lik"] == fit.llf
        np.testing.assert_allclose(row["aic"], -2 * fit.llf + 2 * row["params"], rtol=1e-14)
        np.testing.assert_allclose(row["bic"], -2 * fit.llf + row["params"] * np.log(100), rtol=1e-14)
        np.testing.assert_allclose(row["bic_rows"], -2 * fit.llf + row["params"] * np.log(600), rtol=1e-14)
        np.testing.assert_allclose(row["delta"], row["bic"] - table["bic"].min(), atol=1e-9)
        posterior, group = fit.posterior.to_numpy(), fit.groups.to_numpy() - 1
        assert row["min_share"] == fit.shares["share"].min()
        assert row["min_units"] == np.bincount(group).min()
        own = [posterior[group == g, g].mean() for g in range(fit.n_groups)]
        np.testing.assert_allclose(row["min_appa"], min(own), rtol=1e-12)
        if fit.n_groups > 1:
            entropy = 1 + np.sum(np.where(posterior > 0, posterior * np.log(posterior.clip(1e-300)), 0)) / (
                100 * np.log(fit.n_groups)
            )
            np.testing.assert_allclose(row["entropy"], entropy, rtol=1e-12)
    assert np.isnan(table["entropy"][0])


def test_the_true_number_is_found_and_a_group_more_never_lowers_the_likelihood(selection) -> None:
    assert selection.best.n_groups == 3
    assert selection.best is selection.fits[3]
    assert (np.diff(selection.table["log_lik"]) > -1e-9).all()
    alone = ft.traj("y ~ poly(t, 2) | id", DATA, groups=3)
    np.testing.assert_allclose(selection.best.llf, alone.llf, rtol=1e-9)


def test_warnings_of_the_searches_are_notes(selection) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ft.traj("y ~ poly(t, 2) | id", DATA, groups=5, starts=8, start=selection.fits[4])
    notes = selection.table["note"].tolist()
    assert notes[4] == " ".join(str(w.message) for w in caught)
    assert "fewer than 5 units" in notes[4]
    assert notes[2] == ""
    text = str(selection)
    assert f"5 groups: {caught[0].message}" in text
    assert "\n3*" in text
    assert "bic prefers 3" in repr(selection)
    assert "<table" in selection._repr_html_()


def test_criteria_differ_in_what_a_parameter_costs(selection) -> None:
    for criterion in ("aic", "bic_rows"):
        other = replace(selection, criterion=criterion)
        values = {k: getattr(fit, criterion) for k, fit in selection.fits.items()}
        assert other.best.n_groups == min(values, key=values.get)
        assert other.table["delta"].min() == 0
        assert other.table["delta"].idxmin() == other.best.n_groups - 1


def test_the_picture_shows_the_criterion(selection) -> None:
    ax = selection.plot()
    line, best = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), selection.table["bic"])
    assert best.get_xdata().tolist() == [3]
    assert ax.get_ylabel() == "BIC at the number of units"
    assert selection.plot(ax) is ax
    matplotlib.pyplot.close("all")


def test_options_reach_the_fits() -> None:
    found = ft.select_groups(
        "y ~ t | id", DATA, groups=(3, 2), membership="z", dispersion="group", subset="t < 5", vcov="robust", starts=3
    )
    assert list(found.fits) == [2, 3]
    fit = found.fits[2]
    assert {"membership[2]:z", "g2:sigma"} <= set(fit.names)
    assert fit.nobs == 500
    assert fit.covariance.label == "robust"


def test_what_is_wrong_with_the_data_is_said_once() -> None:
    with pytest.warns(CollinearityWarning) as caught:
        found = ft.select_groups("y ~ t + year | id", DATA, groups=(1, 2, 3), starts=3)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not found.table["note"].str.contains("year").any()


def test_a_search_that_ends_below_the_smaller_model_is_repeated() -> None:
    fits = {k: traj(groups=k) for k in (1, 2)}
    asked = []

    def fit(*, groups: int, start: ft.TrajectoryFit | None, starts: int) -> ft.TrajectoryFit:
        asked.append((groups, None if start is None else start.n_groups, starts))
        missed = groups == 2 and starts < 40
        return replace(fits[groups], llf=fits[1].llf - 1) if missed else fits[groups]

    found = selection_of(fit, (1, 2), "bic", 8)
    assert asked == [(1, None, 8), (2, 1, 8), (2, 1, 40)]
    assert found.fits[2].llf == fits[2].llf
    assert found.table["note"].tolist() == ["", ""]

    def failing(*, groups: int, start: ft.TrajectoryFit | None, starts: int) -> ft.TrajectoryFit:
        return replace(fits[groups], llf=-1000.0 * groups)

    assert "missed the maximum; try starts=200" in selection_of(failing, (1, 2), "bic", 8).table["note"][1]


def test_where_more_groups_cannot_be_had_the_others_stay() -> None:
    few = DATA[DATA["id"] < 4]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ft.select_groups("y ~ t | id", few, groups=(1, 2, 5, 6), starts=3)
    assert list(found.fits) == [1, 2]
    with pytest.raises(DataError) as error:
        traj(groups=5, data=few)
    said = f"5 groups could not be fitted, and no larger number was tried: {error.value}"
    assert found.table["note"][1].endswith(said)
    assert said not in found.table["note"][0]
    assert said in str(found)
    with pytest.raises(DataError, match="4 units"):
        ft.select_groups("y ~ t | id", few, groups=(5, 6))


def test_a_fit_keeps_what_it_began_from_without_its_data() -> None:
    found = ft.select_groups("y ~ t | id", DATA, groups=(1, 2), starts=3)
    before, kept = weakref.ref(found.fits[1]), found.fits[2]
    del found
    gc.collect()
    assert before() is None
    start = kept.call.refit.keywords["start"]
    assert start.n_groups == 1
    assert start.rows is start.units is start.resampler is start.call.refit is None
    np.testing.assert_allclose(kept.update("y ~ t | id", DATA).llf, kept.llf, rtol=1e-9)


@pytest.mark.parametrize("groups", [np.int64(2), np.array([2]), (np.int32(2), 2), [2]], ids=repr)
def test_numbers_of_groups_may_be_those_of_numpy(groups) -> None:
    assert list(ft.select_groups("y ~ t | id", DATA, groups=groups, starts=3).fits) == [2]


def test_unknown_options_are_refused() -> None:
    for groups in (2.0, None, [1, "2"], True):
        with pytest.raises(ValueError, match="must be whole numbers of groups"):
            ft.select_groups("y ~ t | id", DATA, groups=groups)
    with pytest.raises(ValueError, match="criterion='ssbic' is not known"):
        ft.select_groups("y ~ t | id", DATA, criterion="ssbic")
    with pytest.raises(ValueError, match="holds no number"):
        ft.select_groups("y ~ t | id", DATA, groups=())
    with pytest.raises(ValueError, match="groups=0"):
        ft.select_groups("y ~ t | id", DATA, groups=range(3))


# -- comparison -----------------------------------------------------------------------------------


def test_models_stand_beside_one_another() -> None:
    two, three = traj(groups=2), traj("y ~ poly(t, 2) | id")
    table = ft.compare({"two": two, "three": three})
    expected = "model groups nobs n_units params llf aic bic bic_rows delta_bic".split()
    assert list(table.columns) == expected
    assert table["model"].tolist() == ["two", "three"]
    assert table[["groups", "nobs", "n_units", "params"]].to_numpy().tolist() == [[2, 600, 100, 6], [3, 600, 100, 12]]
    np.testing.assert_array_equal(table["llf"], [two.llf, three.llf])
    np.testing.assert_allclose(table["delta_bic"], [two.bic - three.bic, 0])
    assert ft.compare(two, three)["model"].tolist() == ["y ~ t | id", "y ~ poly(t, 2) | id"]


def test_one_group_has_the_likelihood_ratio_of_a_regression() -> None:
    ours = ft.compare(traj(groups=1), traj("y ~ poly(t, 2) | id", groups=1), test="LR")
    theirs = ft.compare(ft.fit("y ~ t", DATA), ft.fit("y ~ poly(t, 2)", DATA), test="LR")
    columns = ["df_diff", "statistic", "p_value"]
    np.testing.assert_allclose(ours[columns].loc[1], theirs[columns].loc[1], rtol=1e-7)


def test_a_chain_of_nested_models() -> None:
    # Each is a restriction of the next: of basis, of calendar, of degrees, of covariates, of membership, of sigma.
    fits = [
        traj("y ~ poly(t, 2) | id", constraints="g1:poly(t, 2)[2] = g3:poly(t, 2)[2]", order="mean"),
        traj("y ~ year + I(year^2) | id"),
        traj("y ~ poly(t, 3) | id", degrees=(2, 3, 2)),
        traj("y ~ poly(t, 3) | id"),
        traj("y ~ poly(t, 3) + x | id"),
        traj("y ~ poly(t, 3) + x | id", membership="z"),
        traj("y ~ poly(t, 3) + x | id", membership="poly(z, 2)"),
        traj("y ~ poly(t, 3) + x | id", membership="poly(z, 2)", dispersion="group"),
    ]
    table = ft.compare(*fits, test="LR")
    assert table["df_diff"].tolist()[1:] == [1, 1, 2, 3, 2, 2, 2]
    gains = 2 * np.diff([fit.llf for fit in fits])
    np.testing.assert_allclose(table["statistic"][1:], gains, atol=1e-8)
    np.testing.assert_allclose(table["p_value"][1:], stats.chi2.sf(gains, table["df_diff"][1:]), rtol=1e-9)


def test_a_restriction_by_degrees_is_found_in_any_order_of_the_groups() -> None:
    low, high = (traj("y ~ poly(t, 3) | id", degrees=d) for d in ((0, 1, 2), (2, 3, 1)))
    table = ft.compare(low, high, test="LR")
    assert table["df_diff"][1] == 3
    assert table["statistic"][1] == 2 * (high.llf - low.llf)
    with pytest.raises(DataError, match="curves are not among"):
        ft.compare(
            traj("y ~ poly(t, 3) | id", degrees=(0, 0, 2)), traj("y ~ poly(t, 3) | id", degrees=(1, 1, 1)), test="LR"
        )


REFUSED = {
    "no likelihood ratio test: with fewer groups a share is zero": lambda: (traj(groups=2), traj()),
    "from the smallest to the largest": lambda: (traj("y ~ poly(t, 2) | id"), traj()),
    "curves are not among": lambda: (traj("y ~ poly(t, 2) | id"), traj("y ~ t + x + I(x^2) | id")),
    "covariates of membership are not among": lambda: (traj(membership="z"), traj("y ~ poly(t, 3) | id")),
    "a sigma for each group": lambda: (traj(dispersion="group"), traj("y ~ poly(t, 2) | id")),
    "constraints that it has not": lambda: (traj(), traj("y ~ poly(t, 3) | id", constraints="g1:poly(t, 3)[3] = 0")),
    "not at the maximum of the likelihood": lambda: (traj(), traj("y ~ poly(t, 2) | id", prior="weak")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_test_is_refused_with_its_reason(message) -> None:
    with pytest.raises(DataError, match=message):
        ft.compare(*REFUSED[message](), test="LR")


def test_where_a_parameter_is_not_identified_there_is_no_chi_squared() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InferenceWarning)
        merged = traj(groups=2, constraints=("g1:t = g2:t", "g1:Intercept = g2:Intercept"))
    with pytest.raises(
        DataError, match=r"`membership\[2\]:Intercept` of 'y ~ t \| id' is not identified.*bootstrap_lr"
    ):
        ft.compare(merged, traj(groups=2), test="LR")
    table = ft.compare(merged, traj(groups=2))
    # Two equal groups are one.
    np.testing.assert_allclose(table["llf"][0], traj(groups=1).llf, rtol=1e-9)
    # A parameter that constraints hold is known, and a column that was dropped is no parameter.
    held = traj(groups=2, constraints="g1:t = 0")
    assert ft.compare(held, traj(groups=2), test="LR")["df_diff"][1] == 1
    with pytest.warns(CollinearityWarning):
        aliased = [traj(f"y ~ t + year{more} | id", groups=2) for more in ("", " + x")]
    assert ft.compare(*aliased, test="LR")["df_diff"][1] == 2


def test_a_prior_is_shown_where_a_model_has_one() -> None:
    plain, held = traj(groups=2), traj(groups=2, prior="weak")
    table = ft.compare(plain, held)
    assert table["prior"].tolist() == [0.0, 0.1]
    assert table["llf"].tolist() == [plain.llf, held.llf]
    assert "prior" not in ft.compare(plain, traj())


def test_a_density_of_ones_own_is_of_no_kind_whatever_its_name() -> None:
    def normal(y: torch.Tensor, eta: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return -(((y - eta) / sigma) ** 2) / 2 - sigma.log() - 0.5 * np.log(2 * np.pi)

    own = ft.families.Density("poisson", normal, mean=lambda eta: eta, positive="sigma")
    table = ft.compare(traj(groups=1), traj(groups=1, family=own))
    np.testing.assert_allclose(table["llf"][1], table["llf"][0], rtol=1e-9)


def test_a_larger_model_that_fits_worse_has_missed_its_maximum() -> None:
    larger = traj("y ~ poly(t, 2) | id")
    with pytest.raises(DataError, match="its search missed the maximum"):
        ft.compare(traj(), replace(larger, llf=larger.llf - 500), test="LR")


def test_other_tests_name_what_to_do() -> None:
    pair = traj(), traj("y ~ poly(t, 2) | id")
    with pytest.raises(DataError, match="wald_test"):
        ft.compare(*pair, test="Wald")
    with pytest.raises(DataError, match="use test='LR'"):
        ft.compare(*pair, test="F")
    with pytest.raises(ValueError, match="test='lr' is not known"):
        ft.compare(*pair, test="lr")
    with pytest.raises(DataRemovedError):
        ft.compare(pair[0].remove_data(), pair[1], test="LR")
    assert len(ft.compare(pair[0].remove_data(), pair[1])) == 2


def test_likelihoods_of_other_data_do_not_compare() -> None:
    counts = DATA.assign(y=DATA["y"].abs().round())
    with pytest.raises(DataError, match="use different rows: 600 rows of 100 units by `id`"):
        ft.compare(traj(), traj(data=DATA[DATA["t"] > 0]))
    with pytest.raises(DataError, match="different responses"):
        ft.compare(traj(), traj("I(y + 1) ~ t | id"))
    with pytest.raises(DataError, match="different responses, rows or weights"):
        ft.compare(traj(), traj(data=DATA.iloc[::-1].reset_index(drop=True).assign(id=lambda d: 99 - d["id"])))
    with pytest.raises(DataError, match="is a density, that of 'poisson' a probability"):
        ft.compare(*(traj(groups=1, data=counts, family=family) for family in ("gaussian", "poisson")))
    with pytest.raises(TypeError, match="or all trajectory models"):
        ft.compare(traj(), ft.fit("y ~ t", DATA))
