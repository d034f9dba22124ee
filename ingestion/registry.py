"""The dataset registry: what is read, from where, and what it must look like.

Adding a dataset is adding an entry to ``datasets.yml`` (and a staging model).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
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
# Both go into table and collection names.
_DATASET_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_PORTAL_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BASE_URL = re.compile(r"https://[a-z0-9.-]+(:\d+)?/?")

_REQUIRED = ("id", "portal", "title", "publisher", "licence", "key", "fields", "volume_floor")
_OPTIONAL = ("where", "nullable_key")


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
    nullable_key: frozenset[str] = frozenset()
    """Fields of the key that may be null, blank or missing."""

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
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RegistryError(f"Cannot read the dataset registry {path}: {error}") from error
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("portals"), dict)
        or not isinstance(document.get("datasets"), list)
    ):
        raise RegistryError(f"{path} must have a mapping `portals` and a list `datasets`.")
    portals = {name: _portal(name, entry) for name, entry in document["portals"].items()}
    datasets = (_dataset(entry, portals) for entry in document["datasets"])
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


def _portal(name: Any, entry: Any) -> Portal:
    base_url = entry.get("base_url") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not _PORTAL_NAME.fullmatch(name):
        raise RegistryError(f"datasets.yml: portal {name!r} must be lower case, digits and _.")
    if not isinstance(base_url, str) or not _BASE_URL.fullmatch(base_url):
        raise RegistryError(
            f"datasets.yml: portal {name} needs a `base_url` like https://host, without a path."
        )
    return Portal(name=name, base_url=base_url.rstrip("/"))


def _dataset(entry: Any, portals: dict[str, Portal]) -> Dataset:
    if not isinstance(entry, dict):
        raise RegistryError(f"datasets.yml: an entry of `datasets` is no mapping: {entry!r}")
    dataset_id = str(entry.get("id", ""))

    def fail(what: str) -> RegistryError:
        return RegistryError(f"datasets.yml, entry {dataset_id or '(no id)'}: {what}")

    if not _DATASET_ID.fullmatch(dataset_id):
        raise fail("`id` must be the portal's dataset id (lower case, digits, hyphens).")
    if missing := [name for name in _REQUIRED if entry.get(name) is None]:
        raise fail(f"missing {', '.join(missing)}.")
    # A misspelt `where` would quietly read the whole of France.
    if unknown := [str(name) for name in entry if name not in (*_REQUIRED, *_OPTIONAL)]:
        raise fail(f"unknown {', '.join(unknown)}.")
    if not isinstance(entry["portal"], str) or entry["portal"] not in portals:
        raise fail(f"unknown portal {entry['portal']!r}; `portals` has {sorted(portals)}.")
    where = entry.get("where")
    if where is not None and not (isinstance(where, str) and where.strip()):
        raise fail("`where` must be an ODSQL filter, or absent for the whole dataset.")
    fields = _fields(entry["fields"], fail)
    key = entry["key"]
    if (
        not isinstance(key, list)
        or not key
        or not all(isinstance(name, str) and name in fields for name in key)
        or len(set(key)) < len(key)
    ):
        raise fail("`key` must list fields named under `fields`, each once.")
    if type(entry["volume_floor"]) is not int or entry["volume_floor"] < 1:
        raise fail("`volume_floor` must be a positive whole number of rows.")
    nullable = entry.get("nullable_key", [])
    if not isinstance(nullable, list) or not set(map(str, nullable)) < set(key):
        raise fail("`nullable_key` must list fields of the key, and not all of them.")
    return Dataset(
        dataset_id=dataset_id,
        portal=portals[entry["portal"]],
        title=str(entry["title"]),
        publisher=str(entry["publisher"]),
        licence=str(entry["licence"]),
        where=where,
        key=tuple(key),
        fields=fields,
        volume_floor=entry["volume_floor"],
        nullable_key=frozenset(nullable),
    )


def _fields(entry: Any, fail: Callable[[str], RegistryError]) -> dict[str, tuple[str, ...]]:
    if not isinstance(entry, dict) or not entry:
        raise fail("`fields` must map field names to types.")
    fields = {}
    for name, types in entry.items():
        listed = [types] if isinstance(types, str) else types
        if not isinstance(name, str) or not isinstance(listed, list) or not listed:
            raise fail(f"field {name!r} needs a name that is text, and a type or a list of types.")
        if unknown := [kind for kind in listed if kind not in sorted(FIELD_TYPES)]:
            raise fail(f"field {name} has unknown type {unknown}; known: {sorted(FIELD_TYPES)}.")
        fields[name] = tuple(listed)
    return fields
