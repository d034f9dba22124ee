"""What an error of MongoDB is said to mean, and what it must not show."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from ingestion.errors import StoreError
from ingestion.mongodb import connect, mongodb_errors
from ingestion.settings import Settings


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationFailure("Authentication failed.", 18), r"refused the user.*authSource=admin"),
        (OperationFailure("not authorized on paris", 13), "must name one.*readWrite"),
        (OperationFailure("No space left on device", 14031), "disk is full"),
    ],
)
def test_the_right_thing_is_blamed(error: PyMongoError, said: str) -> None:
    with pytest.raises(StoreError, match=said), mongodb_errors("try"):
        raise error


def test_a_cluster_that_dns_does_not_know() -> None:
    """Nothing is wrong with the string then."""
    uri = "mongodb+srv://loader:s3cret@cluster0.abcde.invalid/paris"
    ours = Settings.from_environment({"MONGODB_URI": uri})
    with pytest.raises(StoreError) as error, connect(ours):
        pass
    told = str(error.value)
    assert "DNS has no entry for the host of MONGODB_URI" in told
    assert "cluster0.abcde.invalid" in told
    assert "percent-encoded" not in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    "uri", ["mongodb://u:s3/cret@host", "mongodb://u:s3cret@host:port", "postgres://u:s3cret@host"]
)
def test_a_string_that_is_no_address(uri: str) -> None:
    ours = Settings.from_environment({"MONGODB_URI": uri})
    with pytest.raises(StoreError, match="percent-encoded") as error, connect(ours):
        pass
    assert "s3" not in str(error.value)
