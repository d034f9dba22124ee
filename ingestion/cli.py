"""The command line `colleges`: thin, every command does one thing the modules offer."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import Any

import click

from ingestion.errors import CollegesError, SettingsError
from ingestion.registry import Dataset, registry
from ingestion.settings import Settings

logger = logging.getLogger(__name__)

_STATE = click.Path(exists=True, file_okay=False, path_type=Path)


class _Group(click.Group):
    """Prints our own errors as one message and leaves every other its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CollegesError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.option("-q", "--quiet", is_flag=True, help="Log warnings and errors only.")
def main(verbose: bool, quiet: bool) -> None:
    """Open data on the public collèges of Paris: portals → MongoDB → warehouse → dbt."""
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(
        level=logging.DEBUG if verbose else level,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    for noisy in ("pymongo", "urllib3", "dlt", "snowflake", "faker"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Every attempt to reach a host that is not there; the error says it once.
    logging.getLogger("snowflake.connector.vendored").setLevel(logging.ERROR)
    # Let `finally` blocks run: they stop mongod and release the lock.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _choose(names: tuple[str, ...]) -> list[Dataset]:
    known = registry()
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"Unknown dataset {', '.join(unknown)}. The registry has: {', '.join(known)}."
        )
    return [dataset for name, dataset in known.items() if not names or name in names]


_datasets = click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="ID",
    help="Only this dataset (repeatable). Default: all of the registry.",
)
_portals = click.option(
    "--portal",
    "portals",
    multiple=True,
    type=_STATE,
    metavar="DIR",
    help="Read this recorded portal state over HTTP instead of the live portals (repeatable: one "
    "load after another).",
)
_force = click.option("--force", is_flag=True, help="Pull even what did not change.")
_accept_shrink = click.option(
    "--accept-shrink",
    is_flag=True,
    help="Withdraw missing records even where the volume floor or unreadable lines forbid it.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


@main.command()
@_portals
@_datasets
@_force
@_accept_shrink
@click.option("--no-build", is_flag=True, help="Stop before `dbt build`.")
@_json
def run(
    portals: tuple[Path, ...],
    datasets: tuple[str, ...],
    force: bool,
    accept_shrink: bool,
    no_build: bool,
    as_json: bool,
) -> None:
    """Extract, load, reconcile and build: the whole way."""
    from ingestion import alerts, pipeline, report
    from ingestion.extract import ExtractOptions

    settings = Settings.from_environment()
    with alerts.on_failure("colleges run"):
        outcome = pipeline.run(
            settings,
            _choose(datasets),
            portal_states=portals,
            options=ExtractOptions(force=force, accept_shrink=accept_shrink),
            build=not no_build,
            progress=_progress(),
        )
    report.show_run(outcome, settings, as_json=as_json)
    if outcome.exit_code:
        alerts.post_failure("colleges run", outcome.problems)
    sys.exit(outcome.exit_code)


@main.command()
@_portals
@_datasets
@_force
@_accept_shrink
@_json
def extract(
    portals: tuple[Path, ...],
    datasets: tuple[str, ...],
    force: bool,
    accept_shrink: bool,
    as_json: bool,
) -> None:
    """Hop 1: portals → MongoDB."""
    from ingestion import pipeline, report
    from ingestion.extract import ExtractOptions

    settings = Settings.from_environment()
    outcome = pipeline.extract(
        settings,
        _choose(datasets),
        portal_states=portals,
        options=ExtractOptions(force=force, accept_shrink=accept_shrink),
        progress=_progress(),
    )
    report.show_run(outcome, settings, as_json=as_json)
    sys.exit(outcome.exit_code)


@main.command()
@_datasets
@_json
def load(datasets: tuple[str, ...], as_json: bool) -> None:
    """Hop 2: MongoDB → the warehouse's raw schema, then reconcile."""
    from ingestion import pipeline, report

    settings = Settings.from_environment()
    outcome = pipeline.load(settings, _choose(datasets))
    report.show_run(outcome, settings, as_json=as_json)


@main.command()
@_json
def status(as_json: bool) -> None:
    """What is loaded, from when, what changed last."""
    from ingestion import report

    report.show_status(Settings.from_environment(), as_json=as_json)


@main.command()
@click.option("--apply", is_flag=True, help="Rebuild; without it, only say what differs.")
@_datasets
@_json
def replay(apply: bool, datasets: tuple[str, ...], as_json: bool) -> None:
    """Say how the warehouse's raw schema differs from MongoDB; rebuild it from there."""
    from ingestion import pipeline, report

    settings = Settings.from_environment()
    report.show_replay(pipeline.replay(settings, _choose(datasets), apply=apply), as_json=as_json)


@main.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--scale", default=1, show_default=True, type=click.IntRange(1, 1000))
@click.option("--seed", default=0, show_default=True, type=int)
def sample(out: Path, scale: int, seed: int) -> None:
    """Write a synthetic sample: recorded portal states of invented collèges."""
    from ingestion.sample import write_sample

    for state in write_sample(out, scale=scale, seed=seed):
        click.echo(state)


def _add_which() -> None:
    """`colleges which` is the package `which`'s own; it is imported when it is called."""

    @main.command(
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        short_help="Which collège an address belongs to, since when, and how sure.",
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def which(arguments: tuple[str, ...]) -> None:
        from which.cli import which as command

        command.main(list(arguments), prog_name="colleges which", standalone_mode=False)


_add_which()


@main.command("serve-portal")
@click.argument("state", type=_STATE)
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
def serve_portal(state: Path, port: int) -> None:
    """Serve a recorded portal state over the Explore API, on loopback."""
    from ingestion.replay_portal import serve_forever

    serve_forever(state, port=port)


def _progress() -> Any:
    """Progress bars on a terminal; nothing elsewhere, where they would only fill logs."""
    if not sys.stderr.isatty():
        return None
    from ingestion.report import progress_bars

    return progress_bars()


if __name__ == "__main__":
    main()
