"""What every covariance estimator must survive: other units, orders, labels, codings and spellings of the same data."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
from patsy import dmatrix

import formula_torch as ft
from formula_torch.errors import CollinearityWarning, DataError, UnknownNameError

FORMULA = "y ~ x + z + C(g)"
Cluster, NeweyWest, PanelHAC, DriscollKraay = (
    ft.vcov.Cluster,
    ft.vcov.NeweyWest,
    ft.vcov.PanelHAC,
    ft.vcov.DriscollKraay,
)

# Every estimator, and every value of every field in some estimator.
INDEPENDENT = {kind: getattr(ft.vcov, kind)() for kind in ("IID", *(f"HC{i}" for i in range(6)), "HC4m", "OPG")}
INDEPENDENT["HC3, adjusted"] = ft.vcov.HC3(adjust=True)
CLUSTERED = {
    "firm": Cluster("firm"),
    "firm, no factor": Cluster("firm", adjust=False),
    "firm, factor G/(G-1), residual df": Cluster("firm", adjust="clusters", df="residual"),
    "year, factor (n-1)/(n-k)": Cluster("year", adjust="parameters"),
    "firm and year": Cluster("firm", "year"),
    "firm and year, smallest G": Cluster("firm", "year", adjust="min"),
    "firm, year and town, smallest G alone, definite": Cluster("firm", "year", "town", adjust="min-clusters", fix=True),
    "firm jackknife": Cluster("firm", kind="CRV3"),
    "firm jackknife, both factors, about the mean": Cluster("firm", kind="CRV3", adjust="both", centre="mean"),
    "year jackknife, no factor": Cluster("year", kind="CRV3", adjust=False),
    "firm and year jackknife": Cluster("firm", "year", kind="CRV3"),
}
# These read the order of time from a column.
TIMED = {
    "Newey-West": NeweyWest(3, time="period"),
    "Newey-West, Parzen, adjusted": NeweyWest(5, time="period", adjust=True, kernel="parzen"),
    "Newey-West, its own lags": NeweyWest(time="period"),
    "panel": PanelHAC("firm", time="year", lags=2),
    "panel, in rows, adjusted": PanelHAC("firm", time="year", lags=1, adjust=True, step="row"),
    "panel, uniform, factor of units": PanelHAC("firm", time="year", lags=2, adjust="clusters", kernel="uniform"),
    "Driscoll-Kraay": DriscollKraay("year", lags=2),
    "Driscoll-Kraay, Parzen, factor of periods": DriscollKraay("year", lags=3, adjust="clusters", kernel="parzen"),
    "Driscoll-Kraay, its own lags, adjusted": DriscollKraay("year", adjust=True),
}
# These take the rows as they stand.
IN_ORDER = {"Newey-West in order": NeweyWest(3), "panel in order": PanelHAC("firm", lags=2)}
ANY_ORDER = {**INDEPENDENT, **CLUSTERED, **TIMED}
ALL = {**ANY_ORDER, **IN_ORDER}
READING = {**CLUSTERED, **TIMED}
# One of each way of reading rows and labels, for what happens before an estimator computes anything.
READERS = {name: READING[name] for name in ("firm", "firm and year jackknife", "Newey-West", "panel", "Driscoll-Kraay")}
KINDS = {"HC1": ft.vcov.HC1(), "HC3": ft.vcov.HC3(), "panel in order": IN_ORDER["panel in order"], **READERS}


def over(estimators):
    return pytest.mark.parametrize("vcov", estimators.values(), ids=estimators)


def exact(values):
    """Round to what adding 2**23 leaves as it is."""
    return np.round(values * 2**20) / 2**20


@cache
def panel():
    """An unbalanced panel of 15 firms in 5 areas and 9 years, with effects of firm and year in x and y."""
    draw = np.random.default_rng(11)
    full = pd.DataFrame([(firm, year) for firm in range(15) for year in range(2001, 2010)], columns=["firm", "year"])
    data = full[draw.random(len(full)) < 0.85].reset_index(drop=True)
    n = len(data)
    firm, year = draw.normal(size=15)[data["firm"]], draw.normal(size=9)[data["year"] - 2001]
    x = exact(draw.normal(size=n) + firm + year)
    return data.assign(
        area=data["firm"] % 5,
        town=draw.integers(0, 12, n),
        period=np.arange(1900, 1900 + n),
        one=1,
        x=x,
        twice=2 * x,
        z=draw.uniform(1, 4, n),
        g=draw.choice(["a", "b", "c"], n),
        y=exact(1 + 0.5 * x + firm + year + draw.normal(size=n) * (1 + np.abs(x))),
        w=draw.uniform(0.5, 2, n),
        f=draw.integers(0, 4, n),
        some=draw.integers(0, 4, n) > 0,
    )


def holed(data):
    """The data with four rows that must leave."""
    data = data.copy()
    data.loc[3, "y"] = data.loc[[40, 77], "x"] = np.nan
    data.loc[12, "g"] = None
    return data


def relabelled(rename, *names):
    """Rename the labels in columns of the data."""
    return lambda data: data.assign(**{name: rename(data[name].to_numpy()) for name in names})


LABELS = {
    "other numbers": lambda codes: 1000 - 7 * codes,
    "numbers beyond 2**53": lambda codes: 2**60 + codes,
    "nullable integers": lambda codes: pd.array(codes, dtype="Int64"),
    "floats": lambda codes: codes / 8,
    "text": lambda codes: [f"no. {code}" for code in codes],
    "Python strings": lambda codes: np.array([f"no. {code}" for code in codes], dtype=object),
    "dates": lambda codes: pd.Timestamp("2020-01-01") + pd.to_timedelta(codes, unit="D"),
    "a category with unused levels": lambda codes: pd.Categorical(codes, categories=range(3000, -1, -1)),
    "a category of text": lambda codes: pd.Categorical([f"no. {code}" for code in codes]),
}
TIMES = {
    "floats": lambda years: years / 4,
    "dates": lambda years: pd.to_datetime(years.astype(str)),
    "an ordered category": lambda years: pd.Categorical(years, categories=range(1800, 2500), ordered=True),
}
VARIANTS = {
    "as it is": lambda data: data,
    "shuffled": lambda data: data.sample(frac=1, random_state=2),
    "polars": pl.from_pandas,
    "arrays": lambda data: {name: data[name].to_numpy() for name in data},
    "repeated": lambda data: data.loc[data.index.repeat(data["f"])].reset_index(drop=True),
    "observed": lambda data: data[data["some"] > 0],
    "heavy": lambda data: data.assign(w=1e5 * data["w"]),
    "large x, small y": lambda data: data.assign(x=1e6 * data["x"], y=1e-6 * data["y"]),
    "small x, large y": lambda data: data.assign(x=1e-6 * data["x"], y=1e6 * data["y"]),
    "x + 2**23": lambda data: data.assign(x=2.0**23 + data["x"]),
    "2**23 - y": lambda data: data.assign(y=2.0**23 - data["y"]),
    "holed": holed,
    "filled": lambda data: holed(data).dropna(),
    "late": lambda data: data[data["firm"] > 2],
    "one firm and year": lambda data: data.assign(firm=1, year=1),
    **{f"firm: {kind}": relabelled(rename, "firm") for kind, rename in LABELS.items()},
    **{f"firm and year: {kind}": relabelled(rename, "firm", "year") for kind, rename in LABELS.items()},
    **{f"time: {kind}": relabelled(rename, "year", "period") for kind, rename in TIMES.items()},
}


@cache
def table(variant):
    return VARIANTS[variant](panel())


@cache
def plain(variant="as it is", formula=FORMULA, **options):
    return ft.fit(formula, table(variant), **options)


@cache
def fitted(vcov, variant="as it is", formula=FORMULA, **options):
    """The covariance of a variant of the data; `with_vcov` equals `fit(vcov=)`, as is tested below."""
    return plain(variant, formula, **options).with_vcov(vcov)


def assert_covariance(got, expected, tolerance=1e-9):
    """Agree in every entry relative to the errors, and in the degrees of freedom."""
    assert got.covariance.df == expected.covariance.df
    assert_matrices(got.cov_params(), expected.cov_params(), tolerance)


def assert_matrices(got, expected, tolerance=1e-9):
    got, expected = np.asarray(got), np.asarray(expected)
    bse = np.sqrt(np.diag(expected))
    unit = np.outer(bse, bse)
    np.testing.assert_allclose(got / unit, expected / unit, rtol=0, atol=tolerance)


# -- the same rows


@over(ANY_ORDER)
def test_order_of_rows_does_not_matter(vcov):
    assert_covariance(fitted(vcov, "shuffled", weights="w"), fitted(vcov, weights="w"))


@over(IN_ORDER)
def test_without_time_the_order_of_rows_is_that_of_time(vcov):
    timed = replace(vcov, **({"time": "period"} if isinstance(vcov, NeweyWest) else {"time": "year", "step": "row"}))
    assert_covariance(fitted(vcov), fitted(timed))
    assert not np.allclose(fitted(vcov, "shuffled").bse, fitted(timed).bse, rtol=1e-3)


@pytest.mark.parametrize("library", ["polars", "arrays"])
@over(KINDS)
def test_kind_of_table_does_not_matter(vcov, library):
    assert_covariance(ft.fit(FORMULA, table(library), vcov=vcov), fitted(vcov))


@over({**{name: v for name, v in ALL.items() if not isinstance(v, NeweyWest | PanelHAC)}, **IN_ORDER})
def test_frequency_weights_equal_repeated_rows(vcov):
    assert_covariance(fitted(vcov, weights="f", weights_type="frequency"), fitted(vcov, "repeated"))


@over({name: v for name, v in ALL.items() if isinstance(v, NeweyWest | PanelHAC) and v.time is not None})
def test_frequency_weights_have_no_order_in_time(vcov):
    # Repeated rows share their period, and are refused too.
    with pytest.raises(DataError, match="gives each copy the same time"):
        fitted(vcov, weights="f", weights_type="frequency")


@over(ALL)
def test_rows_of_weight_zero_do_not_count(vcov):
    assert_covariance(fitted(vcov, weights="some"), fitted(vcov, "observed"))


@over(ALL)
def test_scale_of_analytic_weights_does_not_matter(vcov):
    assert_covariance(fitted(vcov, "heavy", weights="w"), fitted(vcov, weights="w"))


# -- the same columns in other units


@pytest.mark.parametrize(
    ("variant", "unit", "weights"), [("large x, small y", 1e6, None), ("small x, large y", 1e-6, "w")]
)
@over(ALL)
def test_units_of_x_and_y(vcov, variant, unit, weights):
    expected, fit = fitted(vcov, weights=weights), fitted(vcov, variant, weights=weights)
    units = np.where(np.array(fit.names) == "x", unit, 1.0) * unit
    assert_matrices(fit.cov_params() * np.outer(units, units), expected.cov_params())
    np.testing.assert_allclose(fit.pvalues, expected.pvalues, rtol=1e-8)


@over(ALL)
def test_shift_of_x(vcov):
    """A shift far beyond the spread of x costs nothing: scores are of centred columns and of their residuals."""
    expected, fit = fitted(vcov), fitted(vcov, "x + 2**23")
    moved = np.eye(len(fit.names))
    moved[0, fit.names.index("x")] = -(2.0**23)
    assert_matrices(fit.cov_params(), moved @ expected.cov_params().to_numpy() @ moved.T, tolerance=1e-12)
    slopes = list(fit.names[1:])
    assert_matrices(fit.cov_params().loc[slopes, slopes], expected.cov_params().loc[slopes, slopes], tolerance=1e-12)


@over(ALL)
def test_shift_and_sign_of_y(vcov):
    # The residuals are those of y as it stands, which beside 2**23 have nine digits.
    assert_covariance(fitted(vcov, "2**23 - y"), fitted(vcov), tolerance=1e-8)


# -- the same space of columns


@over(ALL)
def test_coding_of_a_factor_does_not_matter(vcov):
    covariances = []
    for term in ("C(g)", "C(g, Sum)"):
        fit = fitted(vcov, formula=f"y ~ x + z + {term}", weights="w")
        columns = columns_of(f"x + z + {term}")[list(fit.names)].to_numpy()
        covariances.append(columns @ fit.cov_params().to_numpy() @ columns.T)
    one, two = covariances
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-9 * np.abs(one).max())


@cache
def columns_of(terms):
    return dmatrix(terms, table("as it is"), return_type="dataframe")


@pytest.mark.filterwarnings("ignore::formula_torch.errors.CollinearityWarning")
@over(ALL)
def test_a_dependent_column_changes_nothing_else(vcov):
    expected, fit = fitted(vcov), fitted(vcov, formula=f"{FORMULA} + twice")
    kept = list(expected.names)
    assert_matrices(fit.cov_params().loc[kept, kept], expected.cov_params())
    assert fit.cov_params()["twice"].isna().all()
    assert fit.cov_params().loc["twice"].isna().all()
    assert fit.covariance.df == expected.covariance.df


def test_a_dependent_column_is_said():
    with pytest.warns(CollinearityWarning, match="twice"):
        ft.fit(f"{FORMULA} + twice", panel(), vcov=Cluster("firm"))


# -- the same labels under other names


@pytest.mark.parametrize("kind", LABELS)
@over({name: vcov for name, vcov in READERS.items() if isinstance(vcov, Cluster | PanelHAC)})
def test_names_of_clusters_do_not_matter(vcov, kind):
    # A year is an order in a panel.
    what = "firm and year" if isinstance(vcov, Cluster) else "firm"
    assert_covariance(fitted(vcov, f"{what}: {kind}"), fitted(vcov))


@pytest.mark.parametrize("kind", TIMES)
@over({name: READERS[name] for name in ("Newey-West", "panel", "Driscoll-Kraay")})
def test_type_of_time_does_not_matter(vcov, kind):
    assert_covariance(fitted(vcov, f"time: {kind}"), fitted(vcov))


@over({name: READERS[name] for name in ("Newey-West", "panel", "Driscoll-Kraay")})
def test_text_is_no_time(vcov):
    named = replace(vcov, time=panel()["year"].astype(str).to_numpy())
    with pytest.raises(DataError, match="alphabetical"):
        ft.fit(FORMULA, panel(), vcov=named)


def as_arrays(vcov, data):
    """The same estimator with arrays for names of columns."""
    if isinstance(vcov, Cluster):
        options = {field.name: getattr(vcov, field.name) for field in fields(vcov) if field.name != "by"}
        return Cluster(*(data[name].to_numpy() for name in vcov.by), **options)
    named = {name: getattr(vcov, name) for name in ("unit", "time") if isinstance(getattr(vcov, name, None), str)}
    return replace(vcov, **{field: data[name].to_numpy() for field, name in named.items()})


@over(READING)
def test_arrays_equal_columns(vcov):
    given = as_arrays(vcov, table("holed"))
    assert_covariance(plain("holed", weights="w").with_vcov(given), fitted(vcov, "holed", weights="w"))


# -- rows that leave


@over(ALL)
def test_labels_follow_the_rows_that_stay(vcov):
    fit = fitted(vcov, "holed", weights="w")
    assert fit.nobs == len(panel()) - 4
    assert_covariance(fit, fitted(vcov, "filled", weights="w"))


@over(KINDS)
def test_a_subset_equals_its_rows(vcov):
    assert_covariance(fitted(vcov, subset="firm > 2"), fitted(vcov, "late"))


@over(READERS)
def test_a_missing_label_is_an_error_that_names_the_column(vcov):
    for column in vcov.columns:
        missing = table("holed").astype({column: "Int64"})
        missing.loc[3, column] = pd.NA  # y is missing there too: the row has left
        ft.fit(FORMULA, missing, vcov=vcov)
        missing.loc[5, column] = pd.NA
        with pytest.raises(DataError, match=f"`{column}`.* missing in 1 of the {len(missing) - 4} rows .*row 5"):
            ft.fit(FORMULA, missing, vcov=vcov)


@pytest.mark.parametrize("wrong", [-1, 1])
@over(READERS)
def test_an_array_of_another_length_is_an_error(vcov, wrong):
    data = panel()
    other = pd.concat([data, data]).iloc[: len(data) + wrong]
    with pytest.raises(DataError, match=f"{len(other)} labels; the data have {len(data)} rows"):
        plain().with_vcov(as_arrays(vcov, other))


def test_labels_of_the_rows_that_stay_are_not_enough():
    left = table("filled")["firm"].to_numpy()
    with pytest.raises(DataError, match=f"{len(left)} labels; the data have {len(panel())} rows"):
        plain("holed").with_vcov(Cluster(left))


@over(CLUSTERED)
def test_one_cluster_is_an_error(vcov):
    with pytest.raises(DataError, match=r"`(firm|year)` needs at least 2 clusters"):
        fitted(vcov, "one firm and year")


def test_clusters_are_counted_among_the_rows_used():
    data = panel().assign(sector=pd.Categorical(panel()["area"]))
    with pytest.raises(DataError, match="`sector` needs at least 2 clusters"):
        ft.fit("y ~ x", data, vcov=Cluster("sector"), subset="area == 3")
    assert ft.fit("y ~ x", data, vcov=Cluster("sector"), subset="area > 1").covariance.df == 2


@over(READERS)
def test_an_unknown_column_is_an_error_that_names_it(vcov):
    with pytest.raises(UnknownNameError, match="|".join(vcov.columns)):
        ft.fit(FORMULA, panel().drop(columns=list(vcov.columns)), vcov=vcov)


# -- spellings

SPELLINGS = [
    *((kind, getattr(ft.vcov, kind)()) for kind in ("HC0", "HC1", "HC2", "HC3", "HC4", "HC4m", "HC5", "OPG")),
    ("iid", ft.vcov.IID()),
    ("robust", ft.vcov.HC1()),
    ({"cluster": "firm"}, Cluster("firm")),
    ({"cluster": ["firm", "year"]}, Cluster("firm", "year")),
    ({"CRV1": "firm"}, Cluster("firm")),
    ({"CRV3": "firm"}, Cluster("firm", kind="CRV3")),
    ({"HAC": 4}, NeweyWest(4)),
]


@pytest.mark.parametrize(("spelled", "vcov"), SPELLINGS, ids=[str(spelled) for spelled, _ in SPELLINGS])
def test_spellings_equal_values(spelled, vcov):
    fit, expected = plain().with_vcov(spelled), fitted(vcov)
    assert fit.cov_params().equals(expected.cov_params())
    assert fit.covariance.df == expected.covariance.df


@pytest.mark.parametrize(
    "given", ["hc7", "HC9", "cluster", {"cluster": "firm", "HAC": 2}, {"clusters": "firm"}, 1, Cluster]
)
def test_unknown_spellings_list_the_known_ones(given):
    for call in (lambda: ft.fit(FORMULA, panel(), vcov=given), lambda: plain().with_vcov(given)):
        with pytest.raises(ValueError, match="is not known; use 'iid', 'HC0'"):
            call()


@pytest.mark.parametrize("use_t", [None, True, False])
@over(KINDS)
def test_with_vcov_equals_fitting_again(vcov, use_t):
    expected = ft.fit(FORMULA, panel(), vcov=vcov, use_t=use_t, weights="w")
    first = plain(weights="w")
    before = first.cov_params()
    fit = first.with_vcov(vcov, use_t=use_t)
    pd.testing.assert_frame_equal(fit.tidy(), expected.tidy(), check_exact=True)
    assert fit.cov_params().equals(expected.cov_params())
    assert fit.covariance.df == expected.covariance.df
    assert fit.use_t is (use_t is not False)
    assert first.cov_params().equals(before)


# -- estimators that are others in disguise


@pytest.mark.parametrize(
    ("special", "general"),
    [
        (NeweyWest(0), ft.vcov.HC0()),
        (NeweyWest(0, adjust=True), ft.vcov.HC1()),
        (ft.vcov.HC1(adjust=False), ft.vcov.HC0()),
        (PanelHAC("firm", lags=0), ft.vcov.HC0()),
        (PanelHAC("firm", time="year", lags=0, adjust=True), ft.vcov.HC1()),
        (PanelHAC("firm", lags=8, kernel="uniform"), Cluster("firm", adjust=False)),
        (PanelHAC("firm", time="year", lags=8, kernel="uniform", adjust="clusters"), Cluster("firm")),
        (PanelHAC("one", lags=3, time="period"), NeweyWest(3)),
        (PanelHAC("one", lags=3, time="period", step="row"), NeweyWest(3)),
        (DriscollKraay("year", lags=0), Cluster("year", adjust=False)),
        (DriscollKraay("year", lags=0, adjust="clusters"), Cluster("year")),
        (DriscollKraay("period", lags=3, adjust="clusters"), NeweyWest(3, adjust=True)),
        (Cluster("period", adjust=False), ft.vcov.HC0()),
        (Cluster("period"), ft.vcov.HC1()),
        (Cluster("period", kind="CRV3", adjust=False), ft.vcov.HC3()),
        (Cluster("period", kind="CRV3", adjust="both"), ft.vcov.HC3(adjust=True)),
        (Cluster("firm", adjust="min"), Cluster("firm", adjust="both")),
        (Cluster("firm", adjust="min-clusters"), Cluster("firm", adjust="clusters")),
        (Cluster("firm", kind="CRV3", adjust="jackknife"), Cluster("firm", kind="CRV3")),
        (Cluster("firm", "firm"), Cluster("firm")),
        (Cluster("firm", "area", adjust=False), Cluster("area", adjust=False)),  # a firm lies in one area
    ],
    ids=str,
)
def test_special_cases(special, general):
    assert_matrices(fitted(special, weights="w").cov_params(), fitted(general, weights="w").cov_params())


@pytest.mark.parametrize("weights", [None, "w"])
def test_jackknife_equals_leaving_each_cluster_out(weights):
    data = panel()
    without = [ft.fit(FORMULA, data[data["firm"] != firm], weights=weights).params for firm in range(15)]
    for centre, at in (("estimate", plain(weights=weights).params.to_numpy()), ("mean", np.mean(without, axis=0))):
        changes = np.array(without) - at
        fit = fitted(Cluster("firm", kind="CRV3", adjust=False, centre=centre), weights=weights)
        assert_matrices(fit.cov_params(), changes.T @ changes)


def test_sampling_weights_take_robust_errors():
    fit = ft.fit(FORMULA, panel(), weights="w", weights_type="sampling")
    assert_covariance(fit, fitted("HC1", weights="w"))


def test_users_data_stay_as_they_are():
    given, before = panel().copy(), panel().copy()
    fit = ft.fit(FORMULA, given, weights="w")
    for vcov in ALL.values():
        fit.with_vcov(vcov)
    pd.testing.assert_frame_equal(given, before)
