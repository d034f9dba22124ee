"""A mart as files: CSV, Parquet and a CSV for French Excel, each with its metadata as JSON.

The metadata are those of CSV on the Web (https://www.w3.org/TR/tabular-metadata/), in a file named
as it asks, ``<file>-metadata.json``; the Parquet file's say the same of it. Terms beyond it are
Dublin Core (``dc``) and schema.org (``schema``), both known to it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from docs_site.marts import Column, Mart
from docs_site.sources import Terms, utc
from ingestion.errors import BuildError
from ingestion.warehouse import Connection

PAGE = 10_000
SAMPLE_ROWS = 10
"""Rows of a mart that its page shows."""
NAMED = "college_id"
"""The column beside which the spreadsheet's file has the collège's name."""


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


EXCEL = "-excel.csv"


@dataclass(frozen=True)
class Download:
    path: Path
    metadata: Path
    rows: int
    size: int
    """Bytes."""

    @property
    def format(self) -> str:
        if self.path.name.endswith(EXCEL):
            return "Excel (fr)"
        return {"csv": "CSV", "parquet": "Parquet"}[self.path.suffix[1:]]

    @property
    def purpose(self) -> str:
        return {
            "CSV": "Programs: commas, UTF-8, decimal points",
            "Parquet": "DuckDB, pandas, R: types and descriptions included",
            "Excel (fr)": "French Excel: semicolons, decimal commas, names of collèges",
        }[self.format]


def write(
    connection: Connection,
    mart: Mart,
    terms: Terms,
    directory: Path,
    *,
    exported_at: datetime,
    is_synthetic: bool,
    college_names: Mapping[str, str],
) -> tuple[list[Download], list[tuple[Any, ...]]]:
    """Write all rows of a mart in the order of its key.

    Args:
        connection: an open warehouse.
        mart: which.
        terms: its sources and licence.
        directory: where to, exists.
        exported_at: UTC.
        is_synthetic: names the files so, since a file leaves the page that says it.
        college_names: id → name, for the spreadsheet's file.

    Returns:
        The CSV, the Parquet file and the spreadsheet's CSV, and the first rows.

    Raises:
        BuildError: a column has a type that is not known here.
        WarehouseError: the warehouse refused.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = [_type(mart, column) for column in mart.columns]
    stem = f"SYNTHETIC_{mart.name}" if is_synthetic else mart.name
    paths = [directory / f"{stem}{ending}" for ending in (".csv", ".parquet", EXCEL)]
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
    sample: list[tuple[Any, ...]] = []
    with (
        paths[0].open("w", encoding="utf-8", newline="") as file,
        pq.ParquetWriter(paths[1], schema, compression="zstd") as parquet,
        # The mark at its beginning is what Excel tells UTF-8 by.
        paths[2].open("w", encoding="utf-8-sig", newline="") as spreadsheet,
    ):
        writer = csv.writer(file)
        writer.writerow(column.name for column in mart.columns)
        excel = csv.writer(spreadsheet, delimiter=";")
        excel.writerow(_excel_header(mart))
        while page := list(islice(stream, PAGE)):
            values = [_values(kind, (row[i] for row in page)) for i, kind in enumerate(types)]
            arrays = [pa.array(v, f.type) for v, f in zip(values, schema, strict=True)]
            parquet.write_table(pa.table(arrays, schema=schema))
            texts = [[_text(v) for v in column] for column in values]
            writer.writerows(zip(*texts, strict=True))
            excel.writerows(zip(*_excel_columns(mart, texts, college_names), strict=True))
            sample = sample or list(zip(*([t[:SAMPLE_ROWS] for t in texts]), strict=True))
            rows += len(page)
    downloads = []
    for path, document in zip(paths, documents, strict=True):
        metadata = path.with_name(f"{path.name}-metadata.json")
        document["schema:numberOfItems"] = rows
        metadata.write_text(
            json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8"
        )
        downloads.append(Download(path, metadata, rows, path.stat().st_size))
    return downloads, sample


def _in_excel(column: Column) -> bool:
    """Outlines are longer than a cell may be."""
    return not column.name.endswith("_geojson")


def _excel_header(mart: Mart) -> list[str]:
    header = []
    for column in filter(_in_excel, mart.columns):
        header.append(column.name)
        if column.name == NAMED and not any(c.name == "college_name" for c in mart.columns):
            header.append("college_name")
    return header


def _excel_columns(
    mart: Mart, texts: Sequence[list[str]], college_names: Mapping[str, str]
) -> list[list[str]]:
    """The columns as French Excel reads them: decimal commas, and names beside ids."""
    header = _excel_header(mart)
    shown = []
    for column, values in zip(mart.columns, texts, strict=True):
        if not _in_excel(column):
            continue
        is_number = _type(mart, column) is _DOUBLE
        shown.append([v.replace(".", ",") for v in values] if is_number else values)
        if column.name == NAMED and len(header) > sum(map(_in_excel, mart.columns)):
            shown.append([college_names.get(v, "") for v in values])
    return shown


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
        **({"dialect": {"delimiter": ";"}} if path.name.endswith(EXCEL) else {}),
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
                if _in_excel(column) or not path.name.endswith(EXCEL)
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
