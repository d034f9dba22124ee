"""The dataset registry, `datasets.yml`: what is read, from where, and what it must look like."""

from __future__ import annotations

import json
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ingestion.errors import SettingsError

REGISTRY_FILE = Path(__file__).with_name("datasets.yml")

FieldType = Literal[
    "text", "int", "double", "boolean", "date", "datetime",
    "geo_point_2d", "geo_shape", "file", "json_blob",
]  # fmt: skip
"""The values of `fields[].type` in the Explore API v2.1."""

Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
Types = Annotated[
    tuple[FieldType, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
]
_PLAIN_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Portal(BaseModel):
    """One Explore API v2.1 portal."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # Prefix of its raw tables and of the variable of its API key, e.g. `opendata_paris`.
    name: Annotated[str, Field(pattern=r"^[a-z](_?[a-z0-9])*$")]
    base_url: Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(:\d+)?$")]

    @property
    def host(self) -> str:
        return self.base_url.split("://", 1)[1]

    @property
    def key_variable(self) -> str:
        """The environment variable that holds its API key."""
        return f"{self.name.upper()}_API_KEY"


class Dataset(BaseModel):
    """One entry of `datasets`. To change a value in a test: `dataset.model_copy(update={...})`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    dataset_id: Annotated[str, Field(alias="id", pattern=r"^[\w@.-]*[A-Za-z0-9][\w@.-]*$")]
    portal: Portal
    title: Text
    publisher: Text
    licence: Text
    where: Text | None = None  # ODSQL filter sent with every request
    key: Annotated[tuple[str, ...], Field(min_length=1)]  # identify a record together, in order
    nullable_key: frozenset[str] = frozenset()  # of them, those that may be missing, null or blank
    fields: Annotated[dict[str, Types], Field(min_length=1)]  # expected name → its API types
    volume_floor: Annotated[int, Field(ge=0, strict=True)]  # below it a pull withdraws nothing

    @model_validator(mode="after")
    def _key_is_among_fields(self) -> Dataset:
        if len(set(self.key)) < len(self.key) or not set(self.key) <= set(self.fields):
            raise ValueError("`key` must list fields named under `fields`, each once")
        if not self.nullable_key < set(self.key):
            raise ValueError("`nullable_key` must list some of the fields of `key`, not all")
        return self

    @property
    def table(self) -> str:
        """Name of its raw table and MongoDB collection: `<portal>__<dataset>`.

        dlt rewrites names that begin with a digit, end with `_` or hold `__`, and SQL folds case.
        An id of lower-case words joined by single hyphens only swaps `-` for `_`; any other id gets
        a short hash behind it, so that no two ids share a table and no tool renames one.
        """
        if _PLAIN_ID.fullmatch(self.dataset_id):
            name = self.dataset_id.replace("-", "_")
        else:
            words = "_".join(re.findall("[a-z0-9]+", self.dataset_id.lower()))
            name = f"d_{words}_{sha256(self.dataset_id.encode()).hexdigest()[:8]}"
        return f"{self.portal.name}__{name}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides the content of a pull: id, portal, filter and key."""
        decides = [self.dataset_id, self.portal.base_url, self.where, list(self.key)]
        return sha256(json.dumps(decides).encode()).hexdigest()


def load_registry(path: Path = REGISTRY_FILE) -> dict[str, Dataset]:
    """Dataset id → dataset, in the file's order; a SettingsError names an entry that is wrong."""
    entry = "the file"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        portals: dict[str, Portal] = {}
        found: dict[str, Dataset] = {}
        for entry, values in document["portals"].items():
            portals[entry] = Portal.model_validate({"name": entry, **values})
        for values in document["datasets"]:
            entry = values.get("id", "without an id")
            portal = portals.get(values.get("portal"))
            dataset = Dataset.model_validate({**values, "portal": portal})
            if dataset.dataset_id in found or dataset.table in {d.table for d in found.values()}:
                raise ValueError("it is listed twice, or would share a table")  # noqa: TRY301
            found[dataset.dataset_id] = dataset
        if not found:
            raise ValueError("it lists no dataset")  # noqa: TRY301
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'the entry'}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        )
        raise SettingsError(f"{path.name}, {entry}: {'; '.join(problems)}.") from error
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(
            f"{path} cannot be read as a registry, a mapping `portals` and a list `datasets` of "
            f"mappings; at {entry}: {error}"
        ) from error
    return found


@cache
def registry() -> dict[str, Dataset]:
    """The project's registry, read once."""
    return load_registry()


def portals() -> dict[str, Portal]:
    """Portal name → portal, of the project's registry, those with a dataset."""
    return {dataset.portal.name: dataset.portal for dataset in registry().values()}
