"""Ids of versions: what a load compares by, a million at a time.

A version's ``_id`` says which record it is of, which run wrote it and what it holds, so that a load
need not read a document to know what is new. Keys are handled as numbers, column by column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 16


# -- keys ------------------------------------------------------------------------------------------


def digest(record_key: str) -> bytes:
    """The 16 bytes that stand for a record key where a million are held in memory.

    Two keys with one digest are taken for the same; with 10⁹ keys that has odds of 10⁻²¹.
    """
    return hashlib.blake2b(record_key.encode(), digest_size=DIGEST_BYTES).digest()


Halves = NDArray[np.uint64]
"""Digests as pairs of whole numbers, in an array of shape (n, 2): in the order of their bytes.
Numbers are sorted and found many times as fast as texts of bytes."""


def halves(digests: bytes | bytearray) -> Halves:
    """Digests of 16 bytes, one after the other, as numbers."""
    return np.frombuffer(digests, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def first_halves(content_hashes: bytes) -> Halves:
    """The first halves of hashes of 32 bytes, one after the other."""
    return np.ascontiguousarray(halves(content_hashes)[::2])


def _order(keys: Halves) -> NDArray[np.intp]:
    """What sorts keys, equal ones in any order."""
    order = np.argsort(keys[:, 0])
    heads, tails = np.take(keys, order, axis=0).T
    # Equal first halves with unequal second ones: with honest keys, hardly ever.
    if np.any((heads[1:] == heads[:-1]) & (tails[1:] != tails[:-1])):
        return np.lexsort((keys[:, 1], keys[:, 0]))
    return order


def _unequal(some: Halves, others: Halves) -> NDArray[np.bool_]:
    unequal: NDArray[np.bool_] = (some[:, 0] != others[:, 0]) | (some[:, 1] != others[:, 1])
    return unequal


class _Sorted:
    """Keys in order, to be found."""

    def __init__(self, keys: Halves) -> None:
        self._keys = keys
        # Apart and in one piece, for that is what is searched.
        self._heads = np.ascontiguousarray(keys[:, 0])

    def find(self, wanted: Halves) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where each of the wanted keys is, and whether it is there at all."""
        if not len(self._keys):
            return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=bool)
        last = len(self._keys) - 1
        heads = np.ascontiguousarray(wanted[:, 0])
        # In order they are found in half the time.
        order = np.argsort(heads)
        places = np.empty(len(wanted), dtype=np.intp)
        places[order] = np.minimum(np.searchsorted(self._heads, np.take(heads, order)), last)
        # More than one key may begin with the same half.
        while True:
            is_other = _unequal(np.take(self._keys, places, axis=0), wanted)
            goes_on = is_other & (places < last)
            goes_on[goes_on] = self._heads[places[goes_on] + 1] == heads[goes_on]
            if not goes_on.any():
                return places, ~is_other
            places[goes_on] += 1


class KeyDigests:
    """The keys of one pull, as a multiset of 16-byte digests: 16 bytes of memory a key."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ordered: Halves | None = None

    def __len__(self) -> int:
        return len(self._bytes) // DIGEST_BYTES

    def add(self, record_keys: Iterable[str]) -> None:
        """Add a batch of record keys, repeated ones as often as they come."""
        self.add_digests(b"".join(map(digest, record_keys)))

    def add_digests(self, digests: bytes) -> None:
        """Add a batch of keys by their digests, one after the other."""
        self._bytes += digests
        self._ordered = None

    def duplicates(self) -> set[bytes]:
        """The digests of the keys added more than once."""
        keys = self._in_order()
        repeated = keys[1:][~_unequal(keys[1:], keys[:-1])]
        return {key.tobytes() for key in repeated.astype(">u8")}

    def lacks(self, keys: Halves) -> NDArray[np.bool_]:
        """Which keys were never added."""
        return ~_Sorted(self._in_order()).find(keys)[1]

    def _in_order(self) -> Halves:
        if self._ordered is None:
            keys = halves(self._bytes)
            self._ordered = np.take(keys, _order(keys), axis=0)
        return self._ordered


# -- the versions there are ------------------------------------------------------------------------

# ``_id`` of a version: run, place among the versions of its load, key, content. That is all a load
# must know of what is stored, so it reads one index. The place makes each load's ids rise, so that
# they fill that index from left to right, which takes a third of the time that any order takes. Of
# the content hash 16 bytes are kept; a tombstone has zeros there.
ID = np.dtype([("run", ">u8"), ("place", ">u4"), ("key", ">u8", 2), ("content", ">u8", 2)])
NO_HASH = bytes(16)
ID_LAYOUT = 3
"""Of `ID`, noted in the store: 1 had run and key, 2 run, key and content."""


def version_id(
    run_sequence: int, key: bytes = bytes(DIGEST_BYTES), content: bytes = NO_HASH, place: int = 0
) -> bytes:
    """``_id`` of a version; of a run alone, the bound below all its versions."""
    return run_sequence.to_bytes(8, "big") + place.to_bytes(4, "big") + key + content


def version_ids(run_sequence: int, place: int, keys: Halves, contents: Halves) -> list[bytes]:
    """``_id`` of versions that follow each other from a place on."""
    ids = np.empty(len(keys), dtype=ID)
    ids["run"], ids["key"], ids["content"] = run_sequence, keys, contents
    ids["place"] = np.arange(place, place + len(keys))
    return _split(ids)


def _split(ids: NDArray[np.void]) -> list[bytes]:
    text = ids.tobytes()
    return [text[start : start + ID.itemsize] for start in range(0, len(text), ID.itemsize)]


class CurrentVersions:
    """The current version of every record of a dataset: 85 bytes each.

    Two content hashes that agree in their first 16 bytes are taken for the same.
    """

    NEW, CHANGED, UNCHANGED, RESTORED = range(4)
    """What a record may be, in the order of `PageCounts`."""

    counts: dict[int, int]
    """How many versions there are of each run, those of unfinished loads too."""

    def __init__(self, replies: Iterable[bytes], finished: Set[int]) -> None:
        """Read from replies of version ids, ascending; only versions of finished runs count."""
        buffer = bytearray()
        for reply in replies:
            buffer += reply
        ids = np.frombuffer(buffer, dtype=ID)
        runs, rows = np.unique(ids["run"].astype(np.uint64), return_counts=True)
        self.counts = dict(zip(runs.tolist(), rows.tolist(), strict=True))
        if not self.counts.keys() <= finished:
            ids = ids[np.isin(ids["run"], np.array([*finished], dtype=np.uint64))]
        keys = ids["key"].astype(np.uint64)
        order = _order(keys)
        keys = np.take(keys, order, axis=0)
        is_first = np.ones(len(keys), dtype=bool)
        is_first[1:] = _unequal(keys[1:], keys[:-1])
        starts = np.flatnonzero(is_first)
        # The ids come in the order of runs: of a key, the last of them is current.
        current = np.maximum.reduceat(order, starts) if len(order) else order
        self._ids = np.take(ids, current)
        self._keys: Halves = np.take(keys, starts, axis=0)
        self._contents: Halves = self._ids["content"].astype(np.uint64)
        self._sorted = _Sorted(self._keys)
        self._is_present = _unequal(self._contents, np.zeros((1, 2), dtype=np.uint64))

    @property
    def present(self) -> int:
        """Records whose current version is no tombstone."""
        return int(np.count_nonzero(self._is_present))

    def compare(self, keys: Halves, contents: Halves) -> NDArray[np.int_]:
        """What each record of a page is: ``NEW``, ``CHANGED``, ``UNCHANGED`` or ``RESTORED``.

        Args:
            keys: the digests of the records' keys.
            contents: the first 16 bytes of their content hashes.
        """
        places, is_known = self._sorted.find(keys)
        if not len(self._ids):
            return np.full(len(keys), self.NEW)
        is_other = _unequal(np.take(self._contents, places, axis=0), contents)
        kinds = np.where(is_other, self.CHANGED, self.UNCHANGED)
        kinds[~np.take(self._is_present, places)] = self.RESTORED
        kinds[~is_known] = self.NEW
        return kinds

    def holds(self, keys: Halves) -> NDArray[np.bool_]:
        """Which keys are those of present records."""
        places, is_known = self._sorted.find(keys)
        is_known[is_known] = self._is_present[places[is_known]]
        return is_known

    def missing(self, seen: KeyDigests) -> list[bytes]:
        """The ids of the present records' current versions whose keys were not seen."""
        return _split(self._ids[self._is_present & seen.lacks(self._keys)])
