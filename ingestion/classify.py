"""What a pull changes: the records that came, beside the records that are held. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

NEW, CHANGED, UNCHANGED, RESTORED, COPY, CONFLICT = range(6)
"""What a record of a pull may be. A copy repeats a record of the same pull; records in conflict
have one key and different contents, and none of them can be believed."""


def current(versions: pa.Table, counted: list[int]) -> pa.Table:
    """The latest version of each record.

    Args:
        versions: `record_key`, `run_sequence` and more; sorted by key, then by run, latest first.
        counted: the runs whose versions count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    versions = versions.filter(
        pc.is_in(versions["run_sequence"], value_set=pa.array(counted, pa.int64()))
    ).combine_chunks()
    if versions.num_rows < 2:
        return versions
    keys = versions["record_key"].combine_chunks()
    is_first = pc.not_equal(keys.slice(1), keys.slice(0, len(keys) - 1))
    return versions.filter(pa.chunked_array([pa.array([True]), is_first]))


def present(latest: pa.Table) -> pa.Table:
    """Of the latest versions, those that are no tombstone."""
    return latest.filter(latest["content_hash"].is_valid())


def classify(held: pa.Table, pulled: pa.Table) -> tuple[Any, list[str]]:
    """Say what each record of a pull is, and which records are missing from it.

    Args:
        held: the latest version of each record, `record_key` and `content_hash`; the hash is null
            in a tombstone.
        pulled: `record_key` and `content_hash` of a whole pull, in the order they came.

    Returns:
        One of the constants above for each record of the pull, as a NumPy array; and the keys of
        the records that are held as present and did not come.
    """
    import numpy as np
    import pyarrow.compute as pc

    keys, contents = pulled["record_key"], pulled["content_hash"]
    places = pc.index_in(keys, value_set=held["record_key"])
    before = held["content_hash"].take(places)
    kinds = np.full(len(keys), NEW, dtype=np.int8)
    is_known = places.is_valid().to_numpy()
    kinds[is_known] = CHANGED
    kinds[is_known & before.is_null().to_numpy()] = RESTORED
    kinds[pc.fill_null(pc.equal(before, contents), False).to_numpy()] = UNCHANGED
    if pc.count_distinct(keys).as_py() < len(keys):
        _mark_repeated(kinds, keys, contents)
    known = present(held)["record_key"]
    missing = known.filter(pc.invert(pc.is_in(known, value_set=keys)))
    return kinds, missing.to_pylist()


def _mark_repeated(kinds: Any, keys: Any, contents: Any) -> None:
    import numpy as np
    import pyarrow.compute as pc

    first = pc.index_in(keys, value_set=keys).to_numpy()
    kinds[first != np.arange(len(keys))] = COPY
    differs = pc.not_equal(contents, contents.take(first)).to_numpy()
    kinds[np.isin(first, first[differs])] = CONFLICT
