"""The dashboard's one export: marts → one JSON file, checked against ``schema.json``.

Run as ``python -m dashboard.export --out FILE`` after ``dbt build``. Where the marts are, what
their columns mean and which datasets feed them is read from dbt's manifest, so that the page says
the same as the dbt docs. Nothing is measured here: rows of marts go into the file as they are,
times in UTC, numbers as JSON numbers, distances packed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dashboard.sector_files import sector_files, write
from ingestion.errors import BuildError, CollegesError, WarehouseError
from ingestion.registry import registry
from ingestion.settings import PROJECT_DIR, Settings
from ingestion.warehouse import Connection, open_warehouse

logger = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
SCHEMA_FILE = HERE / "schema.json"
FRENCH_FILE = HERE / "definitions.fr.json"
PROJECT = "paris_colleges"

# Digits of a degree in outlines: 5 is a metre, less than a pixel of the map.
OUTLINE_DIGITS = 5

LICENCE_URLS = {
    "Open Database License (ODbL) 1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
    "Licence Ouverte 2.0 (Etalab)": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
}

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Columns of a mart that go into the file, as a list of objects."""

    model: str
    columns: tuple[str, ...]
    order_by: str
    datasets: tuple[str, ...]
    """Those whose content its rows show: what a file made of it must name as its source."""
    condition: str = "true"
    """The rows that go into the file."""


def _table(
    model: str, columns: str, order_by: str, *datasets: str, condition: str = "true"
) -> Table:
    return Table(model, tuple(columns.split()), order_by, datasets, condition)


COLLEGES = "etablissements-scolaires-colleges"
SECTORS = "secteurs-scolaires-colleges"
ARRONDISSEMENTS = "arrondissements"
DIRECTORY = "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre"
RESULTS = "fr-en-indicateurs-valeur-ajoutee-colleges"
SOCIAL_POSITIONS = ("fr-en-ips-colleges-ap2022", "fr-en-ips-colleges-ap2023")
STREET_RANGES = "fr-en-carte-scolaire-colleges-publics"
EVERY = (COLLEGES, SECTORS, ARRONDISSEMENTS, DIRECTORY, RESULTS, *SOCIAL_POSITIONS, STREET_RANGES)

TABLES = {
    "school_years": _table(
        "dim_school_year",
        "school_year starts_on ends_on is_current",
        "school_year",
        COLLEGES,
        RESULTS,
        *SOCIAL_POSITIONS,
    ),
    "arrondissements": _table(
        "dim_arrondissement",
        "arrondissement_number insee_code arrondissement_name area_km2 boundary_geojson",
        "arrondissement_number",
        ARRONDISSEMENTS,
    ),
    "colleges": _table(
        "dim_college",
        "college_id uai uai_match_method display_name college_name address insee_code"
        " arrondissement_number longitude latitude first_school_year last_school_year is_open",
        "college_id",
        COLLEGES,
        DIRECTORY,
    ),
    "college_school_years": _table(
        "fct_college_school_year",
        "college_id school_year college_name address insee_code arrondissement_number longitude"
        " latitude is_withdrawn extracted_at",
        "school_year, college_id",
        COLLEGES,
        condition="not is_partial_school_year",
    ),
    "neighbourhoods": _table(
        "fct_college_neighbourhood",
        "college_id school_year nearest_college_id nearest_km colleges_within_1_km",
        "school_year, college_id",
        COLLEGES,
    ),
    "results": _table(
        "fct_college_result",
        "college_id session school_year candidates success_rate_pct success_rate_value_added_points"
        " mention_rate_pct written_mark written_mark_value_added is_small_sample is_withdrawn",
        "session, college_id",
        COLLEGES,
        DIRECTORY,
        RESULTS,
    ),
    "social_positions": _table(
        "fct_college_social_position",
        "college_id school_year series ips ips_stddev pupils is_withdrawn",
        "school_year, college_id",
        COLLEGES,
        DIRECTORY,
        *SOCIAL_POSITIONS,
    ),
    "sectors": _table(
        "bridge_sector_college",
        "sector_name school_year college_id is_shared is_withdrawn",
        "school_year, sector_name, college_id",
        COLLEGES,
        SECTORS,
    ),
    "changes": _table(
        "fct_college_change",
        "college_id school_year change_type from_value to_value moved_m",
        "school_year, college_id, change_type",
        COLLEGES,
    ),
    "portal_edits": _table(
        "fct_portal_edit",
        "dataset record_key college_id field old_value new_value edit_type detected_at",
        "detected_at, dataset, record_key, edit_type, field",
        *EVERY,
    ),
    "anomalies": _table(
        "rpt_portal_anomaly",
        "kind dataset record_key college_id school_year published_value contradicting_value"
        " is_withdrawn first_extracted_at last_extracted_at",
        "kind, dataset, school_year, record_key, college_id, published_value",
        COLLEGES,
        SECTORS,
    ),
    "arrondissement_years": _table(
        "agg_arrondissement_school_year",
        "arrondissement_number school_year college_count mean_nearest_km median_nearest_km"
        " max_nearest_km result_college_count candidates success_rate_pct"
        " success_rate_value_added_points mention_rate_pct written_mark ips_college_count"
        " ips_mean ips_weighted ips_department_public",
        "school_year, arrondissement_number",
        COLLEGES,
        ARRONDISSEMENTS,
        DIRECTORY,
        RESULTS,
        *SOCIAL_POSITIONS,
    ),
    "paris_years": _table(
        "agg_school_year",
        "school_year college_count pair_count shortest_pair_km mean_pair_km longest_pair_km"
        " mean_nearest_km median_nearest_km max_nearest_km result_college_count candidates"
        " success_rate_pct success_rate_value_added_points mention_rate_pct written_mark"
        " ips_college_count ips_mean ips_weighted ips_department_public",
        "school_year",
        COLLEGES,
        DIRECTORY,
        RESULTS,
        *SOCIAL_POSITIONS,
    ),
}
DISTANCES = _table(
    "fct_college_distance",
    "school_year college_id_a college_id_b distance_km",
    "school_year, college_id_a, college_id_b",
    COLLEGES,
)
LOAD_MODEL = "fct_source_load"


class Manifest:
    """What dbt wrote about the project when it was last built.

    Args:
        path: ``manifest.json``.
        target: the warehouse's kind the export reads, ``duckdb`` or ``snowflake``.

    Raises:
        BuildError: there is none, or it speaks of another warehouse.
    """

    def __init__(self, path: Path, target: str) -> None:
        try:
            self.content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BuildError(
                f"No dbt manifest at {path} ({error}): run `make demo` or `make run` first."
            ) from error
        adapter = self.content["metadata"]["adapter_type"]
        if adapter != target:
            raise BuildError(
                f"{path} was written for {adapter}, the export reads {target}: run"
                f" `dbt build --target {target}`, or set COLLEGES_TARGET={adapter}."
            )

    def model(self, name: str) -> Mapping[str, Any]:
        """The node of a model.

        Raises:
            BuildError: the project had no such model when it was last built.
        """
        try:
            node: Mapping[str, Any] = self.content["nodes"][f"model.{PROJECT}.{name}"]
        except KeyError:
            raise BuildError(
                f"dbt's manifest has no model {name}: run `dbt build` on this version."
            ) from None
        return node

    def relation(self, name: str) -> str:
        """Where a model's rows are, quoted for SQL."""
        return str(self.model(name)["relation_name"])


def export(
    connection: Connection, manifest: Manifest, exported_at: datetime, docs_url: str | None = None
) -> tuple[Row, dict[str, Row]]:
    """The document the page draws, see ``schema.json``, and the files beside it.

    Args:
        connection: an open warehouse.
        manifest: of the build that made its marts.
        exported_at: UTC.
        docs_url: of the documentation site, from the page; None where it stands alone.

    Raises:
        BuildError: a mart is missing or does not fit the schema.
        WarehouseError: the warehouse refused.
    """
    tables = {
        name: _rows(connection, manifest.relation(table.model), table)
        for name, table in TABLES.items()
    }
    for arrondissement in tables["arrondissements"]:
        arrondissement["boundary"] = _outline(arrondissement.pop("boundary_geojson"))
    college_ids = [college["college_id"] for college in tables["colleges"]]
    loads = manifest.relation(LOAD_MODEL)
    document = {
        "schema_version": 1,
        "exported_at": _plain(exported_at),
        "docs_url": docs_url,
        "is_synthetic": bool(
            connection.rows(f"select count(*) from {loads} where is_synthetic")[0][0]  # noqa: S608
        ),
        "sources": _sources(connection, loads),
        "table_datasets": {
            name: list(table.datasets)
            for name, table in (TABLES | {"distances": DISTANCES}).items()
        },
        "definitions": _definitions(manifest),
        **tables,
        "distances": _distances(
            connection.stream(_select(manifest.relation(DISTANCES.model), DISTANCES)),
            college_ids,
        ),
    }
    schema = manifest.relation("fct_sector_school_year").rpartition(".")[0]
    files = sector_files(connection, schema, college_ids)
    document["sector_files"] = sorted(files)
    validate(document)
    return document, files


def validate(document: Row) -> None:
    """Hold a document against ``schema.json``.

    Raises:
        BuildError: it does not fit; the message names the first places.
    """
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
    errors = [
        f"{'/'.join(map(str, error.absolute_path)) or 'the document'}: {error.message[:200]}"
        for error, _ in zip(validator.iter_errors(document), range(5), strict=False)
    ]
    if errors:
        raise BuildError(
            f"The marts do not fit {SCHEMA_FILE.name}, nothing was written: {'; '.join(errors)}"
        )


def _select(relation: str, table: Table) -> str:
    columns = ", ".join(table.columns)
    return (
        f"select {columns} from {relation}"  # noqa: S608
        f" where {table.condition} order by {table.order_by}"
    )


def _rows(connection: Connection, relation: str, table: Table) -> list[Row]:
    return [
        dict(zip(table.columns, map(_plain, row), strict=True))
        for row in connection.stream(_select(relation, table))
    ]


def _plain(value: Any) -> Any:
    """A warehouse's value as JSON has it; the same from DuckDB and Snowflake."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None, microsecond=0).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return value


def _outline(boundary: str | None) -> Row | None:
    """A boundary as a GeoJSON geometry with as many digits as the map can show."""
    if boundary is None:
        return None
    geometry = json.loads(boundary)
    return {"type": geometry["type"], "coordinates": _rounded(geometry["coordinates"])}


def _rounded(coordinates: Any) -> Any:
    if isinstance(coordinates, list):
        return [_rounded(inner) for inner in coordinates]
    return round(coordinates, OUTLINE_DIGITS)


def _sources(connection: Connection, loads: str) -> list[Row]:
    """The registry's datasets, each with the latest pull that ended well."""
    columns = ("dataset", "extracted_at", "portal_data_processed_at", "rows_present")
    latest = {
        row[0]: dict(zip(columns, map(_plain, row), strict=True))
        for row in connection.rows(
            f"select {', '.join(columns)} from {loads} where status = 'finished'"  # noqa: S608
            " qualify row_number() over (partition by dataset order by run_sequence desc) = 1"
        )
    }
    nothing: Row = dict.fromkeys(columns)
    return [
        {
            **(latest.get(dataset.dataset_id) or nothing),
            "dataset": dataset.dataset_id,
            "title": dataset.title,
            "publisher": dataset.publisher,
            "licence": dataset.licence,
            "licence_url": LICENCE_URLS[dataset.licence],
            "url": f"{dataset.portal.base_url}/explore/dataset/{dataset.dataset_id}/",
        }
        for dataset in registry().values()
    ]


def _definitions(manifest: Manifest) -> dict[str, Row]:
    """``model`` and ``model.column`` → the dbt docs' text and its French.

    The translations are found by the English they translate: a text that changed since has none.
    """
    french = json.loads(FRENCH_FILE.read_text(encoding="utf-8"))
    texts = {}
    for table in (*TABLES.values(), DISTANCES):
        node = manifest.model(table.model)
        texts[table.model] = node["description"]
        for column in table.columns:
            texts[f"{table.model}.{column}"] = node["columns"][column]["description"]
    unwrapped = {key: " ".join(text.split()) for key, text in texts.items()}
    return {key: {"en": text, "fr": french.get(text)} for key, text in unwrapped.items()}


def _distances(rows: Iterable[Sequence[Any]], college_ids: Sequence[str]) -> list[Row]:
    """Distances packed: whole metres of every pair, then only what differs from year to year.

    Pairs stand in the order (0, 1), (0, 2), …, (1, 2), … of ``college_ids``; null where a pair was
    not measured.
    """
    index = {college_id: position for position, college_id in enumerate(college_ids)}
    count = len(college_ids)
    by_year: dict[str, list[int | None]] = {}
    for school_year, college_a, college_b, distance_km in rows:
        metres = by_year.setdefault(school_year, [None] * (count * (count - 1) // 2))
        low, high = sorted((index[college_a], index[college_b]))
        metres[low * count - low * (low + 1) // 2 + high - low - 1] = round(distance_km * 1000)
    packed: list[Row] = []
    before: list[int | None] = [None] * (count * (count - 1) // 2)
    for school_year, metres in by_year.items():
        if not packed:
            packed.append({"school_year": school_year, "metres": metres})
        else:
            changed = [
                [position, new]
                for position, (old, new) in enumerate(zip(before, metres, strict=True))
                if old != new
            ]
            packed.append({"school_year": school_year, "changed": changed})
        before = metres
    return packed


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.export", description=__doc__)
    parser.add_argument("--out", required=True, type=Path, help="the JSON file to write")
    parser.add_argument("--docs-url", help="where the documentation site is, from the page")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        document, files = export_settings(Settings.from_environment(), options.docs_url)
    except CollegesError as error:
        logger.error("Error: %s", error)  # noqa: TRY400 — our own errors are messages
        return error.exit_code
    options.out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(packed(document), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    options.out.write_text(text, encoding="utf-8")
    write(files, lambda name, content: (options.out.parent / name).write_text(content, "utf-8"))
    logger.info(
        "%s: %d collèges, %d school years, %d kB",
        options.out,
        len(document["colleges"]),
        len(document["school_years"]),
        len(text.encode()) // 1000,
    )
    return 0


def packed(document: Row) -> Row:
    """The document with every table as its column names once and a list a row: a third of the size.

    Texts that a column repeats stand once in ``codes``, and their position in the rows.
    """
    return document | {name: _packed_table(document[name]) for name in TABLES if document[name]}


def _packed_table(rows: Sequence[Row]) -> Row:
    columns = list(rows[0])
    codes = {}
    for column in columns:
        distinct = {row[column] for row in rows if isinstance(row[column], str)}
        if distinct and len(distinct) * 2 < len(rows):
            codes[column] = sorted(distinct)
    places = {
        column: {text: place for place, text in enumerate(texts)} for column, texts in codes.items()
    }

    def cell(column: str, value: Any) -> Any:
        return places[column][value] if column in places and value is not None else value

    return {
        "columns": columns,
        "codes": codes,
        "rows": [[cell(column, row[column]) for column in columns] for row in rows],
    }


def unpacked(document: Row) -> Row:
    """What `packed` was given."""
    return {
        name: _unpacked_table(content) if name in TABLES and isinstance(content, dict) else content
        for name, content in document.items()
    }


def _unpacked_table(table: Row) -> list[Row]:
    codes = table["codes"]

    def cell(column: str, value: Any) -> Any:
        return codes[column][value] if column in codes and value is not None else value

    return [
        {column: cell(column, value) for column, value in zip(table["columns"], row, strict=True)}
        for row in table["rows"]
    ]


def export_settings(settings: Settings, docs_url: str | None = None) -> tuple[Row, dict[str, Row]]:
    """`export` from the warehouse the settings name, and the manifest dbt wrote last."""
    if settings.target == "duckdb" and not settings.warehouse_path.exists():
        raise WarehouseError(
            f"No warehouse at {settings.warehouse_path}: run `make demo` or `make run` first."
        )
    target_path = PROJECT_DIR / (os.environ.get("DBT_TARGET_PATH") or "target")
    manifest = Manifest(target_path / "manifest.json", settings.target)
    with open_warehouse(settings, purpose="read").connect() as connection:
        return export(connection, manifest, datetime.now(UTC), docs_url)


if __name__ == "__main__":
    sys.exit(main())
