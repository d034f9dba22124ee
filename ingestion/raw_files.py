"""The tables of ``raw``: their columns, the files their rows travel in, and dlt, which appends.

dlt is handed finished files and neither reads nor rewrites them. Each append is a pipeline that
starts from an empty directory and leaves nothing behind: a package that dlt would resume is one
whose rows may have arrived already.
"""

from __future__ import annotations

import gzip
import io
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson

from ingestion.dlt_runtime import fresh_pipeline
from ingestion.errors import WarehouseError
from ingestion.warehouse import SCHEMA, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

LEDGER = "_source_load"
PIPELINE = "hop2"

Columns = Mapping[str, Any]

# dlt's column hints, and one of our own. A timestamp without zone is UTC.
_TEXT = {"data_type": "text"}
_DISTINCT_TEXT = {"data_type": "text", "x-distinct": True}
_WHOLE = {"data_type": "bigint"}
_TRUTH = {"data_type": "bool"}
_TIME = {"data_type": "timestamp", "timezone": False}

VERSION_COLUMNS: Columns = {
    "record_key": _DISTINCT_TEXT,
    "run_sequence": _WHOLE,
    "run_id": _TEXT,
    "content_hash": _DISTINCT_TEXT,
    "payload": {"data_type": "json"},
    "is_withdrawn": _TRUTH,
    "extracted_at": _TIME,
}
LEDGER_COLUMNS: Columns = {
    "run_sequence": _WHOLE,
    "run_id": _TEXT,
    "portal": _TEXT,
    "dataset": _TEXT,
    "table_name": _TEXT,
    "status": _TEXT,
    "started_at": _TIME,
    "finished_at": _TIME,
    "extracted_at": _TIME,
    "duration_s": {"data_type": "double"},
    "rows_expected": _WHOLE,
    "rows_received": _WHOLE,
    "rows_new": _WHOLE,
    "rows_changed": _WHOLE,
    "rows_unchanged": _WHOLE,
    "rows_restored": _WHOLE,
    "rows_withdrawn": _WHOLE,
    "rows_quarantined": _WHOLE,
    "rows_present": _WHOLE,
    "is_withdrawal_refused": _TRUTH,
    "drift": _TEXT,
    "portal_data_processed_at": _TIME,
    "portal_modified_at": _TIME,
    "portal_records_count": _WHOLE,
    "is_synthetic": _TRUTH,
    "error": _TEXT,
}

ROW_GROUP_BYTES = 8 * 1024 * 1024
"""Of Arrow memory: what is written at once, whatever the size of the load."""


@dataclass
class _File:
    table: str
    path: Path
    rows: int = 0


class RawFiles:
    """The files of one append, one a table, in the format the warehouse loads; gone after it."""

    def __init__(self, warehouse: Warehouse, work_dir: Path) -> None:
        """``work_dir``: dlt's; files and pipeline live below it, on one file system."""
        self._warehouse = warehouse
        self._work_dir = work_dir
        self._directory = work_dir / f"{PIPELINE}-files"
        self._files: list[_File] = []

    def __enter__(self) -> Self:
        self._remove()
        with self._warehouse.explained():
            self._directory.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()

    def add_versions(
        self, table: str, batches: Iterator[pa.RecordBatch], run_ids: Mapping[int, str]
    ) -> Iterator[int]:
        """Write versions, in constant memory.

        Args:
            table: name of the raw table.
            batches: as `DocumentStore.version_batches` yields them, in any order.
            run_ids: run sequence → run id, of every run in the batches.

        Yields:
            The rows written so far.
        """
        is_parquet = self._warehouse.file_format == "parquet"
        write = _write_parquet if is_parquet else _write_json_lines
        path = self._directory / f"{table}.{'parquet' if is_parquet else 'jsonl.gz'}"
        file = _File(table, path)
        self._files.append(file)
        with self._warehouse.explained():
            for count in write(path, _with_run_ids(batches, run_ids)):
                file.rows += count
                yield file.rows

    def append(self) -> None:
        """Have dlt append the files to their tables, which are there.

        Raises:
            WarehouseError: it did not work, and part of the rows may have arrived.
        """
        from dlt.common.exceptions import DltException

        pipeline = fresh_pipeline(PIPELINE, self._warehouse.destination(), SCHEMA, self._work_dir)
        # What is loaded is read from `_source_load`, never from dlt's notes in the warehouse.
        pipeline.config.restore_from_destination = False
        with self._warehouse.explained():
            try:
                pipeline.run(
                    [self._resource(file) for file in self._files],
                    loader_file_format=self._warehouse.file_format,
                )
            except DltException as error:
                raise WarehouseError(self._warehouse.explain(_root_cause(error))) from error

    def _resource(self, file: _File) -> Any:
        import dlt

        def rows() -> Iterator[Any]:
            yield dlt.mark.with_file_import(str(file.path), self._warehouse.file_format, file.rows)

        # dlt writes into what it is given.
        columns: Any = {name: {**hints} for name, hints in VERSION_COLUMNS.items()}
        return dlt.resource(rows(), name=file.table, write_disposition="append", columns=columns)

    def _remove(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        shutil.rmtree(self._work_dir / PIPELINE, ignore_errors=True)


def _root_cause(error: BaseException) -> str:
    """The message of the first error of a chain: dlt wraps the driver's three or four times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(getattr(error, "failed_message", None) or error)


# -- Arrow -----------------------------------------------------------------------------------------


def _schema() -> pa.Schema:
    """Of the files: the columns of `VERSION_COLUMNS`."""
    import pyarrow as pa

    return pa.schema(
        {
            "record_key": pa.string(),
            "run_sequence": pa.int64(),
            "run_id": pa.dictionary(pa.int32(), pa.string()),
            "content_hash": pa.string(),
            "payload": pa.string(),
            "is_withdrawn": pa.bool_(),
            "extracted_at": pa.timestamp("us"),
        }
    )


def _table_of(lines: Sequence[bytes], schema: pa.Schema) -> pa.Table:
    """A table from JSON lines: unlike ``pa.array`` of Python values, this does not load pandas."""
    import pyarrow.json as pj

    return pj.read_json(
        io.BytesIO(b"\n".join(lines)),
        # A block must hold a whole line.
        read_options=pj.ReadOptions(block_size=max(1 << 20, 1 + max(map(len, lines)))),
        parse_options=pj.ParseOptions(explicit_schema=schema),
    )


def _with_run_ids(
    batches: Iterator[pa.RecordBatch], run_ids: Mapping[int, str]
) -> Iterator[pa.RecordBatch]:
    """The batches with the columns of raw."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = _schema()
    runs = _table_of(
        [orjson.dumps({"run_sequence": key, "run_id": value}) for key, value in run_ids.items()],
        pa.schema([schema.field("run_sequence"), ("run_id", pa.string())]),
    ).combine_chunks()
    sequences, ids = (column.chunk(0) for column in runs.columns)
    for batch in batches:
        places = pc.index_in(batch.column("run_sequence"), value_set=sequences)
        yield pa.RecordBatch.from_arrays(
            [
                pa.DictionaryArray.from_arrays(places, ids) if field.name == "run_id"
                else batch.column(field.name).cast(field.type)
                for field in schema
            ],
            schema=schema,
        )  # fmt: skip


# -- files -----------------------------------------------------------------------------------------


def _write_parquet(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[int]:
    """Write batches to a Parquet file; yields the rows of each row group once it is written."""
    import pyarrow.parquet as pq

    # The file is read once and whole: statistics and most dictionaries would cost and not help, nor
    # would compressing what is short.
    with pq.ParquetWriter(
        path,
        _schema(),
        compression={name: "lz4" if name == "payload" else "none" for name in VERSION_COLUMNS},
        use_dictionary=["run_sequence", "run_id", "extracted_at"],
        write_statistics=False,
    ) as writer:
        for group in _read_ahead(_row_groups(batches)):
            writer.write_table(group, row_group_size=len(group))
            yield len(group)


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= ROW_GROUP_BYTES:
            yield pa.Table.from_batches(held)
            held, size = [], 0
    if held:
        yield pa.Table.from_batches(held)


def _read_ahead(groups: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The next group is read while this one is compressed and written."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        coming = reader.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = reader.submit(next, groups, None)
            yield group


def _write_json_lines(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[int]:
    """Write batches as gzipped lines of JSON; yields the rows of each once they are written."""
    with gzip.open(path, "wb", compresslevel=3) as file:
        for batch in batches:
            for row in batch.to_pylist():
                # Goes in as the text it is, digits and all.
                payload = row.pop("payload")
                row["extracted_at"] = row["extracted_at"].isoformat()
                line = orjson.dumps(row)
                # Left out where there is none: a VARIANT would hold a JSON null, which is no null.
                if payload is not None:
                    line = line[:-1] + b',"payload":' + payload.encode() + b"}"
                file.write(line + b"\n")
            yield len(batch)
