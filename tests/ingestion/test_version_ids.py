"""Keys and ids of versions, a column at a time, against the same in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

from hypothesis import given
from hypothesis import strategies as st

from ingestion.version_ids import CurrentVersions, KeyDigests, digest, halves, version_id

# -- the keys of a pull ----------------------------------------------------------------------------


def keys_of(numbers: Iterable[int]) -> bytes:
    return b"".join(digest(str(number)) for number in numbers)


NUMBERS = st.lists(st.integers(0, 400), max_size=300)


@given(NUMBERS, NUMBERS, st.integers(1, 50))
def test_key_digests_are_a_multiset(added: list[int], asked: list[int], batch: int) -> None:
    keys = KeyDigests()
    for start in range(0, len(added), batch):
        keys.add([str(number) for number in added[start : start + batch]])
        keys.duplicates()  # sorting in between loses nothing
    assert len(keys) == len(added)
    repeated = [n for n, times in Counter(added).items() if times > 1]
    assert keys.duplicates() == {digest(str(number)) for number in repeated}
    lacks = keys.lacks(halves(keys_of(asked)))
    assert lacks.tolist() == [number not in set(added) for number in asked]


def current_versions(ids: Iterable[bytes], finished: Set[int]) -> CurrentVersions:
    """Of versions with these ids, as MongoDB sends them, in two replies."""
    ordered = sorted(ids)
    return CurrentVersions([b"".join(ordered[:50]), b"".join(ordered[50:])], finished)


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 40), st.integers(0, 2)), max_size=200),
    st.sets(st.integers(1, 9)),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 2)), max_size=100),
)
def test_current_versions_are_the_last_of_finished_runs(
    stored: list[tuple[int, int, int]], finished: set[int], page: list[tuple[int, int]]
) -> None:
    """Against the same in plain Python: (run, key, content), where content 0 is a tombstone."""
    stored = list({(run, key): (run, key, content) for run, key, content in stored}.values())
    hashes = [bytes(16), b"\x01" + bytes(15), bytes(14) + b"\x02\x00"]
    ids = [
        version_id(run, digest(str(key)), hashes[content], place)
        for place, (run, key, content) in enumerate(stored)
    ]
    current = current_versions(ids, finished)

    truth = {key: content for run, key, content in sorted(stored) if run in finished}
    expected = []
    for key, content in page:
        if key not in truth:
            expected.append(CurrentVersions.NEW)
        elif truth[key] == 0:
            expected.append(CurrentVersions.RESTORED)
        else:
            is_same = truth[key] == content
            expected.append(CurrentVersions.UNCHANGED if is_same else CurrentVersions.CHANGED)
    keys = halves(keys_of(key for key, _ in page))
    found = current.compare(keys, halves(b"".join(hashes[c] for _, c in page)))
    assert found.tolist() == expected
    assert current.holds(keys).tolist() == [bool(truth.get(key)) for key, _ in page]
    assert current.present == sum(map(bool, truth.values()))
    assert current.counts == Counter(run for run, _, _ in stored)

    seen = KeyDigests()
    seen.add([str(key) for key, _ in page])
    gone = [key for key in truth.keys() - dict(page).keys() if truth[key]]
    missing = current.missing(seen)
    assert sorted(i[12:28] for i in missing) == sorted(digest(str(key)) for key in gone)
    assert set(missing) <= set(ids)


def test_digests_that_agree_in_their_first_half_are_told_apart() -> None:
    parts = [bytes([n]) * 8 for n in range(1, 5)]
    kept = [first + second for first in parts[::2] for second in parts[:3]]
    hashes = [bytes([n]) * 16 for n in range(1, len(kept) + 1)]
    # In any order, and each twice: the later run's is current.
    ids = [
        version_id(run, key, hashes[place] if run == 2 else b"\xff" * 16, 9 - place)
        for run in (1, 2)
        for place, key in enumerate(kept)
    ]
    current = current_versions(ids, {1, 2})

    def compare(keys: list[bytes], contents: list[bytes]) -> list[int]:
        found = halves(b"".join(keys)), halves(b"".join(contents))
        return current.compare(*found).tolist()

    assert compare(kept, hashes) == [CurrentVersions.UNCHANGED] * len(kept)
    assert compare(kept[::-1], hashes) == [CurrentVersions.CHANGED] * len(kept)
    others = [first + parts[3] for first in parts]
    assert compare(others, hashes[:4]) == [CurrentVersions.NEW] * 4
    keys = KeyDigests()
    keys.add_digests(b"".join([*kept, *kept[:2], *others]))
    assert keys.duplicates() == set(kept[:2])
    assert not keys.lacks(halves(b"".join([*others, *kept]))).any()


def test_digests_that_end_in_zero_bytes_stay_whole() -> None:
    numbers = [n for n in range(2_000) if digest(str(n)).endswith(b"\0")]
    assert numbers
    keys = KeyDigests()
    keys.add([str(n) for n in numbers] * 2)
    assert keys.duplicates() == {digest(str(n)) for n in numbers}
    ids = [version_id(1, digest(str(n)), b"\x01" + bytes(15)) for n in numbers]
    assert sorted(current_versions(ids, {1}).missing(KeyDigests())) == sorted(ids)
