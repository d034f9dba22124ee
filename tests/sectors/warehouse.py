"""Raw tables as a load leaves them, straight from recorded portal states: no MongoDB, no portal.

The models of sectors are tested on whole recorded states; bringing those in is tested elsewhere,
and takes longer than the models do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingestion.registry import registry

Record = dict[str, Any]

# What the registry's filters keep.
_FILTERS: dict[str, Callable[[Record], bool]] = {
    "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre": lambda record: (
        record["code_departement"] == "075" and int(record["nature_uai"]) in (340, 350, 352)
    ),
    "fr-en-indicateurs-valeur-ajoutee-colleges": lambda record: record["departement"] == "PARIS",
    "fr-en-ips-colleges-ap2022": lambda record: record["code_du_departement"].lstrip("0") == "75",
}


def load(database: Path, states: Sequence[Path]) -> None:
    """Write the raw tables of `states`, one run each in the order given, into a new DuckDB file.

    A record that a later state of the same dataset lacks gets a tombstone; one that it repeats
    unchanged gets no version.
    """
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema raw")
        for dataset_id in registry():
            rows = list(_versions(dataset_id, states))
            if rows:
                versions = pa.Table.from_pylist(rows)  # noqa: F841 - DuckDB finds it by its name
                connection.execute(
                    f"create table raw.{registry()[dataset_id].table} as"
                    " select record_key, run_sequence, run_id, content_hash,"
                    " cast(payload as json) as payload, is_withdrawn,"
                    " cast(extracted_at as timestamp) as extracted_at from versions"
                )


def _versions(dataset_id: str, states: Sequence[Path]) -> Iterator[Record]:
    dataset = registry()[dataset_id]
    keep = _FILTERS.get(dataset_id, lambda _: True)
    held: dict[str, str | None] = {}
    for run_sequence, state in enumerate(states, 1):
        folder = state / dataset.portal.host / dataset_id
        if not folder.is_dir():
            continue
        run = {
            "run_sequence": run_sequence,
            "run_id": f"run-{run_sequence}",
            "extracted_at": f"{state.name}-16 04:00:00",
        }
        present = set()
        with (folder / "records.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if not keep(record):
                    continue
                key = json.dumps(
                    [_whole(record.get(part)) for part in dataset.key], ensure_ascii=False
                )
                digest = sha256(line.encode()).hexdigest()
                present.add(key)
                if held.get(key) != digest:
                    held[key] = digest
                    yield {
                        "record_key": key,
                        "content_hash": digest,
                        "payload": line,
                        "is_withdrawn": False,
                        **run,
                    }
        for key in [key for key, digest in held.items() if digest and key not in present]:
            held[key] = None
            yield {
                "record_key": key,
                "content_hash": None,
                "payload": None,
                "is_withdrawn": True,
                **run,
            }


def _whole(value: Any) -> Any:
    """7.0 as 7: a key does not depend on how a number is written."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
