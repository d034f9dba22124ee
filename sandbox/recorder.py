"""What a new dataset needs: a recorded state to try it on, and a first draft of its entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from ingestion.errors import SettingsError
from ingestion.portal import PortalClient
from ingestion.registry import Dataset, portals, registry


def find(dataset_id: str, portal: str | None, where: str | None) -> Dataset:
    """The registry's dataset, or one of a portal of the registry that is not in it yet.

    Raises:
        SettingsError: the registry has neither the dataset nor the portal.
    """
    if dataset_id in registry():
        known = registry()[dataset_id]
        return known if where is None else known.model_copy(update={"where": where})
    if portal not in portals():
        raise SettingsError(
            f"{dataset_id} is not in ingestion/datasets.yml: say with --from which portal has it "
            f"({', '.join(portals())})."
        )
    return Dataset(
        dataset_id=dataset_id,
        portal=portals()[portal],
        title=dataset_id,
        publisher="?",
        licence="?",
        where=where,
        key=("?",),
        fields={"?": ("text",)},
        volume_floor=0,
    )


def record(client: PortalClient, dataset: Dataset, out: Path) -> tuple[Path, int]:
    """Record a dataset as it is now: `out/<host>/<id>/{dataset.json,records.jsonl}`.

    Returns:
        The folder, and how many records it holds.
    """
    folder = out / dataset.portal.host / dataset.dataset_id
    folder.mkdir(parents=True, exist_ok=True)
    probe = client.probe(dataset)
    # Under another name until it is whole: a recorded state counts as complete.
    spooled = client.spool(dataset, probe, folder / "records.part")
    (folder / "dataset.json").write_text(
        json.dumps(client.metadata(dataset), ensure_ascii=False, indent=2), encoding="utf-8"
    )
    spooled.path.replace(folder / "records.jsonl")
    return folder, spooled.rows


def entry(client: PortalClient, dataset: Dataset) -> str:
    """A draft of the dataset's entry for `datasets.yml`, and of its source, as YAML.

    What the metadata do not say (the key) is left to be filled in.
    """
    metas = client.metadata(dataset)["metas"]["default"]
    probe = client.probe(dataset)
    values: dict[str, Any] = {
        "id": dataset.dataset_id,
        "portal": dataset.portal.name,
        "title": metas.get("title") or dataset.title,
        "publisher": metas.get("publisher") or "?",
        "licence": metas.get("license") or "?",
        **({"where": dataset.where} if dataset.where else {}),
        "key": ["?"],
        "volume_floor": probe.records_count // 2,
        "fields": probe.fields,
    }
    source = {
        "name": dataset.table.partition("__")[2],
        "identifier": dataset.table,
        "description": values["title"],
        "config": {"meta": {"dataset": dataset.dataset_id, "cadence": "yearly"}},
    }
    return (
        f"# ingestion/datasets.yml, under `datasets`; {probe.records_count} records now.\n"
        "# key: the fields that together identify a record.\n"
        f"{_yaml(values)}\n# models/staging/{dataset.portal.name}/, the sources' `tables`\n"
        f"{_yaml(source)}"
    )


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump([values], allow_unicode=True, sort_keys=False, width=100)
