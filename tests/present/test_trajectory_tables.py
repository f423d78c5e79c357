"""Tables of a trajectory model: the summary and its renderings, broom's three, and the report."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import formula_torch as ft
from formula_torch.errors import DataError, DataRemovedError, UnknownNameError
from formula_torch.present.tidy import GLOSSARY
from formula_torch.present.trajectory.notes import search_note
from formula_torch.present.trajectory.parts import components

SUB_ITEMS = "1 2 3a 3b 3c 4 5 6a 6b 7 8 9 10 11 12 13 14a 14b 14c 15 16".split()


@pytest.fixture(scope="module")
def homicides() -> ft.TrajectoryFit:
    formula = "homicides ~ poly(year, 2) + offset(log(population)) | city"
    return ft.traj(formula, ft.datasets.city_homicides(), family="poisson", groups=3)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """The shipped simulation with noise that makes groups overlap, a covariate, weights, and holes."""
    draw, data = np.random.default_rng(2), ft.datasets.simulated_trajectories().drop(columns="group")
    noise = np.repeat(draw.normal(size=100), 11) * 0.25 + draw.normal(size=1100) * 0.8
    data["y"] = (data["y"] + noise).mask(draw.random(1100) < 0.05)
    return data.assign(male=(data["id"] + data["id"] // 50) % 2, w=1 + data["id"] % 2)


@pytest.fixture(scope="module")
def members(data) -> ft.TrajectoryFit:
    return ft.traj("y ~ t | id", data, groups=2, membership="male", weights="w", vcov="robust", reference=2)


@pytest.fixture(scope="module")
def sigmas(data) -> ft.TrajectoryFit:
    return ft.traj("y ~ poly(t, 2) | id", data, groups=2, dispersion="group", degrees=(1, 2), prior="weak")


@pytest.fixture(scope="module")
def alone(data) -> ft.TrajectoryFit:
    return ft.traj("y ~ t | id", data, groups=1)


@pytest.fixture(params=["homicides", "members", "sigmas", "alone"])
def fit(request) -> ft.TrajectoryFit:
    return request.getfixturevalue(request.param)


# -- broom ----------------------------------------------------------------------------------------


def test_tidy_holds_every_parameter(fit) -> None:
    table, interval = fit.tidy(conf_level=0.9), fit.conf_int(0.1)
    assert table["term"].tolist() == list(fit.names)
    np.testing.assert_array_equal(table["estimate"], fit.params)
    np.testing.assert_array_equal(table["std_error"], fit.bse)
    np.testing.assert_array_equal(table[["conf_low", "conf_high"]], interval)
    tested = table["component"] != "dispersion"
    np.testing.assert_array_equal(table["statistic"][tested], (fit.params / fit.bse)[tested.to_numpy()])
    assert table.loc[~tested, ["statistic", "p_value"]].isna().all(axis=None)


def test_tidy_says_what_a_parameter_is_of(fit) -> None:
    for row in fit.tidy().itertuples():
        owner, _, own = row.term.partition(":")
        if row.component == "membership":
            assert owner == f"membership[{row.group}]"
        elif row.component == "trajectory" or own:
            assert owner == f"g{row.group}"
        else:
            assert row.term == "sigma"
            assert (row.group is pd.NA) == (fit.n_groups > 1)
        assert (row.component == "dispersion") == row.term.endswith("sigma")


def test_exponentiated_coefficients_are_ratios(members) -> None:
    plain, exp = members.tidy(), members.tidy(exp=True)
    sigma = plain["component"] == "dispersion"
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(exp[column][~sigma], np.exp(plain[column][~sigma]), rtol=1e-15)
        np.testing.assert_array_equal(exp[column][sigma], plain[column][sigma])
    np.testing.assert_array_equal(exp["std_error"], plain["std_error"])


def test_glance_is_one_row_of_the_whole(fit) -> None:
    row = fit.glance().iloc[0]
    assert len(fit.glance()) == 1
    n = fit.units.weights.sum()
    assert row["bic"] == pytest.approx(-2 * fit.llf + row["df"] * math.log(n))
    assert row["bic_rows"] == pytest.approx(-2 * fit.llf + row["df"] * math.log(row["nobs"]))
    assert row["aic"] == pytest.approx(-2 * row["log_lik"] + 2 * row["df"])
    assert row["smallest_share"] == fit.shares["share"].min()
    assert (row["groups"], row["n_units"], row["df"]) == (fit.n_groups, n, fit.n_params)
    assert (row["replicated"], row["starts"]) == (fit.search.replicated, fit.search.starts)
    np.testing.assert_equal(row["entropy"], fit.entropy)


def test_weighted_units_count_in_rows_and_units(data, members) -> None:
    used = data.dropna()
    assert members.glance().loc[0, "nobs"] == used["w"].sum()
    assert members.glance().loc[0, "n_units"] == used.groupby("id")["w"].first().sum()


def test_augment_adds_what_is_known_of_each_row(data, members) -> None:
    table = members.augment()
    pd.testing.assert_index_equal(table.index, data.dropna().index)
    np.testing.assert_array_equal(table["fitted"], members.fittedvalues)
    np.testing.assert_allclose(table["resid"], members.resid, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(table["assigned_group"], members.groups.loc[table["id"]])
    np.testing.assert_array_equal(table[["posterior_1", "posterior_2"]], members.posterior.loc[table["id"]])


def test_augment_of_other_rows_assigns_them_first(data, members) -> None:
    bare = members.remove_data()
    with pytest.raises(DataRemovedError):
        bare.augment()
    table = bare.augment(data.drop(columns="w"))
    known = members.augment()
    columns = ["fitted", "resid", "assigned_group", "posterior_1", "posterior_2"]
    pd.testing.assert_frame_equal(table.loc[known.index, columns], known[columns], rtol=1e-9)
    missing = table["y"].isna()
    assert table["resid"].isna().equals(missing)
    assert not table["fitted"].isna().any()
    unknown = bare.augment(data.assign(male=data["male"].where(data["id"] > 1).astype(float)))
    assert unknown.loc[unknown["id"] == 1, "assigned_group"].isna().all()
    assert unknown.loc[unknown["id"] > 1, "assigned_group"].notna().all()


def test_augment_overwrites_nothing(data, members) -> None:
    with pytest.raises(DataError, match="`posterior_1`, which augment would overwrite"):
        members.augment(data.assign(posterior_1=0))


def test_all_columns_are_in_the_glossary(fit) -> None:
    added = {"fitted", "resid", "assigned_group"}
    found = set(fit.tidy().columns) | set(fit.glance().columns) | set(fit.adequacy().columns) | added
    assert found <= set(GLOSSARY)


# -- the summary ----------------------------------------------------------------------------------


def cells(fit: ft.TrajectoryFit) -> dict[str, dict[str, tuple[str, ...]]]:
    """Title of a table to its rows by label."""
    return {t.header[0]: {row[0]: row[1:] for row in t.rows} for t in fit.summary().tables if t.header}


def test_every_parameter_stands_in_the_block_of_its_group(fit) -> None:
    blocks = cells(fit)
    component, group = components(fit.spec.layout)
    for name, kind, g, value in zip(fit.names, component, group, fit.params, strict=True):
        own = name.partition(":")[2] or name
        if kind == "membership":
            row = blocks[f"Membership vs. {fit.spec.layout.reference}"][f"{g}: {own}"]
        else:
            title = f"Group {g} ({fit.shares.at[g, 'share']:.1%})" if g else "All groups"
            row = blocks[title][own]
        assert float(row[0]) == pytest.approx(value, rel=1e-3, abs=6e-5)
        assert (row[2] == "") == (kind == "dispersion")
    shown = sum(len(rows) for title, rows in blocks.items() if title not in ("Shares", "Adequacy"))
    assert shown == len(fit.names)


def test_shares_and_adequacy_are_those_of_their_tables(members) -> None:
    blocks, adequacy = cells(members), members.adequacy()
    for g in (1, 2):
        shares = [float(v) for v in blocks["Shares"][f"Group {g}"]]
        expected = [*members.shares.loc[g], adequacy.at[g, "assigned_share"], adequacy.at[g, "assigned"]]
        np.testing.assert_allclose(shares, expected, atol=5.1e-5)
        columns = ["mismatch", "appa", "sd_posterior", "occ_estimated", "occ_assigned"]
        found = [float(v) for v in blocks["Adequacy"][f"Group {g}"]]
        np.testing.assert_allclose(found, adequacy.loc[g, columns], rtol=1e-3, atol=5.1e-5)


def test_text_lines_are_of_one_width(fit) -> None:
    for summary in (fit.summary(), fit.summary(0.1, stars="stars")):
        lines = str(summary).split("\n\nNotes:")[0].splitlines()[1:]
        assert len({len(line) for line in lines}) == 1
    assert len(str(fit.summary()).splitlines()[1]) <= 84


def test_every_rendering_has_every_label(fit) -> None:
    summary = fit.summary()
    for text in (summary.as_html(), summary.as_csv(), fit._repr_html_()):
        assert all(table.header is None or table.header[0] in text for table in summary.tables)
    latex = summary.as_latex()
    assert latex.count(r"\begin{tabular}") == len(summary.tables)
    assert rf"Group 1 ({fit.shares.at[1, 'share'] * 100:.1f}\%)" in latex


def test_levels_and_letters_follow_the_request(homicides, members) -> None:
    assert homicides.summary(0.1).tables[1].header[3:] == ("z", "P>|z|", "[0.05", "0.95]")
    assert members.summary().tables[1].header[3:5] == ("t", "P>|t|")
    low = float(next(t for t in homicides.summary(0.1).tables if t.header and t.header[0] == "Shares").rows[0][3])
    assert low == pytest.approx(homicides.shares_at(0.1).at[1, "conf_low"], abs=5.1e-5)
    with pytest.raises(ValueError, match="alpha"):
        homicides.summary(2)


def test_marks_stand_beside_p_values(sigmas) -> None:
    arms = sigmas.summary(stars="emoji").tables[1]
    for row in arms.rows:
        expected = "" if row[0] == "sigma" else "\N{FLEXED BICEPS}" if float(row[4]) < 0.05 else "\N{SHRUG}"
        assert row[-1] == expected


def test_one_group_has_neither_shares_nor_a_search(alone) -> None:
    text = str(alone.summary())
    assert "Group 1 (100.0%)" in text
    assert not any(word in text for word in ("Membership", "Adequacy", "Shares", "Entropy", "tarts", "nan"))
    assert cells(alone)["Group 1 (100.0%)"].keys() == {"Intercept", "t", "sigma"}


def test_a_pickle_prints_the_same(fit) -> None:
    again = pickle.loads(pickle.dumps(fit))
    assert str(again) == str(fit)
    late = ["5", "7", "9", "12", "13", "16"]
    pd.testing.assert_frame_equal(again.report().frame.loc[late], fit.report().frame.loc[late])


def test_the_prior_is_told_and_its_value_labelled(sigmas) -> None:
    text = str(sigmas.summary())
    assert f"Penalised Log-Lik.: {sigmas.penalised:.8g}".split()[-1] in text
    assert "Penalised Log-Lik.:" in text
    assert "A prior added 0.1 of an average unit to each group" in text
    assert f"Degrees of the curves, by group: {', '.join(map(str, sigmas.spec.degrees))}." in text


def test_notes_tell_where_groups_are_not_told_apart(homicides) -> None:
    assert "All groups have APPA >= 0.7 and OCC (est.) >= 5 (Nagin 2005)." in homicides.summary().notes
    # Group 1 has too low an APPA, group 3 too low odds for its share.
    doubt = replace(homicides.classification, doubt=np.array([0.31, 0.01, 0.29]), share=np.array([0.2, 0.45, 0.35]))
    notes = " ".join(replace(homicides, classification=doubt).summary().notes)
    assert "Short of APPA >= 0.7 and OCC (est.) >= 5 (Nagin 2005): group 1 (APPA 0.69, OCC 8.9), " in notes
    assert f"group 3 (APPA 0.71, OCC {0.71 / 0.29 / (0.35 / 0.65):.3g});" in notes
    assert "group 2 (APPA" not in notes


def test_notes_advise_on_errors_that_cannot_be_had_and_on_tiny_groups(homicides) -> None:
    matrix = homicides.covariance.matrix.copy()
    matrix[2], matrix[:, 2] = np.nan, np.nan
    lost = replace(homicides, covariance=replace(homicides.covariance, matrix=matrix), n_units=20.0)
    notes = " ".join(lost.summary().notes)
    assert "1 could not be had (NaN): the data do not identify the parameters" in notes
    assert "Group 3 has fewer than 5 units" in notes


@pytest.mark.parametrize(
    ("change", "told", "untold"),
    [
        ({"replicated": 20}, "All starts reached the best", "try"),
        ({"replicated": 7, "runner_up": -100.5}, "7 of 20 starts reached the best log-likelihood; the next", "try"),
        ({"replicated": 7, "runner_up": -math.inf}, "7 of 20 starts reached the best log-likelihood.", "inf"),
        ({"replicated": 1}, "A higher maximum may exist: try starts=100.", "All"),
        ({"replicated": 0, "moves": 2}, "Splitting and merging groups raised it 2 times after that.", "All"),
        ({"replicated": 0, "moves": 1}, "raised it once after", "times"),
        ({"replicated": 4, "failed": 16, "collapsed": 16}, "were left out: the sigma of a group went to", "inf"),
        ({"replicated": 4, "failed": 16}, "16 of them came to no maximum, and were left out.", "sigma"),
        ({"replicated": 4, "sampled": 2000}, "on a sample of 2,000 units", "left out"),
        ({"replicated": 1, "starts": 1}, "One start was made.", "All"),
        ({"replicated": 1, "starts": 1, "asked": 0}, "The search began at the start given", "of 0"),
    ],
)
def test_the_search_is_told_in_words_that_advise(homicides, change, told, untold) -> None:
    note = search_note(replace(homicides.search, **{"runner_up": math.nan, "moves": 0, **change}))
    assert told in note
    assert untold not in note


# -- the report -----------------------------------------------------------------------------------


def test_the_report_answers_every_item(fit) -> None:
    frame = fit.report().frame
    assert frame.index.tolist() == SUB_ITEMS
    assert ((frame["told"] != "") | (frame["lacking"] != "")).all()
    assert (frame.loc[["3a", "3b", "14a", "14b", "14c"], "told"] == "").all()
    assert (frame.loc[["3a", "3b", "3c", "7", "10", "11", "12", "14a", "14b", "14c", "16"], "lacking"] != "").all()


def test_the_report_counts_what_the_fit_counted(data, members) -> None:
    told = members.report().frame["told"]
    used = data["y"].notna().sum()
    assert told["3c"].startswith(
        f"{used} of 1100 rows were used. {1100 - used} of 1100 rows dropped (y: {1100 - used})."
    )
    sizes = data.dropna().groupby("id").size()
    assert f"Units have {sizes.min()} to {sizes.max()} rows each." in told["3c"]
    assert told["1"] == "The curves read `t`; time is `t`: 11 distinct times from 0 to 10."
    assert "the variance 0" in told["2"]
    assert f"{members.entropy:.4f}" in told["13"]
    assert "`~ male`" in told["8"]
    assert "against group 2" in told["8"]
    y = data["y"].dropna()
    assert f"mean is {y.mean():.4g}, standard deviation {y.std():.4g}" in told["4"]
    for g, units in members.adequacy()["assigned"].items():
        assert f"roup {g}: {units:g} units assigned" in told["12"]
    assert f"formula_torch {ft.__version__}" in told["5"]


def test_times_within_waves_are_those_of_the_rows(data) -> None:
    draw = np.random.default_rng(0)
    uneven = data.assign(wave=data["t"], t=data["t"] + draw.uniform(-0.3, 0.3, len(data)))
    fit = ft.traj("y ~ t | id", uneven, groups=2)
    plain = fit.report().frame.loc["2"]
    used = uneven.dropna()
    assert plain["told"] == (f"Over all {len(used)} rows: mean {used['t'].mean():.4g}, variance {used['t'].var():.4g}.")
    assert "report(wave='column')" in plain["lacking"]
    told = fit.report(wave="wave").frame.loc["2", "told"]
    for wave, times in used.groupby("wave")["t"]:
        assert f" {wave}: {times.mean():.4g}, {times.var():.4g} ({len(times)} rows)" in told
    with pytest.raises(UnknownNameError, match="nowhere"):
        fit.report(wave="nowhere")


def test_the_report_claims_nothing_of_rows_it_has_lost(members) -> None:
    frame = members.remove_data().report().frame
    for item in ("1", "2", "4"):
        assert "no longer holds its rows" in frame.loc[item, "lacking"]
    assert frame.loc["2", "told"] == ""
    assert "mean" not in frame.loc["4", "told"]
    assert "rows were used" in frame.loc["3c", "told"]


def test_a_time_that_cannot_be_told_is_asked_for(data) -> None:
    fit = ft.traj("y ~ t + male | id", data, groups=2)
    frame = fit.report().frame
    assert "report(time='column')" in frame.loc["1", "lacking"]
    assert frame.loc["1", "told"] == "The curves read `t`, `male`."
    assert "time is `t`: 11 distinct times" in fit.report(time="t").frame.loc["1", "told"]


def test_the_call_of_the_report_fits_the_same(data, sigmas) -> None:
    told = sigmas.report().frame.loc["16", "told"]
    again = eval(told, {"ft": ft, "data": data})
    assert again.llf == pytest.approx(sigmas.llf, rel=1e-9)
    assert again.names == sigmas.names


def test_markdown_and_text_hold_every_item(members) -> None:
    report = members.report()
    assert repr(report) == str(report) == report.as_text()
    markdown = report.as_markdown()
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(rows) == len(SUB_ITEMS) + 1
    assert all(line.replace("\\|", "").count("|") == 4 for line in rows)
    assert markdown == report._repr_markdown_()
    checklist = report.as_text().split("Group-Based Trajectory Model")[0]
    assert max(map(len, checklist.splitlines())) <= 80
    assert all(f"\n{item:<4}" in checklist for item in SUB_ITEMS[1:])
    assert str(members.summary()) in report.as_text()
