"""The command line `colleges`: every command does one thing that the modules offer."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ingestion.errors import CollegesError, Interrupted, SettingsError
from ingestion.registry import Dataset, registry
from ingestion.settings import Settings
from sandbox.commands import STATE, describe, record, sample, serve_portal
from which.cli import which

if TYPE_CHECKING:
    from ingestion.pipeline import Outcome

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Group(click.Group):
    """Prints our own errors as one message and leaves every other its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        for number in _INTERRUPTS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, _interrupt)
        try:
            return super().invoke(ctx)
        except CollegesError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except Interrupted as interrupted:
            if sys.stderr.isatty():
                click.echo("\x1b[?25h", nl=False, err=True)  # the cursor, hidden a moment before
            click.echo(f"The command was {interrupted}. Nothing half done counts.", err=True)
            ctx.exit(interrupted.exit_code)


def _interrupt(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - a signal handler's
    for other in _INTERRUPTS:
        signal.signal(other, signal.SIG_DFL)  # a second one ends the process at once
    raise Interrupted(number)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="paris-colleges", prog_name="colleges")
@click.option("-v", "--verbose", is_flag=True, help="Log each step, and what dbt says.")
@click.pass_context
def main(ctx: click.Context, verbose: bool) -> None:
    """Open data on the public collèges of Paris: portals → MongoDB → warehouse → dbt."""
    ctx.obj = verbose
    logging.basicConfig(
        format="%(asctime)s %(levelname)-7s %(message)s" if verbose else "%(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    level = logging.INFO if verbose else logging.WARNING
    logging.getLogger().handlers[0].setLevel(level)
    for ours in ("ingestion", "sandbox"):
        logging.getLogger(ours).setLevel(level)
    # Every attempt to reach a host that is not there; the error says it once.
    logging.getLogger("snowflake.connector.vendored").setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of the interpreter and of libraries: not the reader's


def _choose(ctx: click.Context, option: object, names: tuple[str, ...]) -> list[Dataset]:  # noqa: ARG001
    known = registry()
    if unknown := [name for name in names if name not in known]:
        raise SettingsError(
            f"Unknown dataset {', '.join(unknown)}. The registry has: {', '.join(known)}."
        )
    return [dataset for name, dataset in known.items() if not names or name in names]


_dataset = click.option(
    "--dataset", "datasets", multiple=True, callback=_choose, metavar="ID",
    help="Only this dataset (repeatable). Default: all of the registry.",
)  # fmt: skip
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


def _pulling(command: Callable[..., None]) -> Callable[..., None]:
    """The options of the commands that pull."""
    portal = click.option(
        "--portal", "portal_states", multiple=True, type=STATE, metavar="DIR",
        help="Read this recorded portal state over HTTP instead of the live portals (repeatable: "
        "one pull after another).",
    )  # fmt: skip
    force = click.option("--force", is_flag=True, help="Pull even what did not change.")
    shrink = click.option(
        "--accept-shrink", is_flag=True,
        help="Withdraw missing records even where the volume floor or unreadable lines forbid it.",
    )  # fmt: skip
    return portal(_dataset(force(shrink(_json(command)))))


@main.command()
@_pulling
@click.option(
    "--build/--no-build", default=None,
    help="Run `dbt build` in any case, or in none. Default: where something changed.",
)  # fmt: skip
@click.pass_obj
def run(verbose: bool, /, **how: Any) -> None:
    """Pull, load, reconcile and build: the whole way."""
    from ingestion import alerts

    try:
        outcome = _do("run", verbose=verbose, **how)
    except Exception as error:
        alerts.post_failure("colleges run", [f"{type(error).__name__}: {error}"])
        raise
    if outcome.exit_code:
        alerts.post_failure("colleges run", outcome.problems)
    sys.exit(outcome.exit_code)


@main.command()
@_pulling
def extract(**how: Any) -> None:
    """Hop 1 alone, the pull: portals → MongoDB."""
    sys.exit(_do("extract", **how).exit_code)


@main.command()
@_dataset
@_json
def load(**how: Any) -> None:
    """Hop 2 alone, the load: MongoDB → the warehouse's raw schema, then reconcile."""
    _do("load", **how)


@main.command()
@_dataset
@_json
def replay(**how: Any) -> None:
    """Drop the warehouse's raw tables and load them anew from MongoDB."""
    _do("replay", **how)


def _do(command: str, *, as_json: bool, **how: Any) -> Outcome:
    from ingestion import pipeline, report
    from ingestion.pull import PullOptions

    settings = Settings.from_environment()
    if "force" in how:
        how["options"] = PullOptions(how.pop("force"), how.pop("accept_shrink"))
    with report.progress():
        outcome = pipeline.run(settings, how.pop("datasets"), command, **how)
    report.show_run(outcome, settings, as_json=as_json)
    return outcome


@main.command()
@_json
def status(as_json: bool) -> None:
    """What is held, from when, what changed last, what runs now."""
    from ingestion import report

    report.show_status(Settings.from_environment(), as_json=as_json)


for _command in (record, describe, sample, serve_portal, which):
    main.add_command(_command)


if __name__ == "__main__":
    main()
