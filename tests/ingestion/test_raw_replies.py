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


@given(DOCUMENTS, st.sampled_from(["firstBatch", "nextBatch"]), st.integers(-(2**63), 2**63 - 1))
def test_a_reply_is_cut_where_its_documents_begin_and_end(
    documents: list[dict[str, str]], batch: str, cursor_id: int
) -> None:
    reply = {
        batch: documents, "partialResultsReturned": True, "n": 1, "of": 1.5, "at": None,
        "more": {"firstBatch": 1}, "id": bson.Int64(cursor_id), "ns": "a.b",
    }  # fmt: skip
    expected = b"".join(map(bson.encode, documents))
    assert take_apart(bson.encode(reply)) == (expected, cursor_id)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 99, 100, 101, 1_234, 12_345])
@pytest.mark.parametrize("odd", [None, 0, 5, -1])
def test_documents_of_one_size_are_cut_at_once(count: int, odd: int | None) -> None:
    """And one that is larger, wherever it stands, is no reason to cut wrongly."""
    documents = [{"_id": number.to_bytes(44, "big")} for number in range(count)]
    if odd is not None:
        documents[odd % count] = {"_id": bytes(45)}
    expected = b"".join(map(bson.encode, documents))
    assert take_apart(bson.encode({"firstBatch": documents, "id": bson.Int64(7)})) == (expected, 7)


@pytest.mark.parametrize("reply", [{"firstBatch": [1, 2]}, {"x": b"", "firstBatch": []}])
def test_what_is_no_reply_is_refused(reply: dict[str, Any]) -> None:
    with pytest.raises(InvalidBSON):
        take_apart(bson.encode(reply))


@pytest.mark.parametrize("kind", [CursorType.NON_TAILABLE, CursorType.EXHAUST])
@pytest.mark.parametrize("count", [0, 1, 7, 2345])
def test_it_yields_what_find_raw_batches_does(
    database: Database[dict[str, Any]], count: int, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = []

    def taken(reply: bytes) -> tuple[bytes, int]:
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
    # Under a pymongo that hands replies over otherwise it would be right, and slow.
    assert len(cut) >= max(1, count // 500)


def test_what_mongodb_refuses_is_told(database: Database[dict[str, Any]]) -> None:
    database["things"].insert_one({})
    with pytest.raises(OperationFailure, match="unknown operator"):
        list(RawReplies(database["things"], {"a": {"$nonsense": 1}}))
