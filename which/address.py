"""An address as a person types it, and the name of a street as all spellings of it compare."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import yaml

from ingestion.settings import PROJECT_DIR

REPETITIONS = ("BIS", "TER", "QUATER", "QUINQUIES")
_POSTCODE = re.compile(r"(?<!\d)75(0|1)(\d\d)(?!\d)")
_CITY = re.compile(r"[\s,]*\bparis\b(?:[\s,]*(\d{1,2})(?:\s*(?:er|e|ème|eme)\b)?)?", re.IGNORECASE)
_ORDINAL = re.compile(
    r"[\s,]+(\d{1,2})\s*(?:er|e|ème|eme)(?:\s+arr(?:ondissement|dt)?\.?)?\s*$", re.I
)
_NUMBER = re.compile(
    r"^(\d{1,4})((?: \d{1,4})*)(?: ?(BIS|TER|QUATER|QUINQUIES|[A-C])(?= |$))?(?: |$)"
)


@dataclass(frozen=True)
class Address:
    """What was read of an address."""

    number: int | None
    repetition: str | None
    """`BIS`, `B` …, upper case."""
    street: str | None
    """As :func:`plain` writes it: upper case, no accents."""
    arrondissement: int | None

    @cached_property
    def street_key(self) -> str | None:
        return None if self.street is None else street_key(self.street)


def plain(text: str) -> str:
    """Upper case without accents, every sign but A-Z and 0-9 one space: SQL's normalise_text."""
    upper = text.upper().replace("Œ", "OE").replace("Æ", "AE")
    bare = "".join(c for c in unicodedata.normalize("NFD", upper) if not unicodedata.combining(c))
    return re.sub("[^A-Z0-9]+", " ", bare).strip()


def street_key(street: str) -> str | None:
    """The street for comparison: SQL's normalise_street, by the same words of dbt_project.yml."""
    spelling = _spelling()
    kind, *rest = plain(street).split(" ")
    words = [spelling["kinds"].get(kind, kind), *rest]
    text = f" {'  '.join(spelling['words'].get(word, word) for word in words)} "
    articles = "|".join(spelling["articles"]).replace(" ", "  ")
    return re.sub(f" (?:{articles}) ", " ", text).replace(" ", "") or None


def read_address(text: str) -> Address:
    """Number, repetition, street and arrondissement, in whichever order they are mostly written.

    `12 bis rue Clovis, 75005 Paris`, `rue Clovis 5e`, `12 R. CLOVIS PARIS 5`; what stands in
    brackets is left out.
    """
    text = re.sub(r"\(.*$", "", text).strip()
    arrondissement: int | None = None
    if found := _POSTCODE.search(text):
        arrondissement = int(found[2])
        text = text[: found.start()] + " " + text[found.end() :]
    if found := _CITY.search(text):
        # A street may have the city in its name: only what comes after a street is the city.
        if found.start() > 0 and not re.search(r"\b(de|du)\s*$", text[: found.start()], re.I):
            arrondissement = arrondissement or (int(found[1]) if found[1] else None)
            text = text[: found.start()] + " " + text[found.end() :]
    elif found := _ORDINAL.search(text):
        arrondissement = arrondissement or int(found[1])
        text = text[: found.start()]
    bare = re.sub(" FRANCE$", "", plain(text))
    number = repetition = None
    if found := _NUMBER.match(bare):
        number, repetition = int(found[1]), found[3]
        bare = bare[found.end() :]
    if arrondissement is not None and not 1 <= arrondissement <= 20:
        arrondissement = None
    return Address(number, repetition, bare or None, arrondissement)


def rank(repetition: str | None) -> tuple[int, str]:
    """Order of repetitions of one number: none, A or BIS, B or TER …"""
    if not repetition:
        return 0, ""
    repetition = repetition.upper()
    if repetition in REPETITIONS:
        return REPETITIONS.index(repetition) + 1, ""
    return ord(repetition[0]) - ord("A") + 1, repetition[1:]


def is_in_range(address: Address, found: Mapping[str, Any]) -> bool:
    """Whether a range of the address's street holds its number.

    Args:
        address: with a number.
        found: a row of fct_street_range_college.
    """
    if address.number is None or found["number_from"] is None:
        return False
    if found["parity"] != "both" and (found["parity"] == "even") != (address.number % 2 == 0):
        return False
    here = (address.number, rank(address.repetition))
    first = (found["number_from"], rank(found["repetition_from"]))
    # The last number without a repetition takes all its repetitions in.
    last_rank = rank(found["repetition_to"]) if found["repetition_to"] else (99, "")
    return first <= here <= (found["number_to"], last_rank)


@cache
def _spelling() -> Mapping[str, Any]:
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8"))
    spelling: Mapping[str, Any] = project["vars"]["street_spelling"]
    return spelling


def spelling() -> dict[str, dict[str, str] | Sequence[str]]:
    """The words of dbt_project.yml, for the page's index."""
    return dict(_spelling())
