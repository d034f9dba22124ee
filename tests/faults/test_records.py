"""Records that are bad, that come and go, and that are anything JSON can be, from portal to raw."""

from __future__ import annotations

import base64
import json
import math
import os
import random
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo import MongoClient

from ingestion.registry import registry
from ingestion.settings import PROJECT_DIR
from tests.faults.conftest import COLLEGES, Jobs, Store, rewritten

pytestmark = pytest.mark.timeout(600)

ONE = {"datasets": [COLLEGES]}
TABLE = registry()[COLLEGES].table
CORPORA = PROJECT_DIR.parent / "shared" / "corpora"
YEAR = "2019-2020"


def keyed(name: str, rest: bytes) -> bytes:
    return b'{"libelle": %b, "annee_scol": "2019-2020", %b}' % (json.dumps(name).encode(), rest)


_NOISE = base64.b64encode(random.Random(1).randbytes(17_000_000))
"""Compressed, still more than one document of MongoDB holds."""
STATED = {
    "too_large": [keyed("too large", b'"x": "%b"' % _NOISE)],
    "too_deep": [keyed("deep", b'"x": ' + b"[" * 300 + b"]" * 300)],
    "duplicate_name": [keyed("twice named", b'"x": 1, "x": 2')],
    "key_null": [b'{"libelle": null, "annee_scol": "2019-2020"}'],
    "invalid_json": [
        keyed("surrogate", b'"x": "\\ud800"'),
        keyed("nan", b'"x": NaN'),
        keyed("latin", b'"x": "\xe9"'),
        keyed("cut", b'"x": '),
    ],
}
"""Reason → lines that are kept out for it."""
ODD = {
    "large integer": b'"x": 18446744073709551616',
    "nul": b'"a\\u0000b": 1',
    "dollar": b'"$where": 1',
    "dotted": b'"a.b": 1',
}
"""Names of records that are stored, though not all as a document."""
TWICE = keyed("twice", b'"x": 1')
CONFLICT = [keyed("conflict", b'"x": 1'), keyed("conflict", b'"x": 2')]


def corpora() -> Iterator[bytes]:
    """Every line of every file as it is, and, under a key of its own, as a member of a record.

    None where the corpora are absent: `test_no_word_of_the_suite_is_stored` then skips.
    """
    if not CORPORA.is_dir():
        return
    for path in sorted((CORPORA / "json").glob("*.json")):
        content = path.read_bytes().strip()
        yield from content.split(b"\n")
        if b"\n" not in content:
            yield keyed(f"suite {path.stem}", b'"value": ' + content)
    for number, text in enumerate(json.loads((CORPORA / "naughty_strings.json").read_bytes())):
        value = json.dumps(text, ensure_ascii=bool(number % 2)).encode()
        yield keyed(f"naughty value {number}", b'"value": ' + value)
        yield keyed(f"naughty name {number}", value + b": 1")
        yield b'{"libelle": %b, "annee_scol": "naughty"}' % value


@pytest.fixture(scope="module")
def bad(
    jobs: Jobs,
    make_store: Callable[[], Store],
    states: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> SimpleNamespace:
    """One good state pulled, then the same with bad lines between its lines, and one line less."""
    stated = [line for lines in STATED.values() for line in lines]
    odd = [keyed(name, rest) for name, rest in ODD.items()]
    between = [*stated, *odd, TWICE, *CONFLICT, TWICE, *corpora()]
    between = [line for line in between if line and not line.isspace()]
    sent: list[bytes] = []

    def mix(lines: list[bytes]) -> list[bytes]:
        good = lines[1:]
        step = len(between) // len(good) + 1
        for place, line in enumerate(good):
            sent.extend([line, *between[place * step : (place + 1) * step]])
        return sent

    store = make_store()
    jobs.succeed(store, "extract", portal=states[0], **ONE)
    state = rewritten(states[0], tmp_path_factory.mktemp("bad") / "state", COLLEGES, mix)
    answer = jobs.run(store, "run", portal=state, **ONE)
    return SimpleNamespace(store=store, state=state, sent=sent, bad=between, answer=answer)


def quarantine(store: Store) -> list[dict[str, Any]]:
    """A document a line, with its bytes, however many documents they take."""
    with MongoClient[dict[str, Any]](store.uri) as client:
        database = client[store.database]
        documents = list(database["quarantine"].find(sort=[("part", 1)]))
    lines: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        lines.setdefault(document["_id"].rpartition("/")[0], []).append(document)
    return [
        {
            **parts[0],
            "parts": len(parts),
            "raw": zlib.decompress(b"".join(part["compressed"] for part in parts)),
        }
        for parts in lines.values()
    ]


def test_every_line_is_stored_or_quarantined_byte_for_byte(bad: SimpleNamespace) -> None:
    results = bad.answer["results"][COLLEGES]
    assert results["status"] == "finished", bad.answer["log"]
    kept_out = [document["raw"] for document in quarantine(bad.store)]
    latest = [history[-1] for history in bad.store.histories()[COLLEGES].values()]
    # The line that was left out of the state is still present: see the next test.
    stored = [payload.encode() for _, payload, _ in latest]
    assert Counter(stored) + Counter(kept_out) - Counter(bad.sent) == Counter(
        [line for line in stored if line not in set(bad.sent)]
    )
    assert not Counter(bad.sent) - Counter(stored) - Counter(kept_out), "a line is lost"
    assert len(set(stored) - set(bad.sent)) == 1
    counts = results["counts"]
    assert counts["rows_received"] == len(bad.sent)
    assert counts["rows_quarantined"] == len(kept_out)
    assert counts["rows_new"] == sum(line in set(bad.bad) for line in stored)
    assert counts["rows_unchanged"] == len(bad.sent) - counts["rows_new"] - len(kept_out)


def test_each_is_kept_out_for_its_reason(bad: SimpleNamespace) -> None:
    reasons: dict[bytes, str] = {}
    for document in quarantine(bad.store):
        reasons[document["raw"]] = document["reason"]
        assert (document["parts"] > 1) == (document["reason"] == "too_large")
    told = {reason: {reasons[line] for line in lines} for reason, lines in STATED.items()}
    assert told == {reason: {reason} for reason in STATED}
    assert [reasons[line] for line in CONFLICT] == ["duplicate_key"] * 2
    assert reasons[TWICE] == "duplicate_key", "the second copy; the first is stored"
    histories = bad.store.histories()[COLLEGES]
    assert [h[-1][1].encode() for k, h in histories.items() if '"twice"' in k] == [TWICE]
    assert not [k for k in histories if '"conflict"' in k]
    for name in ODD:
        assert [k for k in histories if f'"{name}"' in k], name


def test_no_word_of_the_suite_is_stored(bad: SimpleNamespace) -> None:
    """No parser may take what JSONTestSuite names ``n_``."""
    if not CORPORA.is_dir():
        pytest.skip("../shared/corpora is absent: its lines were not among the bad ones")
    histories = bad.store.histories()[COLLEGES]
    assert any('"suite y_' in key for key in histories)
    assert not [key for key in histories if '"suite n_' in key]


def test_a_line_without_a_name_keeps_the_missing_from_being_withdrawn(
    jobs: Jobs, cloned: Callable[[Store], Store], bad: SimpleNamespace
) -> None:
    assert bad.answer["exit"] == 1
    refused = bad.answer["results"][COLLEGES]["withdrawal_refused"]
    assert "do not say which record they are" in refused
    store = cloned(bad.store)
    answer = jobs.succeed(
        store, "extract", portal=bad.state, options={"accept_shrink": True}, **ONE
    )
    assert answer["results"][COLLEGES]["counts"]["rows_withdrawn"] == 1


def test_the_ledger_raw_and_status_count_them(bad: SimpleNamespace) -> None:
    histories = bad.store.histories()[COLLEGES]
    in_raw = {(key, sequence): payload for key, sequence, _, payload, _ in bad.store.raw()[TABLE]}
    assert sorted(map(str, in_raw.values())) == sorted(
        str(payload) for history in histories.values() for _, payload, _ in history
    )
    kept_out = len(quarantine(bad.store))
    assert bad.store.ask(
        f"select rows_quarantined from raw._source_load where dataset = '{COLLEGES}'"
        " order by run_sequence desc limit 1"
    ) == [(kept_out,)]
    environment = os.environ | {"COLLEGES_HOME": str(bad.store.home), "MONGODB_URI": bad.store.uri}
    told, shown = (
        subprocess.run(
            [sys.executable, "-m", "ingestion.cli", "status", *arguments],
            cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=True,
            timeout=60,
        ).stdout
        for arguments in (["--json"], [])
    )  # fmt: skip
    (dataset,) = (d for d in json.loads(told)["datasets"] if d["dataset"] == COLLEGES)
    assert sum(dataset["quarantined"].values()) == kept_out
    assert set(STATED) | {"duplicate_key"} <= set(dataset["quarantined"])
    assert "kept out, in all pulls: " in shown
    assert "1 too_large" in shown


# -- records that were good before ----


def name_of(line: bytes) -> str:
    """The record key of a good line."""
    record = json.loads(line)
    names = [record["libelle"], record["annee_scol"]]
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))


def with_member(line: bytes, member: bytes) -> bytes:
    return line.rstrip()[:-1] + b", " + member + b"}"


DAMAGES: dict[str, Callable[[bytes], list[bytes]]] = {
    "invalid_json": lambda line: [with_member(line, b'"x": NaN')],
    "duplicate_key": lambda line: [with_member(line, b'"x": %d' % n) for n in (1, 2)],
    "too_large": lambda line: [with_member(line, b'"x": "%b"' % (b"x" * 17_000_000))],
}
"""Reason → what a stored line becomes in the next pull."""


def spoilt(damages: Sequence[Callable[[bytes], list[bytes]]], lines: list[bytes]) -> list[bytes]:
    """The first lines damaged, one each, and the one after them left out."""
    bad = [line for damage, good in zip(damages, lines, strict=False) for line in damage(good)]
    return [*bad, *lines[len(damages) + 1 :]]


def test_a_stored_record_that_turns_bad_stays_as_it_was(
    jobs: Jobs, make_store: Callable[[], Store], states: list[Path], tmp_path: Path
) -> None:
    """Its line says which record it is, so it is not missing; one that is missing is withdrawn."""
    store = make_store()
    jobs.succeed(store, "extract", portal=states[0], **ONE)
    before = store.histories()[COLLEGES]
    good: list[bytes] = []

    def change(lines: list[bytes]) -> list[bytes]:
        good.extend(lines)
        return spoilt([*DAMAGES.values()], lines)

    state = rewritten(states[0], tmp_path / "state", COLLEGES, change)
    answer = jobs.succeed(store, "extract", portal=state, **ONE)

    assert Counter(document["reason"] for document in quarantine(store)) == Counter(
        {"invalid_json": 1, "duplicate_key": 2, "too_large": 1}
    )
    missing = name_of(good[len(DAMAGES)])
    assert answer["results"][COLLEGES]["counts"]["rows_withdrawn"] == 1
    after = store.histories()[COLLEGES]
    assert after.pop(missing) == [*before.pop(missing), (None, None, True)]
    assert after == before


def test_a_stored_record_whose_key_is_damaged_is_not_withdrawn(
    jobs: Jobs, make_store: Callable[[], Store], states: list[Path], tmp_path: Path
) -> None:
    """Lines that name no record for certain: any record that is missing may be theirs."""
    store = make_store()
    jobs.succeed(store, "extract", portal=states[0], **ONE)
    before = store.histories()

    def in_key(line: bytes) -> list[bytes]:
        return [line.replace(b'"libelle":"', b'"libelle":"\xff', 1)]

    def twice(line: bytes) -> list[bytes]:
        return [with_member(line, b'"libelle": "another"')]

    state = rewritten(
        states[0], tmp_path / "state", COLLEGES, lambda lines: spoilt([in_key, twice], lines)
    )
    answer = jobs.run(store, "extract", portal=state, **ONE)

    assert (answer["signal"], answer["exit"]) == (0, 1), answer
    told = answer["results"][COLLEGES]["withdrawal_refused"]
    assert "2 quarantined line(s) do not say which record they are" in told
    assert answer["results"][COLLEGES]["counts"].get("rows_withdrawn", 0) == 0
    reasons = {document["reason"] for document in quarantine(store)}
    assert reasons == {"invalid_json", "duplicate_name"}
    assert store.histories() == before


# -- round trip ------------------------------------------------------------------------------------

RECORDS = 300
"""Of each pull; Hypothesis draws what they are made of, and one seed that makes them."""

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
_names = _texts.filter(lambda name: name and "." not in name and not name.startswith("$"))
_numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=8,
)


class Maker:
    """Makes records of some names and values, and writes them as JSON in one of many ways."""

    def __init__(self, chance: random.Random, names: list[str], values: list[Any]) -> None:
        self._chance = chance
        self._names = names
        self._values = values

    def record(self, name: str) -> dict[str, Any]:
        fields = {self._chance.choice(self._names): self._value() for _ in range(5)}
        return {**fields, "libelle": name, "annee_scol": YEAR}

    def _value(self) -> Any:
        kind = self._chance.randrange(6)
        if kind == 0:
            return self._float()
        if kind == 1:
            return [self._value(), self._float()]
        if kind == 2:
            return {self._chance.choice(self._names): self._value()}
        return self._chance.choice(self._values)

    def _float(self) -> float:
        """Any that there is; whole, of an everyday size, at the limit of whole numbers, tiny."""
        bits = self._chance.getrandbits(64).to_bytes(8)
        (anything,) = struct.unpack("d", bits)
        sizes = (0.5, 1e3, 1e15, 2.0**63, 1e22, 5e-324)
        choices = [
            anything if math.isfinite(anything) else -0.0,
            float(self._chance.randrange(-1000, 1000)),
            self._chance.uniform(-180, 180),
            self._chance.choice(sizes) * self._chance.choice((-1, 1, 1.5)),
        ]
        return self._chance.choice(choices)

    def written(self, value: Any) -> str:
        if isinstance(value, dict):
            members = [f"{self.written(name)}:{self.written(v)}" for name, v in value.items()]
            self._chance.shuffle(members)
            return "{" + self._chance.choice((",", ", ")).join(members) + "}"
        if isinstance(value, list):
            return f"[{','.join(map(self.written, value))}]"
        if isinstance(value, float):
            return self._chance.choice((repr(value), f"{value:.16e}"))
        if type(value) is int and abs(value) < 2**53:
            return self._chance.choice((str(value), f"{value}.0"))
        return json.dumps(value, ensure_ascii=self._chance.random() < 0.5)


@dataclass(frozen=True)
class Story:
    """Three pulls, small enough to be printed where they fail."""

    seed: int
    names: list[str]
    values: list[Any]
    is_loaded: list[bool]
    """Whether the warehouse is loaded after each pull."""

    def pulls(self) -> Iterator[dict[str, bytes]]:
        """Key → line. From one pull to the next a record stays as it is, is written otherwise,
        changes, goes or comes."""
        chance = random.Random(self.seed)
        maker = Maker(chance, self.names, self.values)
        keys = [f"{chance.choice(self.names)} {number}" for number in range(2 * RECORDS)]
        records = {name: maker.record(name) for name in keys}
        before: dict[str, bytes] = {}
        for _ in self.is_loaded:
            lines = {}
            for name in chance.sample(keys, RECORDS):
                what = chance.choice(("stays", "is written otherwise", "changes"))
                if what == "changes":
                    records[name] = maker.record(name)
                is_same = what == "stays" and name in before
                lines[name] = before[name] if is_same else maker.written(records[name]).encode()
            yield lines
            before = lines


_stories = st.builds(
    Story,
    seed=st.integers(0, 2**64 - 1),
    names=st.lists(_names, min_size=10, max_size=20, unique=True),
    values=st.lists(_values, min_size=20, max_size=40),
    is_loaded=st.lists(st.booleans(), min_size=3, max_size=3),
)


def canonical(line: bytes) -> bytes:
    """By the words of docs/architecture.md, and by other means than the program's."""

    def whole(text: str) -> float | int:
        number = float(text)
        return int(number) if number.is_integer() else number

    record = json.loads(line, parse_float=whole)
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@given(story=_stories)
@hypothesis_settings(
    max_examples=3,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate],  # shrinking would run the pipeline a few hundred times
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_comes_out_is_what_came_in(
    jobs: Jobs,
    make_store: Callable[[], Store],
    states: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
    story: Story,
) -> None:
    """Records appear, change, go and come back; the model is a dict, the rest is the pipeline."""
    store = make_store()
    work = tmp_path_factory.mktemp("story")
    expected: dict[str, list[bytes | None]] = {}
    for number, lines in enumerate(story.pulls()):
        state = tell(states[0], work / str(number), list(lines.values()))
        options = {"accept_shrink": True, "force": True}
        jobs.succeed(store, "extract", portal=state, options=options, **ONE)
        if story.is_loaded[number]:
            jobs.succeed(store, "load", **ONE)
        follow(expected, lines)
    jobs.succeed(store, "load", **ONE)
    check(store, expected)
    store.drop()


def tell(like: Path, out: Path, lines: list[bytes]) -> Path:
    (metadata,) = like.glob(f"*/{COLLEGES}/dataset.json")
    folder = out / metadata.relative_to(like).parent
    folder.mkdir(parents=True)
    document = json.loads(metadata.read_bytes())
    document["metas"]["default"]["records_count"] = len(lines)
    (folder / "dataset.json").write_text(json.dumps(document))
    (folder / "records.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return out


def follow(expected: dict[str, list[bytes | None]], lines: dict[str, bytes]) -> None:
    """What a pull adds to the histories: a line where its value changed, None where it is gone."""
    for name, line in lines.items():
        history = expected.setdefault(name, [])
        last = history[-1] if history else None
        if last is None or canonical(last) != canonical(line):
            history.append(line)
    for name, history in expected.items():
        if name not in lines and history[-1] is not None:
            history.append(None)


def check(store: Store, expected: dict[str, list[bytes | None]]) -> None:
    """MongoDB and raw hold these histories: payloads byte for byte, keys, hashes, tombstones."""
    versions = {
        json.dumps([name, YEAR], separators=(",", ":"), ensure_ascii=False): [
            (sha256(canonical(line)).hexdigest(), line.decode(), False)
            if line is not None
            else (None, None, True)
            for line in history
        ]
        for name, history in expected.items()
    }
    assert store.histories()[COLLEGES] == versions
    in_raw: dict[str, list[tuple[Any, ...]]] = {}
    for key, _, *version in sorted(store.raw()[TABLE], key=lambda row: row[1]):
        in_raw.setdefault(key, []).append(tuple(version))
    assert in_raw == versions
