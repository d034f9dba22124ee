"""What a person, or with `--json` a machine, is told by a command: the answer first and last."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ingestion.mongodb import connect
from ingestion.profile import in_words
from ingestion.settings import Settings
from ingestion.store import Store, written
from ingestion.warehouse import open_warehouse

if TYPE_CHECKING:
    from ingestion.pipeline import Outcome
    from ingestion.pull import DatasetResult

CHANGES = ("new", "changed", "restored", "withdrawn", "quarantined")
_SYNTHETIC = "All of this is the synthetic sample: invented, not Paris."
_BUILT = """\
Built and tested: staging, snapshots, intermediate, marts. Look at them with
`make site`, or any DuckDB client; `colleges status` says what is held."""
_ANSWERS = {
    "Collèges ever seen, and open in the latest school year held":
        "select count(*), count_if(is_open) from {marts}.dim_college",
    "Collèges per school year":
        "select school_year, count(*) from {marts}.fct_college_school_year"
        " where not is_partial_school_year group by 1 order by 1",
}  # fmt: skip


@contextmanager
def progress() -> Iterator[None]:
    """On a terminal a line with what `-v` would log, and counts of rows; gone at the end."""
    ours = logging.getLogger("ingestion")
    if not sys.stderr.isatty() or ours.isEnabledFor(logging.INFO):
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    class Line(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            status.update(escape(record.getMessage()))

    with Console(stderr=True).status("starting") as status:
        ours.addHandler(Line())
        ours.setLevel(logging.DEBUG)
        yield


def show_run(outcome: Outcome, settings: Settings, *, as_json: bool) -> None:
    """Print what a command did, where it is, and the first answers."""
    is_duckdb = settings.target == "duckdb"
    where = str(settings.warehouse_path) if is_duckdb else open_warehouse(settings).identity
    if as_json:
        dump(_run_as_dict(outcome) | {"warehouse": where})
        return
    click.secho(_in_a_line(outcome), bold=True, fg="red" if outcome.exit_code else None)
    if outcome.refilled:
        click.echo(f"MongoDB was empty: {outcome.refilled} versions came back from the warehouse.")
    for state, sequence, results in outcome.pulls:
        told = _received(result.counts for result in results)
        click.echo(f"Run {sequence}, {state or 'the live portals'}: {told}")
        for result in results:
            _show_result(result, is_only=len(outcome.pulls) == 1)
    if loaded := sum(load.rows_appended for load in outcome.loads):
        click.echo(f"Loaded {loaded} versions into {where}")
    took = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in outcome.seconds.items())
    click.echo(f"Took {sum(outcome.seconds.values()):.0f} s ({took}).")
    if outcome.is_built:
        click.echo(_BUILT)
        prefix = os.environ.get("COLLEGES_SCHEMA_PREFIX")
        marts = f"{prefix}_marts" if prefix else "marts"
        with open_warehouse(settings, purpose="read").connect() as raw:
            for question, query in _ANSWERS.items():
                rows = (" ".join(map(str, row)) for row in raw.rows(query.format(marts=marts)))
                click.echo(f"{question}: {'; '.join(rows)}")
    if settings.synthetic_mark.exists():
        click.secho(_SYNTHETIC, fg="yellow")


def _in_a_line(outcome: Outcome) -> str:
    parts = []
    if failed := sum(result.status == "failed" for result in outcome.results):
        parts.append(f"{failed} of {len(outcome.results)} datasets could not be read")
    if outcome.results:
        changes = _changes(result.counts for result in outcome.results)
        parts.append(f"records: {changes}" if changes else "no record changed")
    if outcome.is_built:
        parts.append("marts built")
    elif any(load.rows_appended for load in outcome.loads):
        parts.append("raw loaded")
    line = "; ".join(parts) or "nothing to load: the warehouse holds what MongoDB holds"
    return f"{line[0].upper()}{line[1:]}."


def _changes(counts: Iterable[dict[str, Any]]) -> str:
    """What changed, in words, of the sum of several `rows_…`."""
    counts = [*counts]
    total = {kind: sum(c.get(f"rows_{kind}") or 0 for c in counts) for kind in CHANGES}
    return ", ".join(f"{rows} {kind}" for kind, rows in total.items() if rows)


def _received(counts: Iterable[dict[str, int]]) -> str:
    counts = [*counts]
    received = sum(count.get("rows_received", 0) for count in counts)
    changes = _changes(counts) or "no record changed"
    return f"{received} received, {changes}" if received else changes


def _show_result(result: DatasetResult, *, is_only: bool) -> None:
    """One dataset's lines; of several pulls only its problems, the rest is in `status`."""
    name = result.dataset.dataset_id
    if is_only and not result.error:
        told = _received([result.counts]) if result.counts else result.status.replace("_", " ")
        click.echo(f"  {name}: {told}")
        if result.is_drift_news:
            told = ", ".join(f"{change['field']} {change['kind']}" for change in result.drift)
            click.secho(f"    fields differ from the registry: {told}", fg="yellow")
        if result.profile_changes:
            told = in_words(result.profile_changes)
            click.secho(f"    unlike the pull before: {told}", fg="yellow")
    if problem := result.problem:
        click.secho(f"  {problem if problem.startswith(name) else f'{name}: {problem}'}", fg="red")


def _run_as_dict(outcome: Outcome) -> dict[str, Any]:
    def runs() -> Iterator[dict[str, Any]]:
        for state, sequence, results in outcome.pulls:
            told = {r.dataset.dataset_id: r.counts | vars(r) for r in results}
            for values in told.values():
                del values["dataset"], values["counts"]
            yield {"portal_state": state, "run_sequence": sequence, "datasets": told}

    return {
        "is_built": outcome.is_built,
        "exit_code": outcome.exit_code,
        "seconds": outcome.seconds,
        "loads": [vars(load) for load in outcome.loads],
        "runs": [*runs()],
    }


def show_status(settings: Settings, *, as_json: bool) -> None:
    """Print what MongoDB holds, dataset by dataset, what changed last, and what runs now."""
    status: dict[str, Any] = {"running": None, "last_run": None, "datasets": []}
    # Asking must not leave an empty store behind.
    if settings.mongodb_uri or (settings.home / "mongodb").exists():
        with connect(settings) as database:
            status["running"] = database["lease"].find_one({"_id": "store"}, {"token": 0})
            entries = Store(database).entries()
            lines: Any = {"_id": ["$table_name", "$reason"], "rows": {"$sum": 1}}
            reasons: list[Any] = [{"$match": {"part": 0}}, {"$group": lines}]
            quarantined = [
                (*q["_id"], q["rows"]) for q in database["quarantine"].aggregate(reasons)
            ]
        status["last_run"] = entries[-1] if entries else None
        for table in dict.fromkeys(entry["table_name"] for entry in entries):
            dataset = _dataset_status([e for e in entries if e["table_name"] == table])
            dataset["quarantined"] = {why: rows for t, why, rows in quarantined if t == table}
            status["datasets"].append(dataset)
    if as_json:
        dump(status)
        return
    if run := status["running"]:
        click.echo(
            f"`{run['purpose']}` is running: process {run['pid']} on "
            f"{run['host'].partition(' ')[0]}, since {run['since']:%Y-%m-%d %H:%M:%S} UTC."
        )
    if status["last_run"] is None:
        click.echo(f"Nothing was loaded yet in {settings.home}: see `make help`.")
    for dataset in status["datasets"]:
        click.secho(dataset["dataset"], bold=True)
        count = "{rows_present} records present, {versions} versions kept".format(**dataset)
        click.echo(f"  {count}\n  last seen: {_in_short(dataset['last_load'])}")
        if change := dataset["last_change"]:
            click.echo(f"  last change: {_in_short(change)}, {_changes([change])}")
        if kept_out := dataset["quarantined"]:
            told = ", ".join(f"{rows} {why}" for why, rows in kept_out.items())
            click.secho(f"  kept out, in all pulls: {told}", fg="red")
    if status["last_run"] and status["last_run"]["is_synthetic"]:
        click.secho(_SYNTHETIC, fg="yellow")


def _dataset_status(entries: list[dict[str, Any]]) -> dict[str, Any]:
    finished = [entry for entry in entries if entry["status"] == "finished"]
    changed = [entry for entry in finished if written(entry)]
    return {
        "dataset": entries[-1]["dataset"],
        "table": entries[-1]["table_name"],
        "rows_present": finished[-1]["rows_present"] if finished else 0,
        "versions": sum(map(written, changed)),
        "last_load": entries[-1],
        "last_pull": finished[-1] if finished else None,
        "last_change": changed[-1] if changed else None,
    }


def _in_short(entry: dict[str, Any]) -> str:
    when = entry.get("finished_at") or entry["started_at"]
    told = f": {entry['error']}" if entry.get("error") else ""
    run, status = entry["run_sequence"], entry["status"]
    return f"{when:%Y-%m-%d %H:%M} UTC, run {run}, {status}{told}"


def dump(value: Any) -> None:
    """JSON on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
