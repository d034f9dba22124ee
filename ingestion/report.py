"""What a person, or with ``--json`` a machine, is told at the end of a command."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ingestion.pipeline import SYNTHETIC_MARK, Outcome
from ingestion.profile import in_words
from ingestion.settings import Settings
from ingestion.warehouse import open_warehouse

if TYPE_CHECKING:
    from ingestion.extract import DatasetResult, Progress
    from ingestion.replay import ReplayReport

_COUNTS = (
    ("received", "rows_received"),
    ("new", "rows_new"),
    ("changed", "rows_changed"),
    ("unchanged", "rows_unchanged"),
    ("restored", "rows_restored"),
    ("withdrawn", "rows_withdrawn"),
    ("quarantined", "rows_quarantined"),
)


def progress_bars() -> Progress:
    """One bar per dataset on stderr, fed as rows arrive."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def advance(dataset_id: str, rows: int, expected: int | None) -> None:
        if dataset_id not in tasks:
            bars.start()
            tasks[dataset_id] = bars.add_task(dataset_id, total=expected)
        bars.update(tasks[dataset_id], completed=rows, total=expected)
        if expected is not None and rows >= expected:
            bars.stop()
            bars.remove_task(tasks.pop(dataset_id))

    return advance


def show_run(outcome: Outcome, settings: Settings, *, as_json: bool) -> None:
    """Print what a run did, where it is, and the first answers."""
    if as_json:
        _dump(_run_as_dict(outcome, settings))
        return
    for state, sequence, results in outcome.extracts:
        click.secho(f"Run {sequence}: {state or 'the live portals'}", bold=True)
        for result in results:
            _show_result(result)
    if outcome.loads:
        click.secho(f"Warehouse: {_where(settings)}", bold=True)
        for report in outcome.loads:
            click.echo(f"  {report}")
    if outcome.is_built:
        _show_answers(settings)
    if (settings.home / SYNTHETIC_MARK).exists():
        click.secho("All of this is the synthetic sample: invented, not Paris.", fg="yellow")
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in outcome.seconds.items())
    click.echo(f"Took: {steps}")


def _show_result(result: DatasetResult) -> None:
    counts = [
        f"{result.counts[name]} {heading}" for heading, name in _COUNTS if result.counts.get(name)
    ]
    status = [] if counts else [result.status.replace("_", " ")]
    click.echo(f"  {result.dataset.dataset_id}: {', '.join(status + counts)}")
    if result.drift:
        drift = ", ".join(f"{change['field']} {change['kind']}" for change in result.drift)
        click.secho(f"    drift against the registry: {drift}", fg="yellow")
    if problem := result.error or result.withdrawal_refused:
        click.secho(f"    {problem}", fg="red")


def _where(settings: Settings) -> str:
    if settings.target == "duckdb":
        return str(settings.warehouse_path)
    return open_warehouse(settings).identity


_ANSWERS = (
    (
        "Collèges ever seen, and open in the latest school year held",
        "select count(*), count_if(is_open) from marts.dim_college",
    ),
    (
        "Collèges per school year",
        "select school_year, count(*) from marts.fct_college_school_year group by 1 order by 1",
    ),
)


def _show_answers(settings: Settings) -> None:
    with open_warehouse(settings, purpose="read").connect() as connection:
        schemas = connection.rows(
            "select lower(table_schema), count(*) from information_schema.tables"
            " where lower(table_schema) in"
            " ('raw', 'staging', 'intermediate', 'snapshots', 'marts') group by 1 order by 1"
        )
        click.echo("  holds " + ", ".join(f"{count} tables in {name}" for name, count in schemas))
        for question, query in _ANSWERS:
            answer = "; ".join(" ".join(map(str, row)) for row in connection.rows(query))
            click.echo(f"{question}: {answer}")


def _run_as_dict(outcome: Outcome, settings: Settings) -> dict[str, Any]:
    return {
        "warehouse": _where(settings),
        "is_built": outcome.is_built,
        "exit_code": outcome.exit_code,
        "seconds": outcome.seconds,
        "loads": [
            {
                "rows_appended": load.rows_appended,
                "ledger_rows": load.ledger_rows,
                "newest_run_id": load.newest_run_id,
            }
            for load in outcome.loads
        ],
        "runs": [
            {
                "portal_state": str(state) if state else None,
                "run_sequence": sequence,
                "datasets": {
                    result.dataset.dataset_id: {
                        "status": result.status,
                        **result.counts,
                        "drift": result.drift,
                        "withdrawal_refused": result.withdrawal_refused,
                        "error": result.error,
                    }
                    for result in results
                },
            }
            for state, sequence, results in outcome.extracts
        ],
    }


def show_status(settings: Settings, *, as_json: bool) -> None:
    """Print what MongoDB holds, dataset by dataset, and what changed last."""
    from ingestion.document_store import DocumentStore
    from ingestion.mongod import connect

    status: dict[str, Any] = {"store": None, "lock": None, "last_run": None, "datasets": []}
    # Asking must not leave an empty store behind.
    if settings.mongodb_uri or settings.home.exists():
        with connect(settings) as database:
            status = DocumentStore(database).status()
    if as_json:
        _dump(status)
        return
    run = status["last_run"]
    if run is None:
        click.echo(f"Nothing was loaded yet in {settings.home}: see `make help`.")
        return
    if status["store"]["origin"] == "synthetic":
        click.secho("Synthetic sample: nothing here is real.", fg="yellow")
    click.echo(f"Last run: {run['_id']} ({run['run_id']}), {run.get('purpose')}, {run['status']}")
    if status["lock"]:
        click.echo(f"Locked by: {status['lock']}")
    for dataset in status["datasets"]:
        _show_dataset_status(dataset)


def _show_dataset_status(dataset: dict[str, Any]) -> None:
    click.secho(dataset["dataset"], bold=True)
    click.echo(f"  {dataset['rows_present']} records present, {dataset['versions']} versions kept")
    for heading, name in (("last seen", "last_load"), ("last pull", "last_pull")):
        if load := dataset[name]:
            when = load["finished_at"] or load["started_at"]
            processed = (load.get("portal") or {}).get("data_processed")
            told = f", the portal's data of {processed}" if processed else ""
            problem = f": {load['error']}" if load.get("error") else ""
            click.echo(f"  {heading}: {when:%Y-%m-%d %H:%M} UTC, {load['status']}{told}{problem}")
    if change := dataset["last_change"]:
        counts = ", ".join(
            f"{change[name]} {heading}"
            for heading, name in _COUNTS
            if change.get(name) and heading not in ("received", "unchanged")
        )
        click.echo(f"  last change: run {change['run_sequence']}, {counts}")
    if unlike := dataset["last_profile_change"]:
        told = in_words(unlike["profile_changes"])
        click.secho(f"  unlike the pull before: run {unlike['run_sequence']}, {told}", fg="yellow")
    if dataset["quarantined"]:
        reasons = ", ".join(f"{n} {reason}" for reason, n in dataset["quarantined"].items())
        click.secho(f"  quarantined: {reasons}", fg="red")


def show_replay(report: ReplayReport, *, as_json: bool) -> None:
    """Print how raw differed from MongoDB, and what was rebuilt."""
    if as_json:
        _dump(asdict(report))
        return
    for difference in report.differences:
        click.echo(str(difference))
    if report.put_back:
        click.echo(f"Put back into MongoDB, from raw: {report.put_back} versions")
    if report.load:
        click.echo(f"Rebuilt: {report.load}")
    elif not any(report.differences):
        click.echo("raw holds exactly what MongoDB holds.")
    elif refusals := [d.why_not_rebuild for d in report.differences if d.why_not_rebuild]:
        for refusal in refusals:
            click.secho(f"`colleges replay --apply` refuses: {refusal}", fg="red")
    elif all(d.is_pending for d in report.differences if d):
        click.echo("`colleges load` loads what is missing.")
    elif any(d.to_put_back for d in report.differences):
        click.echo(
            "`colleges replay --apply` puts back into MongoDB what it lost, then rebuilds raw from "
            "MongoDB."
        )
    else:
        click.echo("`colleges replay --apply` rebuilds raw from MongoDB.")


def _dump(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
