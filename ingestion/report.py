"""What a person, or with ``--json`` a machine, is told at the end of a command."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ingestion.pipeline import SYNTHETIC_MARK, Outcome
from ingestion.settings import Settings

if TYPE_CHECKING:
    from ingestion.extract import DatasetResult, Progress

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
    console = Console()
    for state, sequence, results in outcome.extracts:
        console.print(
            _extract_table(state.name if state else "the live portals", sequence, results)
        )
    for result in outcome.results:
        _complain(console, result)
    if outcome.loads:
        console.print(f"Warehouse: {_where(settings)}")
        for report in outcome.loads:
            console.print(f"  {report}")
    if outcome.is_built:
        _show_answers(console, settings)
    if (settings.home / SYNTHETIC_MARK).exists():
        console.print("[bold]Everything above is the synthetic sample: invented, not Paris.[/bold]")
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in outcome.seconds.items())
    console.print(f"[dim]{steps}[/dim]")


def _extract_table(source: str, sequence: int, results: list[DatasetResult]) -> Table:
    table = Table(title=f"Run {sequence}: {source}", title_justify="left")
    table.add_column("dataset", overflow="fold")
    table.add_column("status")
    for heading, _ in _COUNTS:
        table.add_column(heading, justify="right")
    for result in results:
        counts = [str(result.counts[name]) if name in result.counts else "" for _, name in _COUNTS]
        table.add_row(result.dataset.dataset_id, result.status.replace("_", " "), *counts)
    return table


def _complain(console: Console, result: DatasetResult) -> None:
    name = result.dataset.dataset_id
    if result.error:
        console.print(f"[red]Failed[/red] {name}: {result.error}", markup=True, highlight=False)
    if result.withdrawal_refused:
        console.print(f"[red]Needs a decision[/red] {name}: {result.withdrawal_refused}")
    for drift in result.drift:
        console.print(
            f"[yellow]Drift[/yellow] {name}: field {drift['field']} {drift['kind']}"
            f" (expected {drift['expected']}, found {drift['found']})"
        )


def _where(settings: Settings) -> str:
    if settings.target == "duckdb":
        return str(settings.warehouse_path)
    return "Snowflake, database and schemas as in your profile"


_ANSWERS = (
    (
        "Collèges ever seen, and open in the latest school year held",
        "select count(*), count(*) filter (where is_open) from marts.dim_college",
    ),
    (
        "Collèges per school year",
        "select school_year, count(*) from marts.fct_college_school_year group by 1 order by 1",
    ),
)


def _show_answers(console: Console, settings: Settings) -> None:
    if settings.target != "duckdb":
        console.print("Marts are built; ask them in Snowflake.")
        return
    import duckdb

    with duckdb.connect(settings.warehouse_path, read_only=True) as connection:
        schemas = connection.execute(
            "select table_schema, count(*) from information_schema.tables"
            " where table_schema in ('raw', 'staging', 'intermediate', 'snapshots', 'marts')"
            " group by 1 order by 1"
        ).fetchall()
        console.print("Built: " + ", ".join(f"{count} tables in {name}" for name, count in schemas))
        for question, query in _ANSWERS:
            rows = connection.execute(query).fetchall()
            answer = "; ".join(" ".join(str(value) for value in row) for row in rows)
            console.print(f"{question}: {answer}", highlight=False)


def _run_as_dict(outcome: Outcome, settings: Settings) -> dict[str, Any]:
    return {
        "warehouse": _where(settings),
        "is_built": outcome.is_built,
        "exit_code": outcome.exit_code,
        "seconds": outcome.seconds,
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
    """Print what MongoDB holds, dataset by dataset."""
    from ingestion.document_store import DocumentStore
    from ingestion.mongod import connect

    with connect(settings) as database:
        status = DocumentStore(database).status()
    if as_json:
        _dump(status)
        return
    raise NotImplementedError


def show_replay(differences: Any, *, as_json: bool) -> None:
    """Print how raw differed from MongoDB."""
    if as_json:
        _dump(differences)
        return
    raise NotImplementedError


def _dump(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=str)
    sys.stdout.write("\n")
