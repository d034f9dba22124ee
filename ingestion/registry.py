"""The dataset registry: what is read, from where, and what it must look like.

Adding a dataset is adding an entry to ``datasets.yml`` (and a staging model).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ingestion.errors import RegistryError

REGISTRY_FILE = Path(__file__).with_name("datasets.yml")

# Types of the Explore API v2.1's `fields[].type`.
FIELD_TYPES = frozenset(
    {"text", "int", "double", "boolean", "date", "datetime", "geo_point_2d", "geo_shape", "file"}
)
_DATASET_ID = re.compile(r"^[a-z0-9][a-z0-9-]*$")


@dataclass(frozen=True)
class Portal:
    """One Explore API v2.1 portal."""

    name: str
    """Short name, the prefix of its raw tables, e.g. ``opendata_paris``."""
    base_url: str
    """Scheme and host, no trailing slash."""

    @property
    def host(self) -> str:
        return self.base_url.split("://", 1)[1]


@dataclass(frozen=True)
class Dataset:
    """One dataset of the registry."""

    dataset_id: str
    portal: Portal
    title: str
    publisher: str
    licence: str
    where: str | None
    """ODSQL filter sent with every request, or None for the whole dataset."""
    key: tuple[str, ...]
    """Fields that together identify a record, in order."""
    fields: dict[str, tuple[str, ...]]
    """Expected field name → the API types it may have."""
    volume_floor: int
    """Absolute row count below which a pull may not withdraw records."""

    @property
    def table(self) -> str:
        """Name of its raw table and MongoDB collection: ``<portal>__<dataset>``."""
        return f"{self.portal.name}__{self.dataset_id.replace('-', '_')}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides the content of a pull: filter, key and id."""
        decides = [self.dataset_id, self.portal.base_url, self.where, list(self.key)]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def load_registry(path: Path = REGISTRY_FILE) -> dict[str, Dataset]:
    """Read and check a registry file.

    Returns:
        Dataset id → dataset, in the file's order.

    Raises:
        RegistryError: the file is unreadable or an entry is wrong; the message names the entry.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RegistryError(f"Cannot read the dataset registry {path}: {error}") from error
    if not isinstance(document, dict):
        raise RegistryError(f"{path} must be a mapping with `portals` and `datasets`.")
    portals = {
        name: Portal(name=name, base_url=str(entry["base_url"]).rstrip("/"))
        for name, entry in (document.get("portals") or {}).items()
    }
    datasets = (_dataset(entry, portals) for entry in document.get("datasets") or [])
    registry: dict[str, Dataset] = {}
    for dataset in datasets:
        if dataset.dataset_id in registry:
            raise RegistryError(f"datasets.yml lists {dataset.dataset_id} twice.")
        registry[dataset.dataset_id] = dataset
    if not registry:
        raise RegistryError(f"{path} lists no dataset.")
    return registry


@cache
def registry() -> dict[str, Dataset]:
    """The project's registry, read once."""
    return load_registry()


def _dataset(entry: dict[str, Any], portals: dict[str, Portal]) -> Dataset:
    dataset_id = str(entry.get("id", ""))

    def fail(what: str) -> RegistryError:
        return RegistryError(f"datasets.yml, entry {dataset_id or '(no id)'}: {what}")

    if not _DATASET_ID.match(dataset_id):
        raise fail("`id` must be the portal's dataset id (lower case, digits, hyphens).")
    required = ("portal", "title", "publisher", "licence", "key", "fields", "volume_floor")
    if missing := [name for name in required if entry.get(name) is None]:
        raise fail(f"missing {', '.join(missing)}.")
    if entry["portal"] not in portals:
        raise fail(f"unknown portal {entry['portal']!r}; `portals` has {sorted(portals)}.")
    fields = {
        str(name): tuple([types] if isinstance(types, str) else types)
        for name, types in entry["fields"].items()
    }
    for name, types in fields.items():
        if unknown := set(types) - FIELD_TYPES:
            raise fail(f"field {name} has unknown type {sorted(unknown)}.")
    key = tuple(entry["key"])
    if not key or not set(key) <= set(fields):
        raise fail("`key` must name fields listed under `fields`.")
    if not isinstance(entry["volume_floor"], int) or entry["volume_floor"] < 1:
        raise fail("`volume_floor` must be a positive whole number of rows.")
    return Dataset(
        dataset_id=dataset_id,
        portal=portals[entry["portal"]],
        title=entry["title"],
        publisher=entry["publisher"],
        licence=entry["licence"],
        where=entry.get("where"),
        key=key,
        fields=fields,
        volume_floor=entry["volume_floor"],
    )
