"""A mart as files: CSV and Parquet, each with its metadata as JSON.

The metadata are those of CSV on the Web (https://www.w3.org/TR/tabular-metadata/), in a file named
as it asks, ``<file>-metadata.json``; the Parquet file's say the same of it. Terms beyond it are
Dublin Core (``dc``) and schema.org (``schema``), both known to it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from docs_site.artifacts import Column, Mart
from docs_site.sources import Terms, utc
from ingestion.errors import BuildError
from ingestion.warehouse import Connection

PAGE = 10_000


@dataclass(frozen=True)
class _Type:
    csvw: str
    arrow: Callable[[Any], Any]
    """From the module ``pyarrow``, which is imported only where files are written."""
    python: Callable[[Any], Any]
    """Evens out what DuckDB and Snowflake give for it."""


def _same(value: Any) -> Any:
    return value


_STRING = _Type("string", lambda arrow: arrow.string(), str)
_INTEGER = _Type("integer", lambda arrow: arrow.int64(), int)
_DOUBLE = _Type("double", lambda arrow: arrow.float64(), float)
_TYPES = {
    "varchar": _STRING,
    "integer": _INTEGER,
    "bigint": _INTEGER,
    "double": _DOUBLE,
    "boolean": _Type("boolean", lambda arrow: arrow.bool_(), bool),
    "date": _Type("date", lambda arrow: arrow.date32(), _same),
    "timestamp": _Type("dateTime", lambda arrow: arrow.timestamp("us", tz="UTC"), utc),
}


@dataclass(frozen=True)
class Download:
    path: Path
    metadata: Path
    rows: int
    size: int
    """Bytes."""

    @property
    def format(self) -> str:
        return {"csv": "CSV", "parquet": "Parquet"}[self.path.suffix[1:]]


def write(
    connection: Connection,
    mart: Mart,
    terms: Terms,
    directory: Path,
    *,
    exported_at: datetime,
    is_synthetic: bool,
) -> list[Download]:
    """Write all rows of a mart in the order of its key.

    Args:
        connection: an open warehouse.
        mart: which.
        terms: its sources and licence.
        directory: where to, exists.
        exported_at: UTC.
        is_synthetic: names the files so, since a file leaves the page that says it.

    Returns:
        The CSV, then the Parquet file.

    Raises:
        BuildError: a column has a type that is not known here.
        WarehouseError: the warehouse refused.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = [_type(mart, column) for column in mart.columns]
    stem = f"SYNTHETIC_{mart.name}" if is_synthetic else mart.name
    paths = [directory / f"{stem}.{extension}" for extension in ("csv", "parquet")]
    documents = [
        _metadata(path, mart, terms, exported_at=exported_at, is_synthetic=is_synthetic)
        for path in paths
    ]
    schema = pa.schema(
        [
            pa.field(column.name, kind.arrow(pa), metadata={"description": column.description})
            for column, kind in zip(mart.columns, types, strict=True)
        ],
        metadata={"metadata": json.dumps(documents[1], ensure_ascii=False)},
    )
    names = ", ".join(column.name for column in mart.columns)
    stream = connection.stream(
        f"select {names} from {mart.relation} order by {', '.join(mart.key) or '1'}"  # noqa: S608
    )
    rows = 0
    with (
        paths[0].open("w", encoding="utf-8", newline="") as file,
        pq.ParquetWriter(paths[1], schema, compression="zstd") as parquet,
    ):
        writer = csv.writer(file)
        writer.writerow(column.name for column in mart.columns)
        while page := list(islice(stream, PAGE)):
            values = [_values(kind, (row[i] for row in page)) for i, kind in enumerate(types)]
            arrays = [pa.array(v, f.type) for v, f in zip(values, schema, strict=True)]
            parquet.write_table(pa.table(arrays, schema=schema))
            writer.writerows(zip(*([_text(v) for v in column] for column in values), strict=True))
            rows += len(page)
    downloads = []
    for path, document in zip(paths, documents, strict=True):
        metadata = path.with_name(f"{path.name}-metadata.json")
        document["schema:numberOfItems"] = rows
        metadata.write_text(
            json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        downloads.append(Download(path, metadata, rows, path.stat().st_size))
    return downloads


def _type(mart: Mart, column: Column) -> _Type:
    try:
        return _TYPES[column.data_type.lower()]
    except KeyError:
        raise BuildError(
            f"{mart.name}.{column.name} has type {column.data_type}, which docs_site/downloads.py"
            f" does not know; it knows {', '.join(_TYPES)}."
        ) from None


def _values(kind: _Type, values: Any) -> list[Any]:
    return [None if value is None else kind.python(value) for value in values]


def _text(value: Any) -> str:
    """A value as CSV on the Web writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    # A spreadsheet would run text that begins like this as a formula.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return str(value)


def _metadata(
    path: Path, mart: Mart, terms: Terms, *, exported_at: datetime, is_synthetic: bool
) -> dict[str, Any]:
    warning = "SYNTHETIC SAMPLE: invented, without relation to Paris. " if is_synthetic else ""
    document: dict[str, Any] = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": path.name,
        "dc:title": mart.name,
        "dc:description": warning + mart.description,
        "dc:format": "text/csv" if path.suffix == ".csv" else "application/vnd.apache.parquet",
        "dc:created": exported_at.isoformat(timespec="seconds"),
        "schema:creditText": terms.attribution or "paris-colleges",
        "schema:isBasedOn": [
            {
                "@id": source.url,
                "dc:title": source.dataset.title,
                "dc:publisher": source.dataset.publisher,
                "dc:license": {"@id": source.licence_url},
                **_dates(source.latest or {}),
            }
            for source in terms.sources
        ],
        "tableSchema": {
            "columns": [
                {
                    "name": column.name,
                    "titles": column.name,
                    "datatype": _type(mart, column).csvw,
                    "dc:description": " ".join(column.description.split()),
                    "dc:source": [
                        _origin_id(origin.kind, origin.name) for origin in column.origins
                    ],
                }
                for column in mart.columns
            ],
            **({"primaryKey": list(mart.key)} if mart.key else {}),
        },
    }
    if terms.licence_url:
        document["dc:license"] = {"@id": terms.licence_url}
        document["dc:rights"] = f"{terms.licence}" + (
            ": a published database derived from it must be under it." * terms.is_share_alike
        )
    if terms.extracted_at:
        document["dc:modified"] = terms.extracted_at.isoformat(timespec="seconds")
    return document


def _dates(load: dict[str, Any]) -> dict[str, str]:
    """Extraction, and what the portal says of its own processing."""
    named = {"schema:dateModified": "portal_data_processed_at", "dc:date": "extracted_at"}
    return {
        term: load[name].isoformat(timespec="seconds")
        for term, name in named.items()
        if load.get(name)
    }


def _origin_id(kind: str, name: str) -> str:
    return name or f"paris-colleges: {kind}"
