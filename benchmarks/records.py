"""Records in the shape of the synthetic sample, any number of them, as a recorded portal state."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import orjson

from ingestion.registry import Dataset, registry
from sandbox.sample import write_sample

# Of the sample's datasets the one with most records, which are of its average size (700 bytes).
# Without the registry's filter: how fast the replay portal filters is not what is measured.
DATASET: Dataset = registry()["fr-en-indicateurs-valeur-ajoutee-colleges"].model_copy(
    update={"where": None}
)
LINES_AT_ONCE = 10_000


def write_state(out: Path, records: int, *, changed_one_in: int = 0) -> Path:
    """Write a recorded portal state of ``DATASET`` alone.

    Args:
        out: the state's folder.
        records: how many. The sample's are repeated, each time under other keys.
        changed_one_in: change a value in every so manieth record; 0: in none.
    """
    states = write_sample(out.with_name(f"{out.name}-sample"))
    (source,) = states[-1].glob(f"*/{DATASET.dataset_id}")
    target = out / source.parent.name / source.name
    target.mkdir(parents=True)
    templates = [orjson.loads(line) for line in (source / "records.jsonl").open("rb")]
    with (target / "records.jsonl").open("wb") as file:
        for start in range(0, records, LINES_AT_ONCE):
            numbers = range(start, min(start + LINES_AT_ONCE, records))
            file.write(b"".join(_line(templates, number, changed_one_in) for number in numbers))
    metadata = orjson.loads((source / "dataset.json").read_bytes())
    metadata["metas"]["default"]["records_count"] = records
    if changed_one_in:
        processed = metadata["metas"]["default"]["data_processed"]
        metadata["metas"]["default"]["data_processed"] = processed.replace("20", "21", 1)
    (target / "dataset.json").write_text(json.dumps(metadata), encoding="utf-8")
    shutil.rmtree(states[0].parent)
    return out


def _line(templates: list[dict[str, object]], number: int, changed_one_in: int) -> bytes:
    copy, place = divmod(number, len(templates))
    record = templates[place]
    record = record | {"uai": f"{record['uai']}-{copy}"}
    if changed_one_in and number % changed_one_in == 0:
        record["nb_candidats_g"] = -number
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
