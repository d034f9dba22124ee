"""What SQL on the marts gives for every number of the dashboard's tables and tiles."""

from __future__ import annotations

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
ARRONDISSEMENTS = {
    "college_count": ("column.count", "count"),
    "success_rate_pct": ("measure.short.success", "percent"),
    "success_rate_value_added_points": ("measure.short.value_added", "points"),
    "mention_rate_pct": ("measure.short.mentions", "percent"),
    "ips_mean": ("measure.short.ips", "decimal"),
    "mean_nearest_km": ("column.mean_nearest", "kilometres"),
    "max_nearest_km": ("column.max_nearest", "kilometres"),
}
COLLEGES = {
    "success_rate_pct": ("measure.short.success", "rate"),
    "success_rate_value_added_points": ("measure.short.value_added", "points"),
    "mention_rate_pct": ("measure.short.mentions", "percent"),
    "ips": ("measure.short.ips", "decimal"),
    "nearest_km": ("measure.short.nearest", "kilometres"),
    "colleges_within_1_km": ("column.within_1_km", "count"),
}
# The latest school year that each of a collège's figures is published of.
LATEST = """
    select
        (select max(school_year) from marts.fct_college_school_year
            where not is_partial_school_year) as listed,
        (select max(school_year) from marts.fct_college_result) as results,
        (select max(school_year) from marts.fct_college_social_position) as positions
"""
COLLEGE_ROWS = """
    select
        years.college_id,
        results.success_rate_pct, results.success_rate_value_added_points,
        results.mention_rate_pct, positions.ips, around.nearest_km, around.colleges_within_1_km
    from marts.fct_college_school_year as years
    left join marts.fct_college_neighbourhood as around
        on years.college_id = around.college_id and years.school_year = around.school_year
    left join marts.fct_college_result as results
        on years.college_id = results.college_id and results.school_year = $results
    left join marts.fct_college_social_position as positions
        on years.college_id = positions.college_id and positions.school_year = $positions
    where years.school_year = $listed and not years.is_partial_school_year
"""


def expected(database: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """School year, or ``latest`` → tiles and rows; collège → the latest of each measure."""

    def rows(query: str, **given: Any) -> list[dict[str, Any]]:
        found = database.execute(query, given or None)
        names = [column[0] for column in found.description]
        return [dict(zip(names, map(_number, row), strict=True)) for row in found.fetchall()]

    (latest,) = rows(LATEST)
    paris = rows("select * from marts.agg_school_year order by school_year")
    by_arrondissement = rows("select * from marts.agg_arrondissement_school_year")
    chosen = {"latest": latest} | {
        year: dict.fromkeys(("listed", "results", "positions"), year)
        for year in (latest["listed"], paris[0]["school_year"])
    }
    years = {}
    for name, of in chosen.items():
        is_latest = name == "latest"
        years[name] = {
            "tiles": {
                column: (form, _of_year(paris, column, None if is_latest else name))
                for column, form in TILES.items()
            },
            "arrondissements": {
                str(number): [
                    (label, form, _arrondissement(by_arrondissement, number, column, name))
                    for column, (label, form) in ARRONDISSEMENTS.items()
                ]
                for number in sorted({row["arrondissement_number"] for row in by_arrondissement})
            },
            "colleges": {
                row["college_id"]: [
                    (label, form, row[column]) for column, (label, form) in COLLEGES.items()
                ]
                for row in rows(COLLEGE_ROWS, **of)
            },
        }
    colleges = {
        college: {
            measure: (row[1], row[2])
            for measure, row in zip(
                ("success", "value_added", "mentions", "ips"), shown, strict=False
            )
        }
        for college, shown in list(years["latest"]["colleges"].items())[:8]
    }
    anomalies = dict(
        database.execute(
            "select kind, count(*) from marts.rpt_portal_anomaly group by kind"
        ).fetchall()
    )
    return {"years": years, "colleges": colleges, "anomalies": anomalies}


def _of_year(rows: list[dict[str, Any]], column: str, year: str | None) -> Any:
    """The value of the year; without one the latest there is."""
    values = [
        row[column]
        for row in rows
        if row["school_year"] == year or (year is None and row[column] is not None)
    ]
    return values[-1] if values else None


def _arrondissement(rows: list[dict[str, Any]], number: int, column: str, name: str) -> Any:
    given = [row["school_year"] for row in rows if row[column] is not None]
    year = (max(given) if given else None) if name == "latest" else name
    return next(
        (
            row[column]
            for row in rows
            if row["arrondissement_number"] == number and row["school_year"] == year
        ),
        None,
    )


def _number(value: Any) -> Any:
    return float(value) if hasattr(value, "as_tuple") else value
