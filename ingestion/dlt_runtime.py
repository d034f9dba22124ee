"""dlt with nothing left to chance: no telemetry, no settings from elsewhere, no resumed package.

dlt keeps packages that were not loaded and resumes them at the next run. Under ``kill -9`` that is
what doubles rows, so each pipeline here starts from an empty working directory: what was committed
is read from MongoDB and from the warehouse, never from dlt's local state.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dlt

_CONFIGURATION = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
    # A failed job fails the load at once: this project retries whole steps, never single jobs.
    "LOAD__RAISE_ON_FAILED_JOBS": "true",
    "LOAD__RAISE_ON_MAX_RETRIES": "1",
    # One file a pull: a record that came twice is looked for in that file.
    "DATA_WRITER__FILE_MAX_ITEMS": str(10**12),
    "DATA_WRITER__FILE_MAX_BYTES": str(10**15),
}


def fresh_pipeline(name: str, destination: Any, dataset_name: str, work_dir: Path) -> dlt.Pipeline:
    """A dlt pipeline without a past.

    Args:
        name: the pipeline's name, also the folder below ``work_dir``.
        destination: a dlt destination.
        dataset_name: the destination's schema.
        work_dir: dlt's working files; ``work_dir/name`` is emptied first.
    """
    os.environ.update(_CONFIGURATION)
    # dlt looks for .dlt/ in the working directory and the home directory: neither is ours.
    os.environ["DLT_PROJECT_DIR"] = os.environ["DLT_DATA_DIR"] = str(work_dir)
    shutil.rmtree(work_dir / name, ignore_errors=True)
    work_dir.mkdir(parents=True, exist_ok=True)

    import dlt

    pipeline: dlt.Pipeline = dlt.pipeline(
        pipeline_name=name,
        pipelines_dir=str(work_dir),
        destination=destination,
        dataset_name=dataset_name,
    )
    return pipeline
