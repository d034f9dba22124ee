"""The ways that are compared, each a process of its own: ``python -m benchmarks.contenders``.

In hop 1 each pulls the same dataset with the same portal client, which counts the rows, and writes
to the same server with the same acknowledgement (journalled). ``MONGODB_URI`` and ``COLLEGES_HOME``
are set for each. Each prints the seconds it spent on MongoDB: while at least one call is under way.
"""

from __future__ import annotations

import functools
import gc
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import orjson

from benchmarks.records import DATASET
from ingestion.mongodb import connect
from ingestion.portal import PortalClient, Spooled
from ingestion.settings import Settings

PAGE = 1_000
"""Operations in a bulk write: what is commonly used, and 10 000 are no faster."""


class Clock:
    """Adds up the time during which at least one thread is inside it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = 0
        self._since = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._since = time.perf_counter()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self.seconds += time.perf_counter() - self._since

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        @functools.wraps(call)
        def timed(*args: Any, **options: Any) -> Any:
            with self:
                return call(*args, **options)

        return timed


@click.group()
def main() -> None:
    """Run one contender."""


_portal = click.option("--portal", "url", required=True, help="Base URL of the dataset.")


@main.command()
@_portal
def pull(url: str) -> None:
    """This project's hop 1; what the store does and the comparison count as on MongoDB.

    Of the writing of versions it is the call alone, as for the rivals, which parse before it too.
    """
    from pymongo.collection import Collection

    import ingestion.pull
    import sandbox.portal
    from ingestion import pipeline
    from ingestion.store import Store

    gc.set_threshold(100_000)  # as `ingestion.start` does for every command
    clock = Clock()
    for name, method in vars(Store).items():
        if callable(method) and not name.startswith("_") and name != "insert":
            setattr(Store, name, clock.around(method))
    setattr(Collection, "insert_many", clock.around(Collection.insert_many))  # noqa: B010
    setattr(ingestion.pull, "classify", clock.around(ingestion.pull.classify))  # noqa: B010
    # The portal runs already, in a process of its own.
    elsewhere = SimpleNamespace(base_url=lambda _: url)
    setattr(sandbox.portal, "ReplayPortal", lambda _: nullcontext(elsewhere))  # noqa: B010
    outcome = pipeline.run(
        Settings.from_environment(),
        [DATASET],
        "extract",
        portal_states=[Path()],
        # What is unchanged for the portal is not pulled; here its records are to be unchanged.
        options=ingestion.pull.PullOptions(force=True),
    )
    if outcome.problems:
        raise click.ClickException(str(outcome.problems))
    click.echo(clock.seconds)


@main.command()
@_portal
def bulk(url: str) -> None:
    """``bulk_write`` of ``$set`` upserts, a page at a time."""
    from pymongo import UpdateOne

    clock = Clock()
    with _spooled(url) as (collection, lines):
        while page := [_keyed(line) for line in islice(lines, PAGE)]:
            with clock:
                collection.bulk_write(
                    [UpdateOne({"_id": key}, {"$set": rest}, upsert=True) for key, rest in page],
                    ordered=False,
                )
    click.echo(clock.seconds)


@main.command()
@_portal
def one(url: str) -> None:
    """``update_one`` for each record."""
    clock = Clock()
    with _spooled(url) as (collection, lines):
        for key, record in map(_keyed, lines):
            with clock:
                collection.update_one({"_id": key}, {"$set": record}, upsert=True)
    click.echo(clock.seconds)


@main.command()
@_portal
def insert(url: str) -> None:
    """The least that hop 1 can be: the lines as they are, two writers, nothing checked."""
    clock = Clock()
    with multiprocessing.Pool(2) as writers, _spooled(url) as (_, lines):
        pages = iter(lambda: list(islice(lines, 5 * PAGE)), [])
        with clock:
            for _ in writers.imap_unordered(_insert, pages):
                pass
    click.echo(clock.seconds)


def _insert(page: list[bytes]) -> None:
    with connect(Settings.from_environment()) as database:
        database["records"].insert_many([{"payload": line.decode()} for line in page], False)


@main.command()
def drain() -> None:
    """The least that hop 2 can be: both processors read half each, DuckDB inserts, no check."""
    import duckdb
    import pyarrow.dataset as arrow_dataset

    settings = Settings.from_environment()
    home = settings.prepare_home()
    with multiprocessing.Pool(2) as readers:
        files = readers.starmap(_drain, [(home / f"{half}.arrow", half) for half in (0, 1)])
    drained = arrow_dataset.dataset(files, format="ipc")  # noqa: F841 - DuckDB finds it by name
    with duckdb.connect(home / "warehouse.duckdb") as warehouse:
        warehouse.execute("create table drained as select * from drained")
    click.echo(0)


def _drain(path: Path, half: int) -> Path:
    import pyarrow as pa

    from ingestion import arrow
    from ingestion.store import VERSION_COLUMNS

    columns = {name: kind for name, kind in VERSION_COLUMNS.items() if name != "run_id"}
    with connect(Settings.from_environment()) as database:
        versions = database[DATASET.table]
        first, last = (versions.find_one(sort=[("_id", way)])["_id"] for way in (1, -1))  # type: ignore[index]
        middle = first + (last - first) // 2
        query = {"_id": {"$gt": middle} if half else {"$lte": middle}}
        tables = arrow.read(versions, columns, query)
        table = next(tables)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
            for table in tables:
                writer.write_table(table)
    return path


@contextmanager
def _spooled(url: str) -> Iterator[tuple[Any, Iterator[bytes]]]:
    """A collection, and the lines of a verified pull: what this project's hop 1 begins with too."""
    settings = Settings.from_environment()
    path = settings.prepare_home() / "spool.jsonl"
    with connect(settings) as database:
        with PortalClient(base_urls={DATASET.portal.name: url}) as client:
            spooled: Spooled = client.spool(DATASET, client.probe(DATASET), path)
        with spooled.path.open("rb") as lines:
            yield database["records"], lines
    path.unlink()


def _keyed(line: bytes) -> tuple[str, dict[str, Any]]:
    record = orjson.loads(line)
    return orjson.dumps([record[name] for name in DATASET.key]).decode(), record


if __name__ == "__main__":
    main()
