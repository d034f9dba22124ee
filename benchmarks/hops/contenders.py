"""The ways that are compared, each a process of its own: ``python -m benchmarks.hops.contenders``.

All read the same export over HTTP, or the same MongoDB, and write to the same server with the same
acknowledgement (journalled), or to a DuckDB file. Settings come from the environment, as for
``colleges``. Each prints how many records it wrote.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import compress, islice
from pathlib import Path
from typing import Any

import click

from benchmarks.hops.records import DATASET
from ingestion.document_store import VERSION_FIELDS
from ingestion.settings import Settings

PAGE = 1_000
"""Operations in a bulk write: what is commonly used, and 10 000 are no faster."""


@click.group()
def main() -> None:
    """Run one contender."""


_portal = click.option("--portal", "portal_url", required=True, help="Base URL of the dataset.")


# -- hop 1 -----------------------------------------------------------------------------------------


@main.command()
@_portal
@click.option("--force", is_flag=True)
def extract(portal_url: str, force: bool) -> None:
    """This project's hop 1."""
    from ingestion.document_store import DocumentStore
    from ingestion.extract import ExtractOptions, extract_dataset
    from ingestion.mongod import connect
    from ingestion.portal import PortalClient

    settings = Settings.from_environment()
    clock = _Clock()
    with connect(settings) as database:
        store = DocumentStore(database)
        store.prepare([DATASET])
        with (
            store.lock("benchmark"),
            PortalClient(base_urls={DATASET.portal.name: portal_url}) as client,
            clock,
        ):
            run = store.begin_run(code_version="benchmark")
            result = extract_dataset(
                DATASET,
                client=client,
                store=store,
                run=run,
                work_dir=settings.home / "dlt",
                options=ExtractOptions(force=force),
            )
            store.finish_run(run, "finished")
    if result.error:
        raise click.ClickException(result.error)
    _tell(sum(result.counts.get(f"rows_{what}", 0) for what in ("new", "changed")), clock.seconds)


@main.command()
@_portal
def write(portal_url: str) -> None:
    """This project's document store alone: records already parsed, keyed and hashed."""
    from ingestion.canonical import content_digest, parse_record, record_key
    from ingestion.document_store import DocumentStore, Page
    from ingestion.mongod import connect
    from ingestion.version_ids import KeyDigests, digest

    counts, clock = Counter[str](), _Clock()
    fresh: list[list[Any]] = [[], [], [], []]

    def write_page(load: Any) -> Counter[str]:
        keys, digests, hashes, payloads = fresh
        page = Page(keys, b"".join(digests), b"".join(hashes), payloads)
        written = Counter(store.write_page(load, page).as_ledger())
        for column in fresh:
            column.clear()
        return written

    with connect(Settings.from_environment()) as database:
        store = DocumentStore(database)
        with clock:
            store.prepare([DATASET])
            load = store.begin_load(store.begin_run(code_version="benchmark"), DATASET)
        seen = KeyDigests()
        for lines in _pages(_lines(portal_url), 5 * PAGE):
            records = [parse_record(line) for line in lines]
            keys = [record_key(record, DATASET.key) for record in records]
            hashes = [content_digest(record) for record in records]
            digests = [digest(key) for key in keys]
            with clock:
                seen.add_digests(b"".join(digests))
                is_unchanged = store.are_unchanged(load, b"".join(digests), b"".join(hashes))
                counts["rows_unchanged"] += int(is_unchanged.sum())
                is_fresh = (~is_unchanged).tolist()
                for column, values in zip(fresh, (keys, digests, hashes, lines), strict=True):
                    column += compress(values, is_fresh)
                if len(fresh[0]) >= 5 * PAGE:
                    counts += write_page(load)
        with clock:
            if fresh[0]:
                counts += write_page(load)
            assert not seen.duplicates()
            counts["rows_withdrawn"] = store.withdraw_missing(load, seen)
            names = ("new", "changed", "unchanged", "restored", "quarantined", "withdrawn")
            store.commit_load(
                load,
                rows_received=len(seen),
                **{f"rows_{name}": counts[f"rows_{name}"] for name in names},
            )
            store.finish_run(load.run, "finished")
    _tell(counts["rows_new"] + counts["rows_changed"], clock.seconds)


@main.command()
@_portal
def bulk(portal_url: str) -> None:
    """``bulk_write`` of ``$set`` upserts, a page at a time."""
    from pymongo import UpdateOne

    count, clock = 0, _Clock()
    with _collection() as collection:
        for lines in _pages(_lines(portal_url), PAGE):
            page = [_keyed(line) for line in lines]
            with clock:
                collection.bulk_write(
                    [UpdateOne({"_id": key}, {"$set": rest}, upsert=True) for key, rest in page],
                    ordered=False,
                )
            count += len(page)
    _tell(count, clock.seconds)


@main.command()
@_portal
@click.option("--records", required=True, type=int)
def naive(portal_url: str, records: int) -> None:
    """``update_one`` for each record, of a slice."""
    count, clock = 0, _Clock()
    with _collection() as collection:
        for line in islice(_lines(portal_url), records):
            key, record = _keyed(line)
            with clock:
                collection.update_one({"_id": key}, {"$set": record}, upsert=True)
            count += 1
    _tell(count, clock.seconds)


@contextmanager
def _collection() -> Iterator[Any]:
    from ingestion.mongod import connect

    with connect(Settings.from_environment()) as database:
        yield database["records"]


def _lines(portal_url: str) -> Iterator[bytes]:
    """The export, by the same HTTP client for all: the rivals pay for no slower one."""
    from ingestion.portal import PortalClient

    with PortalClient(base_urls={DATASET.portal.name: portal_url}) as client:
        for lines in client.stream_lines(DATASET):
            yield from lines


def _pages(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    while page := list(islice(lines, size)):
        yield page


def _keyed(line: bytes) -> tuple[str, dict[str, Any]]:
    import orjson

    record = orjson.loads(line)
    return orjson.dumps([record[name] for name in DATASET.key]).decode(), record


class _Clock:
    """Adds up the time spent inside it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._started


# -- hop 2 -----------------------------------------------------------------------------------------


@main.command()
@click.option("--compare/--no-compare", default=True, help="Reconcile after it, as every run does.")
@click.option("--append/--no-append", default=True, help="Whether there is something to load.")
def load(compare: bool, append: bool) -> None:
    """This project's hop 2."""
    from ingestion.document_store import DocumentStore, import_pymongoarrow
    from ingestion.load import load_warehouse, reconcile
    from ingestion.mongod import connect

    if append:  # they are imported when a load comes to them: start-up, not work
        import_pymongoarrow()
        import dlt  # noqa: F401
        import pyarrow.json
        import pyarrow.parquet  # noqa: F401

    settings = Settings.from_environment()
    clock = _Clock()
    with connect(settings) as database:
        store = DocumentStore(database)
        with store.lock("benchmark"), clock:
            report = load_warehouse(store, settings, [DATASET])
            if compare:
                reconcile(store, settings, [DATASET])
    _tell(report.rows_appended, clock.seconds)


@main.command()
def limit() -> None:
    """The least there is to do: drain MongoDB's replies and insert them, nothing checked."""
    import duckdb
    import pyarrow as pa

    from ingestion.document_store import import_pymongoarrow
    from ingestion.mongod import connect

    import_pymongoarrow()
    from pymongoarrow.context import PyMongoArrowContext
    from pymongoarrow.schema import Schema

    kinds = {
        "run_sequence": pa.int64(),
        "is_withdrawn": pa.bool_(),
        "extracted_at": pa.timestamp("ms"),
    }
    schema = Schema({name: kinds.get(name, pa.string()) for name in VERSION_FIELDS})
    settings = Settings.from_environment()
    settings.home.mkdir(parents=True, exist_ok=True)
    clock = _Clock()
    with (
        connect(settings) as database,
        duckdb.connect(settings.warehouse_path) as warehouse,
        clock,
    ):
        versions = database[DATASET.table]
        replies = versions.find_raw_batches({}, {"_id": 0, **dict.fromkeys(VERSION_FIELDS, 1)})

        def batches() -> Iterator[pa.RecordBatch]:
            for reply in replies:
                context = PyMongoArrowContext(schema, codec_options=versions.codec_options)
                context.process_bson_stream(reply)
                yield from context.finish().to_batches()

        drained = batches()
        first = next(drained)
        reader = pa.RecordBatchReader.from_batches(first.schema, _chain(first, drained))
        warehouse.register("versions", reader)
        warehouse.execute("create table versions_inserted as select * from versions")
        ((count,),) = warehouse.execute("select count(*) from versions_inserted").fetchall()
    _tell(count, clock.seconds)


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


@main.command()
@click.option("--records", required=True, type=int)
def dicts(records: int) -> None:
    """dlt's plain path, of a slice: documents as Python dictionaries, its own Parquet files."""
    from ingestion.dlt_runtime import fresh_pipeline
    from ingestion.mongod import connect

    settings = Settings.from_environment()
    settings.home.mkdir(parents=True, exist_ok=True)
    os.environ["SCHEMA__NAMING"] = "snake_case"
    import dlt

    clock = _Clock()
    with connect(settings) as database, clock:
        versions = database[DATASET.table]
        resource = dlt.resource(
            versions.find({}, {"_id": 0, **dict.fromkeys(VERSION_FIELDS, 1)}, limit=records),
            name="versions",
            max_table_nesting=0,
        )
        pipeline = fresh_pipeline(
            "dicts",
            dlt.destinations.duckdb(str(settings.warehouse_path)),
            "raw",
            Path(settings.home),
        )
        pipeline.run(resource, loader_file_format="parquet")
    _tell(records, clock.seconds)


def _tell(records: int, seconds: float) -> None:
    """The count, and the seconds without start-up; in hop 1 only those spent on MongoDB."""
    click.echo(f"{records} {seconds:.3f}")


if __name__ == "__main__":
    main()
