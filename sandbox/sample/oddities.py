"""Two more states, with what such portals publish by mistake: models must not be misled by it.

January brings the mistakes, February mends most of them and completes the new school year. Each is
of a kind that was seen on portals of this sort; none is in the four states before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.sample.city import City, College
from sandbox.sample.extractions import EXTRACTIONS, YEARS, Extraction

Record = dict[str, Any]

JANUARY = replace(EXTRACTIONS[-1], name="2027-01", processed_at="2027-01-18T02:10:00+00:00")
FEBRUARY = replace(EXTRACTIONS[-1], name="2027-02", processed_at="2027-02-15T02:12:00+00:00")
ODD_EXTRACTIONS = (JANUARY, FEBRUARY)

NEW_YEAR, MISTYPED_YEAR = "2025-2026", "2052-2053"
NOT_A_SCHOOL = "TEST NE PAS UTILISER"
_LAST, _BEFORE = YEARS[5], YEARS[4]
_PUBLISHED_EARLY = 3
"""Records of the new school year that are there before the others."""


class Cast:
    """The collèges of a city that something happens to, among those without another part."""

    def __init__(self, city: City) -> None:
        plain = [college for college in city.colleges if college.role is None]
        self.renamed, self.misspelt, self.misplaced, self.taken_back, self.mistyped = plain[:5]
        self.early = plain[-_PUBLISHED_EARLY:]
        self.new_name = f"LES QUATRE VENTS{f' {city.number}' if city.number else ''}"

    def is_of(self, record: Record, college: College) -> bool:
        """Whether a record of the last school year is this collège's."""
        return bool(record["annee_scol"] == _LAST and record["libelle"] == college.names[5])


def with_oddities(
    dataset_id: str, records: list[Record], city: City, extraction: Extraction
) -> list[Record]:
    """The records of a city as January or February has them; of another extraction, unchanged."""
    change = _CHANGES.get(dataset_id)
    if extraction not in ODD_EXTRACTIONS or change is None:
        return records
    return change(records, city, extraction is FEBRUARY)


def _colleges(records: list[Record], city: City, is_later: bool) -> list[Record]:
    cast = Cast(city)
    new_year = [_of_year(record, NEW_YEAR) for record in records if record["annee_scol"] == _LAST]
    if is_later:
        for record in new_year:
            if record["libelle"] == cast.renamed.names[5]:
                # Another name, at the same address and, in the directory, under the same UAI.
                record["libelle"] = cast.new_name
        return [r for r in records if not cast.is_of(r, cast.taken_back)] + new_year
    early = {college.names[5] for college in cast.early}
    published = [record for record in new_year if record["libelle"] in early]
    for record in list(records):
        if record["annee_scol"] == _BEFORE:
            record["annee_scol"] = _BEFORE.replace("-", "/")  # another spelling of the key
        elif cast.is_of(record, cast.misspelt):
            record["libelle"] += record["libelle"][-1]
        elif cast.is_of(record, cast.misplaced):
            # A code that contradicts the label and the point.
            record["arr_insee"] = city.insee_code(1 if cast.misplaced.arrondissement > 1 else 2)
        elif cast.is_of(record, cast.mistyped):
            published.append(_of_year(record, MISTYPED_YEAR))
            test = f"{NOT_A_SCHOOL}{f' {city.number}' if city.number else ''}"
            published.append(record | {"libelle": test})
    return records + published


def _of_year(record: Record, year: str) -> Record:
    return record | {
        "annee_scol": year,
        "id_projet": f"Collèges publics, année scolaire {year.replace('-', '/')}",
    }


def _directory(records: list[Record], city: City, is_later: bool) -> list[Record]:
    cast = Cast(city)
    for record in records:
        if is_later and record["numero_uai"] == cast.renamed.uai:
            record["appellation_officielle"] = f"Collège {cast.new_name.title()}"
            record["patronyme_uai"] = cast.new_name
    return records


def _results(records: list[Record], _city: City, is_later: bool) -> list[Record]:
    if not is_later:
        for place, record in enumerate(records):
            record["session"] += "-01-01"  # a date for a year: another spelling of the key
            if place % 50 == 7:
                record["taux_de_reussite_g"] = f"{record['taux_de_reussite_g']:g} %"
    return records


def _positions(records: list[Record], _city: City, is_later: bool) -> list[Record]:
    """Numbers as text again, and written as people write them."""
    if not is_later:
        forms: Mapping[int, Callable[[str], str]] = {
            3: lambda number: number.replace(".", ","),
            13: lambda number: f"{number}*",
            23: lambda number: f" {number}",
            33: lambda _: ">150",
            43: lambda _: "NS",
        }
        for place, record in enumerate(records):
            text = "NA" if record["ips"] is None else f"{record['ips']:g}"
            record["ips"] = forms.get(place % 60, str)(text)
    return records


_CHANGES: Mapping[str, Callable[[list[Record], City, bool], list[Record]]] = {
    "etablissements-scolaires-colleges": _colleges,
    "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre": _directory,
    "fr-en-indicateurs-valeur-ajoutee-colleges": _results,
    "fr-en-ips-colleges-ap2023": _positions,
}
