"""What SQL on the marts gives for every number of the dashboard: tiles, tables, points, pages.

A value goes with the name of its format, see ``FORMATS`` of ``dashboard/tests/figures.test.mjs``;
of an empty cell it is None.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import groupby
from typing import Any

import duckdb

TILES = {
    "college_count": "count",
    "success_rate_pct": "percent",
    "ips_mean": "decimal",
    "longest_pair_km": "kilometres",
    "mean_pair_km": "kilometres",
    "shortest_pair_km": "kilometres",
}
ARRONDISSEMENT_TILES = {
    "college_count": "count",
    "success_rate_pct": "percent",
    "ips_mean": "decimal",
    "max_nearest_km": "kilometres",
    "mean_nearest_km": "kilometres",
    "median_nearest_km": "kilometres",
}
ARRONDISSEMENTS = {
    "college_count": ("column.count", "count"),
    "success_rate_pct": ("measure.short.success", "percent"),
    "success_rate_value_added_points": ("measure.short.value_added", "points"),
    "mention_rate_pct": ("measure.short.mentions", "percent"),
    "ips_mean": ("measure.short.ips", "decimal"),
    "mean_nearest_km": ("column.mean_nearest", "kilometres"),
    "max_nearest_km": ("column.max_nearest", "kilometres"),
}
MEASURES = {
    "success": ("success_rate_pct", "rate", "success_rate_pct", "percent"),
    "value_added": ("success_rate_value_added_points", "points") * 2,
    "mentions": ("mention_rate_pct", "percent") * 2,
    "ips": ("ips", "decimal", "ips_mean", "decimal"),
    "nearest": ("nearest_km", "kilometres", "mean_nearest_km", "kilometres"),
}
"""Measure → column and format of a collège's figure, and of the mean of many."""
COLLEGES = {
    **{f"measure.short.{name}": of[:2] for name, of in MEASURES.items()},
    "column.within_1_km": ("colleges_within_1_km", "count"),
}
COMPARED = {
    **{f"measure.{name}": of[:2] for name, of in MEASURES.items()},
    "column.candidates": ("candidates", "plain"),
    "column.within_1_km": ("colleges_within_1_km", "plain"),
}
NEAR_ENOUGH = 8
"""More than a collège's page shows: of equals it may show any."""
# The latest school year that each of a collège's figures is published of.
LATEST = """
    select
        (select max(school_year) from marts.fct_college_school_year
            where not is_partial_school_year) as listed,
        (select max(school_year) from marts.fct_college_result) as results,
        (select max(school_year) from marts.fct_college_social_position) as positions
"""
# Every collège, with what is published of it in these school years.
COLLEGE_ROWS = """
    select
        colleges.college_id, colleges.display_name,
        years.college_id is not null as is_listed,
        results.success_rate_pct, results.success_rate_value_added_points,
        results.mention_rate_pct, results.candidates,
        positions.ips, around.nearest_km, around.colleges_within_1_km
    from marts.dim_college as colleges
    left join marts.fct_college_school_year as years
        on colleges.college_id = years.college_id and years.school_year = $listed
            and not years.is_partial_school_year
    left join marts.fct_college_neighbourhood as around
        on colleges.college_id = around.college_id and around.school_year = $listed
    left join marts.fct_college_result as results
        on colleges.college_id = results.college_id and results.school_year = $results
    left join marts.fct_college_social_position as positions
        on colleges.college_id = positions.college_id and positions.school_year = $positions
"""
DISTANCES = """
    select
        one.display_name as name_a, places_a.arrondissement_number as number_a,
        two.display_name as name_b, places_b.arrondissement_number as number_b,
        distance_km, college_id_a, college_id_b
    from marts.fct_college_distance as distances
    inner join marts.dim_college as one on distances.college_id_a = one.college_id
    inner join marts.dim_college as two on distances.college_id_b = two.college_id
    inner join marts.fct_college_school_year as places_a
        on distances.college_id_a = places_a.college_id
            and distances.school_year = places_a.school_year
    inner join marts.fct_college_school_year as places_b
        on distances.college_id_b = places_b.college_id
            and distances.school_year = places_b.school_year
    where distances.school_year = $year
    order by distance_km
"""
PAIR = ("name_a", "number_a", "name_b", "number_b")
CHANGES = """
    select
        changes.school_year, changes.change_type, colleges.display_name,
        changes.from_value, changes.to_value, changes.moved_m
    from marts.fct_college_change as changes
    inner join marts.dim_college as colleges on changes.college_id = colleges.college_id
"""
EDITS = """
    select
        edits.detected_at, edits.edit_type, edits.dataset, edits.record_key,
        colleges.display_name, edits.field, edits.old_value, edits.new_value
    from marts.fct_portal_edit as edits
    left join marts.dim_college as colleges on edits.college_id = colleges.college_id
"""
# Reasons and other collèges are put into words by the page: only what is shown as it is.
ANOMALIES = """
    select
        found.kind, found.dataset, found.school_year, colleges.display_name as college_name,
        found.published_value, strftime(found.first_extracted_at, '%Y-%m-%d') as first_extracted,
        strftime(found.last_extracted_at, '%Y-%m-%d') as last_extracted
    from marts.rpt_portal_anomaly as found
    left join marts.dim_college as colleges on found.college_id = colleges.college_id
"""
RESULTS = """
    select
        colleges.college_id, paris.school_year, results.candidates, results.success_rate_pct,
        paris.success_rate_pct as paris_success, results.success_rate_value_added_points,
        paris.success_rate_value_added_points as paris_value_added, results.mention_rate_pct,
        paris.mention_rate_pct as paris_mentions, results.written_mark
    from marts.dim_college as colleges
    cross join marts.agg_school_year as paris
    left join marts.fct_college_result as results
        on colleges.college_id = results.college_id and paris.school_year = results.school_year
    where
        paris.school_year in (select school_year from marts.fct_college_result)
        and colleges.college_id in (select college_id from marts.fct_college_result)
    order by colleges.college_id, paris.school_year
"""
RESULT_FORMATS = ["count", "rate", "rate", "points", "points", "percent", "percent", "decimal"]
POSITIONS = """
    select
        positions.college_id, positions.school_year, positions.ips, paris.ips_mean,
        paris.ips_department_public, positions.ips_stddev, positions.pupils
    from marts.fct_college_social_position as positions
    inner join marts.agg_school_year as paris on positions.school_year = paris.school_year
    order by positions.college_id, positions.school_year
"""
# Of each collège, the latest list that has it, how many others are near, and the nearest of them.
NEAR = """
    with last_lists as (
        select college_id, max(school_year) as school_year
        from marts.fct_college_school_year
        where not is_partial_school_year
        group by college_id
    ),
    both_ways as (
        select school_year, college_id_a as college_id, college_id_b as other_id, distance_km
        from marts.fct_college_distance
        union all
        select school_year, college_id_b as college_id, college_id_a as other_id, distance_km
        from marts.fct_college_distance
    )
    select last_lists.college_id, around.colleges_within_1_km, both_ways.other_id, distance_km
    from last_lists
    inner join marts.fct_college_neighbourhood as around
        on last_lists.college_id = around.college_id
            and last_lists.school_year = around.school_year
    inner join both_ways
        on last_lists.college_id = both_ways.college_id
            and last_lists.school_year = both_ways.school_year
    order by last_lists.college_id, distance_km
"""
# Of the latest outlines: the sectors of one collège alone, and each measure of the same school year
# or, where that has none, of the latest that has.
SECTORS = """
    with outlines as (
        select max(school_year) as school_year
        from marts.fct_sector_school_year
        where boundary_geojson is not null
    ),
    of_one as (
        select bridge.sector_name, any_value(bridge.college_id) as college_id
        from marts.bridge_sector_college as bridge
        inner join marts.fct_sector_school_year as sectors
            on bridge.sector_name = sectors.sector_name
                and bridge.school_year = sectors.school_year
        where
            bridge.school_year = (select school_year from outlines)
            and sectors.boundary_geojson is not null
        group by bridge.sector_name
        having count(*) = 1 and bool_and(sectors.colleges_named = 1)
    )
    select
        of_one.sector_name, results.success_rate_pct,
        results.success_rate_value_added_points, positions.ips
    from of_one
    left join marts.fct_college_result as results
        on of_one.college_id = results.college_id and results.school_year = (
            select school_year from marts.fct_college_result
            order by school_year <> (select school_year from outlines), school_year desc limit 1
        )
    left join marts.fct_college_social_position as positions
        on of_one.college_id = positions.college_id and positions.school_year = (
            select school_year from marts.fct_college_social_position
            order by school_year <> (select school_year from outlines), school_year desc limit 1
        )
"""
ANOMALY_COUNTS = "select kind, count(*) as n from marts.rpt_portal_anomaly group by kind"
# The latest load of each dataset that ended well.
HELD = """
    select loads.dataset, rows_present, first_school_year, last_school_year
    from marts.fct_source_load as loads
    left join marts.rpt_source_coverage as coverage on loads.dataset = coverage.dataset
    where status = 'finished'
    qualify row_number() over (partition by loads.dataset order by run_sequence desc) = 1
"""

Row = dict[str, Any]
Rows = Callable[..., list[Row]]


def expected(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """By view; within a view by school year (or ``latest``), collège, arrondissement or dataset."""

    def rows(query: str, **given: Any) -> list[Row]:
        found = database.execute(query, given or None)
        names = [column[0] for column in found.description]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in found.fetchall()]

    (latest,) = rows(LATEST)
    paris = rows("select * from marts.agg_school_year order by school_year")
    means = rows("select * from marts.agg_arrondissement_school_year order by school_year")
    listed, first = latest["listed"], paris[0]["school_year"]
    return {
        "years": {
            name: _year(rows, paris, means, name, latest if name == "latest" else None)
            for name in ("latest", listed, first)
        },
        "arrondissements": _arrondissements(paris, means),
        "distances": {year: _distances(rows, year) for year in dict.fromkeys((listed, first))},
        "tables": {"changes": rows(CHANGES), "edits": rows(EDITS)},
        "feed": _feed(rows),
        "compare": [
            {"year": year, **_compared(rows, colleges, _all_of(year) if year else latest)}
            for year in (None, latest["results"])
            for colleges in (slice(0, 4), slice(4, 7))
        ],
        "sectors": {
            measure: {row["sector_name"]: (form, row[column]) for row in rows(SECTORS)}
            for measure in ("success", "value_added", "ips")
            for column, form, *_ in [MEASURES[measure]]
        },
        "colleges": _colleges(rows, paris, latest),
        "anomalies": {row["kind"]: row["n"] for row in rows(ANOMALY_COUNTS)},
        "anomaly_rows": rows(ANOMALIES),
        "sources": {row["dataset"]: row for row in rows(HELD)},
    }


def _all_of(year: str) -> Row:
    return dict.fromkeys(("listed", "results", "positions"), year)


def _year(rows: Rows, paris: list[Row], means: list[Row], name: str, latest: Row | None) -> Row:
    """Tiles and tables of the first page, and its points and sectors by measure."""
    year = None if latest else name
    colleges = [row for row in rows(COLLEGE_ROWS, **(latest or _all_of(name))) if row["is_listed"]]
    numbers = sorted({row["arrondissement_number"] for row in means})
    return {
        "tiles": {column: (form, _of_year(paris, column, year)) for column, form in TILES.items()},
        "ministry": _of_year(
            paris, "ips_department_public", _last(paris, "ips_mean") if latest else name
        ),
        "arrondissement_tiles": {
            number: {
                column: (form, _of_year(_of(means, number), column, year))
                for column, form in ARRONDISSEMENT_TILES.items()
            }
            for number in numbers
        },
        "arrondissements": {
            number: [
                (label, form, _of_year(_of(means, number), column, year or _last(means, column)))
                for column, (label, form) in ARRONDISSEMENTS.items()
            ]
            for number in numbers
        },
        "colleges": {
            row["college_id"]: [
                (label, form, row[column]) for label, (column, form) in COLLEGES.items()
            ]
            for row in colleges
        },
        "points": {
            measure: {row["college_id"]: (form, row[column]) for row in colleges}
            for measure, (column, form, *_) in MEASURES.items()
        },
    }


def _arrondissements(paris: list[Row], means: list[Row]) -> Row:
    """The choropleth of each measure, the table of two and Paris, and that of all years."""
    numbers = sorted({row["arrondissement_number"] for row in means})
    return {
        "maps": {
            measure: {
                number: (form, _of_year(_of(means, number), column, _last(means, column)))
                for number in numbers
            }
            for measure, (_, _, column, form) in MEASURES.items()
        },
        "compared": [
            (
                label,
                form,
                [
                    _of_year(of, column, _last(paris, column))
                    for of in (_of(means, 7), _of(means, 19), paris)
                ],
            )
            for column, (label, form) in ARRONDISSEMENTS.items()
        ],
        "years": [
            [
                row["arrondissement_number"],
                row["school_year"],
                [(label, form, row[column]) for column, (label, form) in ARRONDISSEMENTS.items()],
            ]
            for row in means
        ],
    }


def _distances(rows: Rows, year: str) -> list[list[Any]]:
    """Nearest first: names and arrondissements of a pair, and its metres."""
    return [
        [*(row[name] for name in PAIR), _metres(row["distance_km"])]
        for row in rows(DISTANCES, year=year)
    ]


def _feed(rows: Rows) -> list[list[Any]]:
    """Of each load, dataset and kind of edit: how many."""
    key = ("detected_at", "dataset", "edit_type")
    edits = sorted([row[name] for name in key] for row in rows(EDITS))
    return [[*of, len(list(group))] for of, group in groupby(edits)]


def _compared(rows: Rows, chosen: slice, of: Row) -> Row:
    """Some collèges side by side, and the metres between them in the school year of their list."""
    colleges = sorted(rows(COLLEGE_ROWS, **of), key=lambda row: row["college_id"])[chosen]
    ids = [row["college_id"] for row in colleges]
    metres = {
        frozenset((row["college_id_a"], row["college_id_b"])): _metres(row["distance_km"])
        for row in rows(DISTANCES, year=of["listed"])
    }
    return {
        "ids": ids,
        "rows": [
            (label, form, [row[column] for row in colleges])
            for label, (column, form) in COMPARED.items()
        ],
        "distances": [[metres.get(frozenset((one, other))) for other in ids] for one in ids],
    }


def _colleges(rows: Rows, paris: list[Row], latest: Row) -> dict[str, Row]:
    """A collège's page: its latest figures beside Paris, its tables by year, its neighbours."""
    years = {
        "ips": latest["positions"],
        **dict.fromkeys(("success", "value_added", "mentions"), latest["results"]),
    }
    by_college = _grouped(rows(RESULTS)), _grouped(rows(POSITIONS)), _grouped(rows(NEAR))
    has_ministry = {row["school_year"] for row in paris if row["ips_department_public"] is not None}
    pages = {}
    for row in rows(COLLEGE_ROWS, **latest):
        results, positions, near = (found.get(row["college_id"], []) for found in by_college)
        shows_ministry = any(each["school_year"] in has_ministry for each in positions)
        pages[row["college_id"]] = {
            "tiles": {
                measure: (form, row[column], _of_year(paris, mean_of, year))
                for measure, year in years.items()
                for column, form, mean_of, _ in [MEASURES[measure]]
            },
            "results": [
                list(zip(RESULT_FORMATS, list(each.values())[2:], strict=True)) for each in results
            ],
            "positions": [
                [("decimal", each["ips"]), ("decimal", each["ips_mean"])]
                + [("decimal", each["ips_department_public"])] * shows_ministry
                + [("decimal", each["ips_stddev"]), ("count", each["pupils"])]
                for each in positions
            ],
            "within": near[0]["colleges_within_1_km"] if near else None,
            "near": {each["other_id"]: _metres(each["distance_km"]) for each in near[:NEAR_ENOUGH]},
        }
    return pages


def _grouped(rows: list[Row]) -> dict[str, list[Row]]:
    return {key: list(of) for key, of in groupby(rows, lambda row: str(row["college_id"]))}


def _of(means: list[Row], number: int) -> list[Row]:
    return [row for row in means if row["arrondissement_number"] == number]


def _last(rows: list[Row], column: str) -> str | None:
    """The latest school year that has a value of the column."""
    return max((row["school_year"] for row in rows if row[column] is not None), default=None)


def _of_year(rows: list[Row], column: str, year: str | None) -> Any:
    """The value of the year; without one the latest there is."""
    wanted = year or _last(rows, column)
    return next((row[column] for row in rows if row["school_year"] == wanted), None)


def _metres(kilometres: float) -> int:
    return round(kilometres * 1000)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return float(value) if hasattr(value, "as_tuple") else value
