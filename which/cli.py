"""`colleges which`: asks the warehouse on this machine, nobody on the network; logs no address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click

from ingestion.errors import SettingsError, WarehouseError
from ingestion.settings import Settings
from ingestion.warehouse import open_warehouse
from which.address import read_address
from which.answer import Answer, Map, Row, find

_YEAR = re.compile(r"(\d{4})-(\d{4})")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("address", required=False)
@click.option(
    "--point",
    metavar="LON,LAT",
    help="The point of the address in degrees, `2.3470,48.8460`: the outlines, and so the history"
    " of this very address, need it. Nothing here turns an address into a point.",
)
@click.option("--year", metavar="2023-2024", help="Ask the outlines of this school year.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def which(address: str | None, point: str | None, year: str | None, as_json: bool) -> None:
    """Which collège is mine? By the ministry's street ranges and the city's outlines.

    ADDRESS is a number, a street and an arrondissement: "12 rue Clovis, 75005".
    """
    settings = Settings.from_environment()
    if address is None and point is None:
        raise SettingsError('Say an address ("12 rue Clovis, 75005"), --point LON,LAT or both.')
    here = None if point is None else _point(point)
    if year is not None:
        found = _YEAR.fullmatch(year)
        if not found or int(found[2]) != int(found[1]) + 1:
            raise SettingsError(f"--year is {year!r}; it must be a school year like 2023-2024.")
    if settings.target == "duckdb" and not settings.warehouse_path.exists():
        raise WarehouseError(
            f"No warehouse at {settings.warehouse_path}: run `make demo` or `make run` first."
        )
    with open_warehouse(settings, purpose="read").connect() as connection:
        read = None if address is None else read_address(address)
        answer = find(Map(connection), read, here, year)
    if as_json:
        click.echo(json.dumps(answer.as_json(), ensure_ascii=False, indent=2))
    else:
        click.echo("\n".join(in_words(answer)))
    if not answer.colleges:
        raise SystemExit(1)


def _point(text: str) -> tuple[float, float]:
    try:
        longitude, latitude = map(float, text.split(","))
    except ValueError:
        longitude, latitude = 999.0, 999.0
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise SettingsError(
            "--point takes degrees, longitude first, with a comma between: 2.3470,48.8460."
        )
    return longitude, latitude


_CERTAINTY = {
    "high": "Both definitions agree.",
    "medium": "One of the two definitions answers; the other was not asked or says nothing.",
    "low": "Take it as a hint and ask.",
}
_MISSING = {
    "street_not_found": "No street of the ranges is spelt like that.",
    "no_number": "The collège depends on the house number.",
    "number_outside_ranges": "No range of the street holds this number.",
    "several_places": "Several arrondissements have this street: say which.",
    "point_needed": "The ranges do not answer; with --point LON,LAT the outlines may.",
    "outside": "No sector is near this point.",
    "year_not_held": "The outlines of that school year are not held.",
}


def in_words(answer: Answer) -> Iterator[str]:
    """The answer, line by line."""
    if answer.colleges:
        yield "Collège: " + " or ".join(map(_label, answer.colleges))
        yield f"By: {_rule(answer)}"
        yield f"Certainty: {answer.certainty}. {_CERTAINTY[answer.certainty]}"
    else:
        yield _MISSING.get(answer.status, "No answer.")
    if answer.by_range:
        names = ", ".join(map(_label, answer.by_range["colleges"])) or "none"
        yield f"Street ranges (ministry): {names}"
        yield from (f"  {text}" for text in answer.by_range["ranges"][:8])
    if answer.by_outline:
        names = ", ".join(map(_label, answer.by_outline["colleges"])) or "none"
        beside = answer.by_outline["distance_m"]
        where = f", {beside} m beside it" if beside else ""
        yield f"Outlines of {answer.by_outline['school_year']} (city): {names}{where}"
    if answer.since:
        yield _since(answer.since)
    for college in answer.alternatives:
        yield f"Possible too ({college['why'].replace('_', ' ')}): {_label(college)}"
    yield from answer.notes
    if answer.suggestions:
        yield "Perhaps: " + "; ".join(answer.suggestions)
    for source in answer.sources:
        published = source["published_on"]
        told = f"published {published}, " if published else ""
        yield f"Source: {source['dataset']}, {told}read {source['extracted_on']}"
    yield "This is information: the rectorat decides."


def _label(college: Row) -> str:
    return f"{college['college_name']} ({college['uai'] or 'no UAI'})"


def _rule(answer: Answer) -> str:
    if answer.rule == "range":
        return "the street range that holds the number"
    year = answer.by_outline["school_year"] if answer.by_outline else ""
    if answer.rule == "outline":
        return f"the outline of {year} that holds the point"
    return f"the nearest outline of {year}, {answer.distance_m} m away"


def _since(since: Row) -> str:
    if since["basis"] == "point" and since["is_first_held"]:
        return f"Since: {since['school_year']} at the latest; no older outlines are held."
    if since["basis"] == "point":
        before = " or ".join(map(_label, since["before"])) or "no sector"
        start = since["school_year"] or f"after {since['before_school_year']}"
        return f"Since: {start}; {before} in {since['before_school_year']}."
    if since["is_first_held"]:
        return (
            f"Since: {since['school_year']} at the latest, as the whole sector in the outlines"
            " held; --point LON,LAT asks for this very address."
        )
    parts = "; ".join(
        f"{part['sector_share_pct']:g} % of it was {_label(part)} until {part['until_school_year']}"
        for part in since["before"]
    )
    return f"Since: it depends on where in the sector. {parts}. --point LON,LAT tells."
