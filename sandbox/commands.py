"""The commands for what stands in for the world outside: recorded states and the sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingestion.registry import portals, registry
from ingestion.settings import Settings

if TYPE_CHECKING:
    from ingestion.portal import PortalClient

STATE = click.Path(exists=True, file_okay=False, path_type=Path)
_source = click.option(
    "--from",
    "portal",
    metavar="PORTAL",
    help="Its portal, e.g. opendata_paris, if the registry does not have the dataset yet.",
)
_where = click.option("--where", metavar="ODSQL", help="Filter instead of the registry's.")
_state = click.option("--portal", "state", type=STATE, metavar="DIR", help="A recorded state.")


@click.command()
@click.option(
    "--dataset", "datasets", multiple=True, metavar="ID", help="Repeatable; default: all known."
)
@_source
@_where
@_state
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def record(
    datasets: tuple[str, ...],
    portal: str | None,
    where: str | None,
    state: Path | None,
    out: Path,
) -> None:
    """Record datasets as the portals have them now, for `--portal DIR`."""
    from sandbox.recorder import find
    from sandbox.recorder import record as record_one

    with _client(state) as client:
        for dataset_id in datasets or registry():
            folder, rows = record_one(client, find(dataset_id, portal, where), out)
            click.echo(f"{folder}: {rows} records")


@click.command()
@click.option("--dataset", "dataset_id", required=True, metavar="ID")
@_source
@_where
@_state
def describe(dataset_id: str, portal: str | None, where: str | None, state: Path | None) -> None:
    """Print a draft of a dataset's registry entry, and of its dbt source."""
    from sandbox.recorder import entry, find

    with _client(state) as client:
        click.echo(entry(client, find(dataset_id, portal, where)), nl=False)


@contextmanager
def _client(state: Path | None) -> Iterator[PortalClient]:
    from ingestion.portal import PortalClient

    with ExitStack() as stack:
        base_urls = {}
        if state is not None:
            from sandbox.portal import ReplayPortal

            replay_portal = stack.enter_context(ReplayPortal(state))
            base_urls = {p.name: replay_portal.base_url(p.host) for p in portals().values()}
        api_keys = Settings.from_environment().api_keys
        yield stack.enter_context(PortalClient(base_urls=base_urls, api_keys=api_keys))


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--scale",
    default=1,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Number of cities, each about as large as Paris.",
)
@click.option("--seed", default=0, show_default=True, help="Another number, other collèges.")
@click.option(
    "--with-oddities",
    is_flag=True,
    help="Add two later states, with what portals publish by mistake.",
)
def sample(out: Path, scale: int, seed: int, with_oddities: bool) -> None:
    """Write a synthetic sample: recorded portal states of invented collèges."""
    from sandbox.sample import write_sample

    for state in write_sample(out, scale=scale, seed=seed, oddities=with_oddities):
        click.echo(state)


@click.command("serve-portal")
@click.argument("state", type=STATE)
@click.option("--port", default=8787, show_default=True, type=click.IntRange(0, 65535))
def serve_portal(state: Path, port: int) -> None:
    """Serve a recorded portal state over the Explore API, on loopback."""
    from sandbox.portal import serve_forever

    serve_forever(state, port=port)
