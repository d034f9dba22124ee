"""Asks the live portals whether their datasets still are what the registry expects.

Ends with 1 where they are not. With ``--issue`` it keeps one issue about it instead: opened or
edited while something differs, closed when nothing does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from review.github import AUTHOR, GitHub, GitHubError
from review.markdown import code

TITLE = "The portals differ from the registry"
LABEL = "portal-drift"


def findings(state: Path | None = None) -> list[str]:
    """One Markdown line per difference, over all datasets of the registry.

    Args:
        state: a recorded portal state instead of the live portals.
    """
    from contextlib import ExitStack

    from ingestion.errors import CollegesError
    from ingestion.portal import PortalClient
    from ingestion.registry import Dataset, registry
    from ingestion.settings import Settings
    from sandbox.portal import ReplayPortal

    def differences(dataset: Dataset) -> Iterable[str]:
        try:
            probe = client.probe(dataset)
        except CollegesError as error:
            yield f"not readable: {code(error, 400)}"
            return
        for drift in probe.drift:
            types = {
                "added": f"is new: {code(drift.found)}",
                "gone": f"is gone; expected {code(drift.expected)}",
                "retyped": f"is {code(drift.found)}; expected {code(drift.expected)}",
            }
            yield f"field {code(drift.field)} {types[drift.kind]}"
        if missing := [field for field in dataset.key if field not in probe.fields]:
            yield f"the key is gone: {', '.join(code(field) for field in missing)}"
        if probe.records_count < dataset.volume_floor:
            yield (
                f"{probe.records_count:,} records, under the volume floor of "
                f"{dataset.volume_floor:,}: nothing would be withdrawn"
            )

    settings = Settings.from_environment()
    with ExitStack() as stack:
        base_urls = {}
        if state is not None:
            portal = stack.enter_context(ReplayPortal(state))
            base_urls = {d.portal.name: portal.base_url(d.portal.host) for d in registry().values()}
        client = stack.enter_context(PortalClient(base_urls=base_urls, api_keys=settings.api_keys))
        return [
            f"- {code(dataset.dataset_id)}: {said}"
            for dataset in registry().values()
            for said in differences(dataset)
        ]


def keep_issue(github: GitHub, found: list[str]) -> str | None:
    """One open issue while something differs, none otherwise; its address."""
    query = f"/issues?state=open&labels={LABEL}&creator={AUTHOR}&per_page=100"
    issues = [issue for issue in github.call("GET", query) if "pull_request" not in issue]
    text = "\n".join(
        [
            "What the live portals say of their datasets differs from `ingestion/datasets.yml`:",
            "",
            *found,
            "",
            "Fields that are new or changed lose nothing: every record is kept as it came. What to "
            "do is in `docs/runbook.md`. This text is renewed every week.",
        ]
    )
    if issues and found:
        path = f"/issues/{issues[0]['number']}"
        return str(github.call("PATCH", path, {"body": text})["html_url"])
    if found:
        issue = {"title": TITLE, "body": text, "labels": [LABEL]}
        return str(github.call("POST", "/issues", issue)["html_url"])
    for issue in issues:
        closed = {"state": "closed", "body": "The portals are as the registry expects again."}
        github.call("PATCH", f"/issues/{issue['number']}", closed)
    return None


@click.command()
@click.option(
    "--portal",
    "state",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Ask a recorded portal state instead of the live portals.",
)
@click.option("--issue", is_flag=True, help="Open, edit or close the issue (GH_TOKEN).")
def main(state: Path | None, issue: bool) -> None:
    """Say where the live portals differ from the registry: fields, types, keys, volumes."""
    found = findings(state)
    click.echo("\n".join(found) or "The portals are as the registry expects.")
    if issue:
        try:
            click.echo(keep_issue(GitHub.from_environment(), found) or "No issue is open.")
        except GitHubError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)
        return
    sys.exit(int(bool(found)))


if __name__ == "__main__":
    main()
