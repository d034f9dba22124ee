"""Replies of MongoDB cut into documents, against what pymongo makes of them."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from bson.errors import InvalidBSON
from hypothesis import given
from hypothesis import strategies as st
from pymongo import CursorType
from pymongo.database import Database
from pymongo.errors import OperationFailure

from ingestion.raw_replies import RawReplies, take_apart

DOCUMENTS = st.lists(
    st.dictionaries(st.text(max_size=3).filter(lambda name: "\0" not in name), st.text()),
    max_size=120,
)


def _take_apart(reply: dict[str, Any]) -> tuple[bytes, int] | None:
    return take_apart(memoryview(bson.encode(reply)))


@given(DOCUMENTS, st.sampled_from(["firstBatch", "nextBatch"]), st.integers(-(2**63), 2**63 - 1))
def test_a_reply_is_cut_where_its_documents_begin_and_end(
    documents: list[dict[str, str]], batch: str, cursor_id: int
) -> None:
    reply = {
        batch: documents, "partialResultsReturned": True, "n": 1, "of": 1.5, "at": None,
        "more": {"firstBatch": 1}, "bytes": b"\0", "id": bson.Int64(cursor_id), "ns": "a.b",
    }  # fmt: skip
    expected = b"".join(map(bson.encode, documents))
    assert _take_apart({"$t": bson.Timestamp(1, 2), "cursor": reply, "ok": 1.0}) == (
        expected, cursor_id,
    )  # fmt: skip


def test_documents_are_cut_whatever_the_length_of_their_numbers() -> None:
    documents = [{"_id": bytes(number % 7)} for number in range(12_345)]
    expected = b"".join(map(bson.encode, documents))
    reply = {"cursor": {"firstBatch": documents, "id": bson.Int64(7)}}
    assert _take_apart(reply) == (expected, 7)


@pytest.mark.parametrize("reply", [{"firstBatch": [1, 2]}, {"x": bson.Regex("a"), "n": 1}])
def test_what_is_no_reply_is_refused(reply: dict[str, Any]) -> None:
    with pytest.raises(InvalidBSON):
        _take_apart({"cursor": reply})


def test_a_reply_without_a_cursor_is_left_to_pymongo() -> None:
    assert _take_apart({"ok": 0.0, "errmsg": "no", "code": 2, "at": bson.ObjectId()}) is None


@pytest.mark.parametrize("kind", [CursorType.NON_TAILABLE, CursorType.EXHAUST])
@pytest.mark.parametrize("count", [0, 1, 7, 2345])
def test_it_yields_what_find_raw_batches_does(
    database: Database[dict[str, Any]], count: int, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = []

    def taken(reply: memoryview) -> tuple[bytes, int] | None:
        cut.append(reply)
        return take_apart(reply)

    monkeypatch.setattr("ingestion.raw_replies.take_apart", taken)
    things = database["things"]
    things.insert_many([{"_id": n, "text": "é" * (n % 50)} for n in range(-1, count)])
    found = ({"_id": {"$gte": 0}}, {"text": 1})
    options = {"batch_size": 500, "cursor_type": kind, "sort": [("_id", 1)]}
    ours = list(RawReplies(things, *found, **options))
    assert ours == list(things.find_raw_batches(*found, **options))
    assert len(bson.decode_all(b"".join(ours))) == count
    # Else it would be right, and slow.
    assert len(cut) >= max(1, count // 500)


def test_what_mongodb_refuses_is_told(database: Database[dict[str, Any]]) -> None:
    database["things"].insert_one({})
    with pytest.raises(OperationFailure, match="unknown operator"):
        list(RawReplies(database["things"], {"a": {"$nonsense": 1}}))
