"""The synthetic sample: recorded portal states of invented collèges, in the real shapes.

Nobody's school is in it, and every file says so. Its use is to run, show and test the whole
pipeline without the portals, with every oddity of the real data in it, at any size.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ingestion.errors import SettingsError
from ingestion.registry import Dataset, registry
from sandbox.sample import city_portal, ministry_portal
from sandbox.sample.city import MAX_SCALE, build_city
from sandbox.sample.extractions import EXTRACTIONS, Extraction
from sandbox.sample.oddities import ODD_EXTRACTIONS, with_oddities

__all__ = ["MAX_SCALE", "write_sample"]

logger = logging.getLogger(__name__)

Record = dict[str, Any]


def write_sample(out: Path, *, scale: int = 1, seed: int = 0, oddities: bool = False) -> list[Path]:
    """Write the sample's portal states, ``<out>/<extraction>/<host>/<dataset>/…``.

    The same scale and seed give the same bytes; city 0 is the same at every scale. A dataset of the
    registry that it has no records of is left out, and listed in the log.

    Args:
        out: folder, made if need be; states of an earlier sample in it are replaced.
        scale: number of cities, each about as large as Paris, laid side by side.
        seed: another seed, other schools.
        oddities: add two later states, with what portals publish by mistake (`oddities.py`).

    Returns:
        The state folders, oldest first.

    Raises:
        SettingsError: the scale is out of range, or a state to be replaced is not synthetic.
    """
    if not 1 <= scale <= MAX_SCALE:
        raise SettingsError(f"The sample's scale is {scale}; it must be from 1 to {MAX_SCALE}.")
    extractions = EXTRACTIONS + (ODD_EXTRACTIONS if oddities else ())
    states = [out / extraction.name for extraction in extractions]
    for state in states:
        _refuse_to_replace_real_data(state)
    writers: dict[tuple[str, str], _DatasetWriter] = {}
    with ExitStack() as stack:
        for number in range(scale):
            for extraction, dataset, records in _city_records(number, seed, extractions):
                name = (extraction.name, dataset.dataset_id)
                if name not in writers:
                    writer = _DatasetWriter(out / extraction.name, dataset, extraction)
                    writers[name] = stack.enter_context(writer)
                writers[name].write(records)
            if number % 100 == 99:
                logger.info("sample: %d of %d cities written", number + 1, scale)
    if missing := sorted(registry().keys() - {dataset_id for _, dataset_id in writers}):
        logger.info("The sample has no records of %s.", ", ".join(missing))
    return states


def _city_records(
    number: int, seed: int, extractions: Sequence[Extraction]
) -> Iterator[tuple[Extraction, Dataset, list[Record]]]:
    """The city's records of each dataset of the registry that the sample knows."""
    city = build_city(number, seed)
    ministry = ministry_portal.build_ministry(city, seed)
    for extraction in extractions:
        rng = random.Random(f"records {seed} {number} {extraction.name}")  # noqa: S311
        found = {
            "etablissements-scolaires-colleges": city_portal.college_records(city, extraction, rng),
            "secteurs-scolaires-colleges": city_portal.sector_records(city, extraction),
            "arrondissements": city_portal.arrondissement_records(city),
            "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre": (
                ministry_portal.directory_records(city, ministry, extraction)
            ),
            "fr-en-indicateurs-valeur-ajoutee-colleges": (
                ministry_portal.ivac_records(ministry, extraction)
            ),
            "fr-en-ips-colleges-ap2022": ministry_portal.ips_2022_records(ministry),
            "fr-en-ips-colleges-ap2023": (
                ministry_portal.ips_2023_records(city, ministry, extraction)
            ),
            "fr-en-carte-scolaire-colleges-publics": (
                ministry_portal.street_range_records(city, extraction)
            ),
        }
        # All are generators: what the registry does not name is never made.
        for dataset_id, dataset in registry().items():
            if dataset_id in found:
                records = list(found[dataset_id])
                records = with_oddities(dataset_id, records, city, extraction)
                # The portals promise no order. Its seed names the dataset, so that another one in
                # the registry changes no byte of this one.
                random.Random(f"{dataset_id} {seed} {number} {extraction.name}").shuffle(records)  # noqa: S311
                yield extraction, dataset, records


class _DatasetWriter:
    """Appends records to ``records.jsonl``; the metadata follow, once their number is known."""

    def __init__(self, state: Path, dataset: Dataset, extraction: Extraction) -> None:
        self._folder = state / dataset.portal.host / dataset.dataset_id
        self._dataset = dataset
        self._extraction = extraction
        self._fields: list[dict[str, Any]] = []
        self._count = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> _DatasetWriter:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Without its metadata a half-written dataset is no dataset.
        (self._folder / "dataset.json").unlink(missing_ok=True)
        self._file = (self._folder / "records.jsonl").open("wb", buffering=1 << 18)
        return self

    def write(self, records: list[Record]) -> None:
        assert self._file is not None
        if not self._fields:
            self._fields = [self._field(name, value) for name, value in records[0].items()]
        encode = _reencoded if self._extraction.is_reencoded else orjson.dumps
        self._file.writelines(encode(record) + b"\n" for record in records)
        self._count += len(records)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._file is not None
        self._file.close()
        if kind is None:
            text = json.dumps(self._metadata(), ensure_ascii=False, indent=1)
            (self._folder / "dataset.json").write_text(text + "\n", encoding="utf-8")

    def _field(self, name: str, value: Any) -> dict[str, Any]:
        types = self._dataset.fields[name]
        if len(types) > 1 and not isinstance(value, str):
            types = tuple(kind for kind in types if kind in ("int", "double")) or types
        return {
            "name": name,
            "label": name,
            "type": types[0],
            "description": None,
            "annotations": {},
        }

    def _metadata(self) -> dict[str, Any]:
        processed = self._extraction.processed_at
        return {
            "synthetic": True,
            "dataset_id": self._dataset.dataset_id,
            "dataset_uid": "da_sample",
            "attachments": [],
            "has_records": True,
            "data_visible": True,
            "features": ["analyze"],
            "metas": {
                "default": {
                    "title": f"Synthetic sample - {self._dataset.title}",
                    "description": "Invented records for trials and tests. No school in it exists.",
                    "license": "None: synthetic",
                    "license_url": None,
                    "language": "fr",
                    "modified": processed,
                    "data_processed": processed,
                    "metadata_processed": processed,
                    "records_count": self._count,
                    "publisher": f"Synthetic sample (not: {self._dataset.publisher})",
                    "timezone": "Europe/Paris",
                }
            },
            "fields": self._fields,
        }


def _reencoded(record: Record) -> bytes:
    """The same record as another serialiser writes it."""
    turned = {
        name: float(value) if type(value) is int else value
        for name, value in reversed(record.items())
    }
    return json.dumps(turned).encode()


def _refuse_to_replace_real_data(state: Path) -> None:
    for path in state.glob("*/*/dataset.json"):
        try:
            is_synthetic = json.loads(path.read_bytes()).get("synthetic") is True
        except ValueError:
            is_synthetic = False
        if not is_synthetic:
            raise SettingsError(
                f"{path.parent} holds data that is not synthetic; choose another folder."
            )
