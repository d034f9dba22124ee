"""Hop 2 against a real mongod and a real DuckDB file."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

import ingestion.load
from ingestion.canonical import content_hash, record_key
from ingestion.document_store import DocumentStore, Load, Page, Run
from ingestion.errors import (
    LockedError,
    ReconciliationError,
    SettingsError,
    StoreError,
    WarehouseError,
)
from ingestion.load import LoadReport, load_warehouse, reconcile
from ingestion.raw_files import LEDGER_COLUMNS, RawFiles
from ingestion.registry import Dataset, registry
from ingestion.replay import replay
from ingestion.restore import restore_if_lost
from ingestion.settings import Settings
from ingestion.version_ids import KeyDigests
from ingestion.warehouse import open_warehouse

COLLEGES = registry()["etablissements-scolaires-colleges"]
ARRONDISSEMENTS = registry()["arrondissements"]
BOTH = [COLLEGES, ARRONDISSEMENTS]
EXTRACTED_AT = datetime(2026, 3, 1, 23, 30, 15, 123000, tzinfo=UTC)

Record = dict[str, Any]


@pytest.fixture
def store(database: Any) -> Iterator[DocumentStore]:
    store = DocumentStore(database)
    store.prepare(registry().values())
    with store.lock("test"):
        yield store


def college(name: str, **fields: Any) -> Record:
    return {"libelle": name, "annee_scol": "2019-2020", **fields}


def arrondissement(number: int) -> Record:
    return {"c_ar": number, "l_ar": f"{number}ème Ardt"}


def begin(store: DocumentStore) -> Run:
    return store.begin_run(code_version="test")


def write(
    store: DocumentStore, run: Run, dataset: Dataset, records: list[Record | bytes]
) -> tuple[Load, dict[str, int]]:
    """Write one pull without committing it."""
    load = store.begin_load(run, dataset, extracted_at=EXTRACTED_AT)
    page = []
    for record in records:
        raw = record if isinstance(record, bytes) else orjson.dumps(record)
        parsed = orjson.loads(raw)
        page.append((record_key(parsed, dataset.key), content_hash(parsed), raw))
    counts = store.write_page(load, Page.of(page)).as_ledger()
    seen = KeyDigests()
    seen.add([key for key, _, _ in page])
    counts["rows_withdrawn"] = store.withdraw_missing(load, seen)
    return load, counts


def pull(store: DocumentStore, run: Run, dataset: Dataset, records: list[Record | bytes]) -> None:
    """One complete, committed pull of these records."""
    load, counts = write(store, run, dataset, records)
    store.commit_load(
        load,
        rows_expected=len(records),
        rows_received=len(records),
        **counts,
        is_withdrawal_refused=False,
        drift=[{"kind": "added", "field": "é", "expected": None, "found": "text"}],
        portal={
            "data_processed": "2026-02-28T23:00:00+02:00",
            "modified": None,
            "records_count": len(records),
            "is_synthetic": True,
        },
    )


def run(store: DocumentStore, pulls: dict[Dataset | str, Any] | None = None, **by_name: Any) -> Run:
    """A finished run: ``colleges=[...]`` and ``arrondissements=[...]`` are what was pulled."""
    opened = begin(store)
    for dataset, name in ((COLLEGES, "colleges"), (ARRONDISSEMENTS, "arrondissements")):
        if name in by_name:
            pull(store, opened, dataset, by_name[name])
        else:
            store.skip_load(opened, dataset, status="unchanged")
    store.finish_run(opened, "finished")
    return opened


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(settings.warehouse_path, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def change(settings: Settings, *statements: str) -> None:
    with duckdb.connect(settings.warehouse_path) as connection:
        for sql in statements:
            connection.execute(sql)


def raw_colleges(settings: Settings) -> list[tuple[Any, ...]]:
    return query(
        settings,
        "select record_key, run_sequence, is_withdrawn, payload"
        f" from raw.{COLLEGES.table} order by run_sequence, record_key",
    )


def everything(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of raw but dlt's own."""
    tables = [COLLEGES.table, ARRONDISSEMENTS.table, "_source_load"]
    return {
        table: sorted(query(settings, f"select * from raw.{table}"), key=str) for table in tables
    }


def load(store: DocumentStore, settings: Settings) -> LoadReport:
    return load_warehouse(store, settings, BOTH)


# -- what is loaded --------------------------------------------------------------------------------


def test_first_load_appends_every_version_and_the_ledger(
    store: DocumentStore, settings: Settings
) -> None:
    first = run(
        store, colleges=[college("A"), college("B", note=1)], arrondissements=[arrondissement(1)]
    )
    second = run(store, colleges=[college("B", note=2), college("C")])

    report = load(store, settings)

    assert [row[:3] for row in raw_colleges(settings)] == [
        ('["A","2019-2020"]', first.sequence, False),
        ('["B","2019-2020"]', first.sequence, False),
        ('["A","2019-2020"]', second.sequence, True),
        ('["B","2019-2020"]', second.sequence, False),
        ('["C","2019-2020"]', second.sequence, False),
    ]
    assert report.rows_appended == 6
    assert report.ledger_rows == 4
    assert report.datasets[0].up_to == second.sequence
    assert [(a.versions, a.present) for a in reconcile(store, settings, BOTH)] == [(5, 2), (1, 1)]


def test_columns_types_and_values_are_those_of_the_contract(
    store: DocumentStore, settings: Settings
) -> None:
    sequence = run(store, colleges=[college("A"), college("B")]).sequence
    withdrawing = run(store, colleges=[college("A")])
    load(store, settings)

    columns = query(
        settings,
        "select column_name, data_type from information_schema.columns"
        f" where table_schema = 'raw' and table_name = '{COLLEGES.table}'"
        " order by ordinal_position",
    )
    assert columns == [
        ("record_key", "VARCHAR"),
        ("run_sequence", "BIGINT"),
        ("run_id", "VARCHAR"),
        ("content_hash", "VARCHAR"),
        ("payload", "VARCHAR"),
        ("is_withdrawn", "BOOLEAN"),
        ("extracted_at", "TIMESTAMP"),
    ]
    (tombstone,) = query(settings, f"select * from raw.{COLLEGES.table} where is_withdrawn")
    assert tombstone == (
        '["B","2019-2020"]',
        withdrawing.sequence,
        withdrawing.run_id,
        None,
        None,
        True,
        EXTRACTED_AT.replace(tzinfo=None),
    )
    ledger = query(
        settings,
        "select column_name, data_type from information_schema.columns"
        " where table_schema = 'raw' and table_name = '_source_load' order by ordinal_position",
    )
    assert [name for name, _ in ledger] == list(LEDGER_COLUMNS)
    kinds = {"text": "VARCHAR", "bigint": "BIGINT", "bool": "BOOLEAN", "double": "DOUBLE"}
    for (name, found), hint in zip(ledger, LEDGER_COLUMNS.values(), strict=True):
        assert found == kinds.get(hint["data_type"], "TIMESTAMP"), name
    (row,) = query(
        settings,
        "select portal, dataset, table_name, status, extracted_at, duration_s >= 0, rows_received,"
        " rows_new, rows_withdrawn, rows_present, is_withdrawal_refused, drift,"
        " portal_data_processed_at, portal_modified_at, portal_records_count, is_synthetic, error"
        f" from raw._source_load where run_sequence = {sequence}"
        f" and dataset = '{COLLEGES.dataset_id}'",
    )
    assert row == (
        "opendata_paris", COLLEGES.dataset_id, COLLEGES.table, "finished",
        EXTRACTED_AT.replace(tzinfo=None), True, 2, 2, 0, 2, False,
        '[{"kind":"added","field":"é","expected":null,"found":"text"}]',
        datetime(2026, 2, 28, 21, 0), None, 2, True, None,  # noqa: DTZ001 — UTC, as stored
    )  # fmt: skip


def test_a_payload_arrives_byte_for_byte(store: DocumentStore, settings: Settings) -> None:
    payloads = [
        '{"libelle": "É\\u00e9 \\"cité\\" \\\\ 𝄞", "annee_scol":"x", "n":9223372036854775807}',
        '{"annee_scol":"x","libelle":"2","d":2.123456789012345,"e":1E5,"z":86.0,"m":-0.0}',
        '{"annee_scol":"x","libelle":"3\'; drop table t; --","a":[[],{},null,true]}',
        '{"annee_scol":"x","libelle":"4","t":"line\\nend\\ttab\\u2028","s":"'
        + "x" * 3_000_000
        + '"}',
        '{ "annee_scol" : "x" , "libelle" : "5" , "empty" : "" , "null" : null }',
    ]
    run(store, colleges=[text.encode() for text in payloads])
    load(store, settings)
    assert sorted(row[3] for row in raw_colleges(settings)) == sorted(payloads)


def test_all_tables_exist_even_where_nothing_was_ever_read(
    store: DocumentStore, settings: Settings
) -> None:
    report = load_warehouse(store, settings, list(registry().values()))
    tables = {name for (name,) in query(settings, "select table_name from duckdb_tables()")}
    assert tables >= {"_source_load", *(dataset.table for dataset in registry().values())}
    assert report.rows_appended == 0
    assert query(settings, "select count(*) from raw._source_load") == [(0,)]
    before = settings.warehouse_path.stat().st_mtime_ns
    load_warehouse(store, settings, list(registry().values()))
    assert settings.warehouse_path.stat().st_mtime_ns == before


def test_a_second_load_writes_nothing_until_a_record_changes(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")], arrondissements=[arrondissement(1)])
    load(store, settings)
    before = (settings.warehouse_path.stat().st_mtime_ns, everything(settings))

    unchanged = run(store, colleges=[college("A")])
    report = load(store, settings)

    assert (settings.warehouse_path.stat().st_mtime_ns, everything(settings)) == before
    assert not report.rows_appended
    assert not report.ledger_rows
    assert "nothing to load" in str(report)
    reconcile(store, settings, BOTH)

    # The ledger rows that waited travel with the next load that carries data.
    run(store, arrondissements=[arrondissement(1), arrondissement(2)])
    assert load(store, settings).ledger_rows == 4
    assert query(
        settings,
        f"select status, rows_unchanged from raw._source_load where run_sequence ="
        f" {unchanged.sequence} order by dataset desc",
    ) == [("finished", 1), ("unchanged", None)]


def test_versions_are_appended_run_by_run_through_withdrawal_and_return(
    store: DocumentStore, settings: Settings
) -> None:
    for records in ([college("A", n=1)], [college("A", n=2)], [college("B")], [college("A", n=2)]):
        run(store, colleges=records)
        load(store, settings)
        reconcile(store, settings, BOTH)
    one_by_one = everything(settings)
    assert [row[:3] for row in one_by_one[COLLEGES.table]] != []
    assert len(one_by_one[COLLEGES.table]) == 6

    settings.warehouse_path.unlink()
    load(store, settings)
    assert everything(settings) == one_by_one


def test_versions_are_the_same_by_the_index_and_by_a_scan(
    store: DocumentStore, settings: Settings, monkeypatch: Any
) -> None:
    run(store, colleges=[college(f"{n}") for n in range(40)])
    run(store, colleges=[college(f"{n}", n=n // 38) for n in range(40)])
    unfinished = begin(store)
    write(store, unfinished, COLLEGES, [college(f"{n}", n=2) for n in range(40)])
    contents = []
    for share in (0, 1, ingestion.load.FEW):
        monkeypatch.setattr(ingestion.load, "FEW", share)
        settings.warehouse_path.unlink(missing_ok=True)
        load(store, settings)
        contents.append(everything(settings))
        change(
            settings,
            f"delete from raw.{COLLEGES.table} where run_sequence = 2",
            "delete from raw._source_load where run_sequence = 2",
        )
        assert load(store, settings).rows_appended == 40
        contents.append(everything(settings))
    assert len(contents[0][COLLEGES.table]) == 80
    assert all(found == contents[0] for found in contents)


def test_versions_of_a_load_that_did_not_finish_stay_out(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")])
    opened = begin(store)
    pull(store, opened, ARRONDISSEMENTS, [arrondissement(1)])
    write(store, opened, COLLEGES, [college("A"), college("B")])  # killed before its commit

    load(store, settings)

    assert len(raw_colleges(settings)) == 1
    # The other dataset of the same run had finished.
    assert query(settings, f"select count(*) from raw.{ARRONDISSEMENTS.table}") == [(1,)]
    reconcile(store, settings, BOTH)
    store.fail_load(opened, COLLEGES, "cut")
    store.finish_run(opened, "failed")
    run(store, colleges=[college("A"), college("C")])
    load(store, settings)
    assert [row[0] for row in raw_colleges(settings)] == ['["A","2019-2020"]', '["C","2019-2020"]']
    assert query(settings, "select count(*) from raw._source_load where status = 'failed'") == [
        (1,)
    ]


def test_dlt_state_is_disposable(
    store: DocumentStore, settings: Settings, monkeypatch: Any
) -> None:
    elsewhere = settings.home / "elsewhere"
    (elsewhere / ".dlt").mkdir(parents=True)
    # Were it read, nothing would load.
    (elsewhere / ".dlt" / "config.toml").write_text("[load]\ndelete_completed_jobs = 'no bool'\n")
    monkeypatch.setenv("HOME", str(elsewhere))
    monkeypatch.chdir(elsewhere)
    run(store, colleges=[college("A")])
    load(store, settings)
    assert not (settings.home / "dlt" / "hop2").exists()
    shutil.rmtree(settings.home / "dlt")
    run(store, colleges=[college("A"), college("B")])
    load(store, settings)
    # Left behind by a killed load: a package that dlt would resume.
    stale = settings.home / "dlt" / "hop2" / "load" / "normalized" / "1"
    stale.mkdir(parents=True)
    (stale / "schema.json").write_text("{")
    run(store, colleges=[college("A"), college("B"), college("C")])
    load(store, settings)
    assert len(raw_colleges(settings)) == 3
    assert sorted(path.name for path in elsewhere.rglob("*")) == [".dlt", "config.toml"]


def test_a_table_that_was_dropped_is_made_again(store: DocumentStore, settings: Settings) -> None:
    run(store, colleges=[college("A")], arrondissements=[arrondissement(1)])
    load(store, settings)
    change(settings, f"drop table raw.{ARRONDISSEMENTS.table}")
    with pytest.raises(ReconciliationError, match="1 missing from raw"):
        reconcile(store, settings, BOTH)
    load(store, settings)
    assert query(settings, f"select count(*) from raw.{ARRONDISSEMENTS.table}") == [(0,)]
    # Its versions count as loaded: only a replay brings them back, and reconciling says so.
    with pytest.raises(ReconciliationError, match="replay --apply"):
        reconcile(store, settings, BOTH)
    replay(store, settings, BOTH, apply=True)
    assert query(settings, f"select count(*) from raw.{ARRONDISSEMENTS.table}") == [(1,)]


# -- what a killed load leaves ---------------------------------------------------------------------

KILLED = {
    "rows, no ledger": ["delete from raw._source_load where run_sequence = 2"],
    "half the rows": [
        "delete from raw._source_load where run_sequence = 2",
        f"delete from raw.{COLLEGES.table} where run_sequence = 2 and record_key like '%A%'",
    ],
    "rows twice": [
        "delete from raw._source_load where run_sequence = 2",
        f"insert into raw.{COLLEGES.table} from raw.{COLLEGES.table} where run_sequence = 2",
    ],
    "one of two ledger rows": [
        f"delete from raw._source_load where run_sequence = 2 and table_name = '{COLLEGES.table}'"
    ],
    "the other ledger row": [
        f"delete from raw._source_load where run_sequence = 2 and table_name <> '{COLLEGES.table}'"
    ],
    "an older ledger row": [
        f"delete from raw._source_load where run_sequence = 1 and table_name = '{COLLEGES.table}'"
    ],
    "no ledger table": ["drop table raw._source_load"],
    "first load, rows only": ["delete from raw._source_load"],
    "nothing but dlt's tables": [
        "drop table raw._source_load",
        f"drop table raw.{COLLEGES.table}",
        f"drop table raw.{ARRONDISSEMENTS.table}",
    ],
}


def test_what_a_killed_load_left_is_healed(
    store: DocumentStore, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    run(store, colleges=[college("A"), college("B")], arrondissements=[arrondissement(1)])
    run(store, colleges=[college("A", n=2), college("C")])
    load(store, settings)
    undisturbed = everything(settings)

    for what, statements in KILLED.items():
        change(settings, *statements)
        caplog.clear()
        report = load(store, settings)
        assert everything(settings) == undisturbed, what
        assert bool(report.leftovers_removed) == ("interrupted load" in caplog.text), what
        reconcile(store, settings, BOTH)
        assert not load(store, settings).ledger_rows, what


def test_rows_that_do_not_arrive_are_not_committed(
    store: DocumentStore, settings: Settings, monkeypatch: Any
) -> None:
    run(store, colleges=[college("A"), college("B")])
    append = RawFiles.append

    def append_and_double(self: RawFiles) -> None:
        append(self)
        change(settings, f"insert into raw.{COLLEGES.table} from raw.{COLLEGES.table} limit 1")

    with monkeypatch.context() as patch:
        patch.setattr(RawFiles, "append", append_and_double)
        with pytest.raises(WarehouseError, match="2 versions were sent"):
            load(store, settings)
    assert query(settings, "select count(*) from raw._source_load") == [(0,)]
    assert load(store, settings).leftovers_removed == 3
    reconcile(store, settings, BOTH)


# -- reconcile and replay --------------------------------------------------------------------------

DAMAGE = {
    "missing": (f"delete from raw.{COLLEGES.table} where record_key like '%B%'", (1, 0, 0)),
    "doubled": (
        f"insert into raw.{COLLEGES.table} from raw.{COLLEGES.table} where record_key like '%B%'",
        (0, 1, 0),
    ),
    "other hash": (
        f"update raw.{COLLEGES.table} set content_hash = 'x' where record_key like '%B%'",
        (0, 0, 1),
    ),
    "withdrawn": (
        f"update raw.{COLLEGES.table} set is_withdrawn = true where record_key like '%B%'",
        (0, 0, 1),
    ),
    "no payload": (
        f"update raw.{COLLEGES.table} set payload = null where record_key like '%B%'",
        (0, 0, 1),
    ),
    "other key": (
        f"update raw.{COLLEGES.table} set record_key = 'x' where record_key like '%B%'",
        (1, 1, 0),
    ),
    "other run": (
        f"update raw.{COLLEGES.table} set run_sequence = 0 where record_key like '%B%'",
        (1, 1, 0),
    ),
}


def test_damage_is_found_named_and_repaired(store: DocumentStore, settings: Settings) -> None:
    run(store, colleges=[college("A"), college("B")], arrondissements=[arrondissement(1)])
    run(store, colleges=[college("B"), college("C")])
    load(store, settings)
    whole = everything(settings)
    sound = settings.warehouse_path.read_bytes()

    for what, (statement, counts) in DAMAGE.items():
        settings.warehouse_path.write_bytes(sound)
        change(settings, statement)
        with pytest.raises(ReconciliationError, match="replay --apply") as error:
            reconcile(store, settings, BOTH)
        told = str(error.value)
        assert COLLEGES.dataset_id in told, what
        assert ARRONDISSEMENTS.dataset_id not in told, what
        assert '["B","2019-2020"] of run ' in told or "x of run 1" in told, what
        damaged = everything(settings)

        difference, other = replay(store, settings, BOTH, apply=False).differences
        assert (difference.missing, difference.extra, difference.different) == counts, what
        assert (other.missing, other.extra, other.different) == (0, 0, 0), what
        assert everything(settings) == damaged, what

    assert replay(store, settings, BOTH, apply=True).load is not None
    assert everything(settings) == whole


def test_a_doubled_ledger_row_is_found_and_repaired(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")])
    load(store, settings)
    change(settings, "insert into raw._source_load from raw._source_load")
    with pytest.raises(ReconciliationError, match=f"run 1 of {COLLEGES.dataset_id} 2 times"):
        reconcile(store, settings, [COLLEGES])
    replay(store, settings, BOTH, apply=True)
    reconcile(store, settings, BOTH)


def versions(database: Any) -> list[dict[str, Any]]:
    """All but their ids, which say in which order they were written."""
    return list(
        database[COLLEGES.table].find({}, {"_id": 0}, sort=[("record_key", 1), ("run_sequence", 1)])
    )


def lose(database: Any, name: str, **more: Any) -> None:
    """Take versions out of MongoDB and leave the ledger as it is."""
    found = database[COLLEGES.table].delete_many({"record_key": f'["{name}","2019-2020"]', **more})
    assert found.deleted_count


def test_versions_that_mongodb_lost_are_not_loaded_as_if_they_had_never_been(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    for n in (1, 2, 3):
        run(store, colleges=[college("A", n=n), college("B")])
    lose(database, "A", run_sequence=2)
    with pytest.raises(StoreError, match=r"holds 3 versions .* says that 4 were written"):
        load(store, settings)
    assert not settings.warehouse_path.exists(), "nothing was touched"
    with pytest.raises(ReconciliationError, match="raw does not have them either"):
        replay(store, settings, BOTH, apply=True)


def test_versions_that_both_stores_lost_are_missed(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    for n in (1, 2):
        run(store, colleges=[college("A", n=n), college("B")])
    load(store, settings)
    lose(database, "A", run_sequence=1)
    change(
        settings,
        f"delete from raw.{COLLEGES.table} where record_key like '%A%' and run_sequence = 1",
    )
    whole = everything(settings)
    told = r"run 1 wrote 2 versions, by MongoDB's ledger, and MongoDB and raw hold 1"
    with pytest.raises(ReconciliationError, match=told):
        reconcile(store, settings, BOTH)
    difference, _ = replay(store, settings, BOTH, apply=False).differences
    assert (difference.to_put_back, difference.unaccounted) == (0, 1)
    with pytest.raises(ReconciliationError, match="raw does not have them either"):
        replay(store, settings, BOTH, apply=True)
    assert everything(settings) == whole


def test_a_replay_puts_back_what_mongodb_lost(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A"), college("B")], arrondissements=[arrondissement(1)])
    run(store, colleges=[college("A", n=2)])
    load(store, settings)
    whole = everything(settings)
    documents = versions(database)
    assert len(documents) == 4
    for lost in ({"run_sequence": 1}, {"run_sequence": 2}, {"content_hash": None}, {}):
        database[COLLEGES.table].delete_many(lost)
        with pytest.raises(ReconciliationError, match="replay --apply"):
            reconcile(store, settings, BOTH)

        difference, other = replay(store, settings, BOTH, apply=False).differences
        gone = len(documents) - database[COLLEGES.table].count_documents({})
        assert (difference.extra, difference.to_put_back, difference.unaccounted) == (gone, gone, 0)
        assert not other
        assert everything(settings) == whole

        assert replay(store, settings, BOTH, apply=True).put_back == gone
        assert versions(database) == documents, lost
        assert everything(settings) == whole, lost
    run(store, colleges=[college("A", n=2)])
    assert not load(store, settings).rows_appended, "nothing was invented"
    reconcile(store, settings, BOTH)


def test_a_replay_after_a_pull_into_what_was_left(
    store: DocumentStore, settings: Settings, database: Any, monkeypatch: Any
) -> None:
    """What earlier code did: it took every record for new, and counted twice as many present."""
    run(store, colleges=[college("A"), college("B")])
    run(store, colleges=[college("A", n=2), college("B")])
    load(store, settings)
    history = set(raw_colleges(settings))
    lose(database, "A")
    lose(database, "B")
    monkeypatch.setattr(DocumentStore, "_check_complete", lambda *_: None)
    run(store, colleges=[college("A", n=2), college("B")])
    monkeypatch.undo()
    store.correct_rows_present(COLLEGES, 4)
    load(store, settings)
    with pytest.raises(ReconciliationError, match="3 that MongoDB lost can be put back"):
        reconcile(store, settings, BOTH)

    assert replay(store, settings, BOTH, apply=True).put_back == 3

    assert history < set(raw_colleges(settings))
    assert [(a.versions, a.present) for a in reconcile(store, settings, BOTH)] == [(5, 2), (0, 0)]
    run(store, colleges=[college("A", n=2), college("B")])
    load(store, settings)
    reconcile(store, settings, BOTH)


def test_a_damaged_version_is_not_put_back(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A"), college("B")])
    load(store, settings)
    lose(database, "A")
    lose(database, "B")
    change(
        settings,
        f"update raw.{COLLEGES.table} set payload = replace(payload, '2019', '2018')"
        " where record_key like '%B%'",
    )
    whole = everything(settings)
    difference, _ = replay(store, settings, BOTH, apply=False).differences
    assert (difference.extra, difference.to_put_back, difference.unaccounted) == (2, 1, 1)
    with pytest.raises(ReconciliationError, match="raw does not have them either"):
        replay(store, settings, BOTH, apply=True)
    assert everything(settings) == whole
    assert not database[COLLEGES.table].count_documents({})


@pytest.mark.parametrize("instead", ["a copy of another", "another record"])
def test_what_raw_alone_has_is_not_dropped_where_something_stands_in_its_place(
    instead: str, store: DocumentStore, settings: Settings, database: Any
) -> None:
    """MongoDB holds as many versions as it wrote, and one of raw's is not among them."""
    run(store, colleges=[college("A"), college("B"), college("C")])
    load(store, settings)
    lost = database[COLLEGES.table].find_one({"record_key": {"$regex": "B"}})
    if instead == "another record":
        payload = college("Z")
        key = record_key(payload, COLLEGES.key)
        changed = {
            "record_key": key,
            "payload": orjson.dumps(payload).decode(),
            "content_hash": content_hash(payload),
        }
        database[COLLEGES.table].update_one({"_id": lost["_id"]}, {"$set": changed})
    else:
        other = database[COLLEGES.table].find_one({"record_key": {"$regex": "A"}})
        lose(database, "B")
        database[COLLEGES.table].insert_one(other | {"_id": lost["_id"][:12] + other["_id"][12:]})
    whole = everything(settings)
    difference, _ = replay(store, settings, BOTH, apply=False).differences
    assert difference.displaced == 1
    with pytest.raises(ReconciliationError, match="rebuilding raw would lose them, and nobody"):
        replay(store, settings, BOTH, apply=True)
    assert everything(settings) == whole


def test_a_row_that_stands_twice_in_raw_is_restored_once(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A"), college("B")], arrondissements=[arrondissement(1)])
    load(store, settings)
    whole = versions(database)
    change(
        settings,
        f"insert into raw.{COLLEGES.table} select * from raw.{COLLEGES.table}"
        " where record_key like '%A%'",
    )
    assert restored(database, settings) == 3
    assert versions(database) == whole


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("delete from raw.{} where record_key like '%A%'", "are 1 versions, and its ledger says"),
        ("drop table raw.{}", "are 0 versions, and its ledger says that 2 were written"),
        (
            "insert into raw.{0} select * replace (payload || ' ' as payload) from raw.{0}",
            "is not what was stored there",
        ),
    ],
)
def test_raw_that_does_not_hold_what_its_ledger_says_is_not_restored_from(
    statement: str, told: str, store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A"), college("B")])
    load(store, settings)
    change(settings, statement.format(COLLEGES.table))
    for _ in range(2):
        with pytest.raises(ReconciliationError, match=told):
            restored(database, settings)


def restored(database: Any, settings: Settings) -> int:
    """How many versions come back into an emptied MongoDB."""
    database.client.drop_database(database.name)
    store = DocumentStore(database)
    store.prepare(registry().values())
    with store.lock("test"):
        return restore_if_lost(store, settings)


def test_what_no_load_has_brought_yet_is_told_from_what_is_missing(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A"), college("B")])
    load(store, settings)
    run(store, colleges=[college("A", n=2), college("B")])
    difference, _ = replay(store, settings, BOTH, apply=False).differences
    assert difference.is_pending
    change(settings, f"delete from raw.{COLLEGES.table} where record_key like '%A%'")
    difference, _ = replay(store, settings, BOTH, apply=False).differences
    assert (difference.missing, difference.pending, difference.is_pending) == (2, 1, False)


def test_a_payload_that_was_altered_is_found_by_a_replay(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A"), college("B")], arrondissements=[arrondissement(1)])
    load(store, settings)
    whole = everything(settings)
    is_b = "record_key like '%B%'"

    # Another record, and the same one in another spelling: raw is to hold the very text.
    for forged in ('{"libelle":"B","annee_scol":"2019-2020","n":1}', "payload || ' '"):
        text = forged if forged.startswith("payload") else f"'{forged}'"
        change(settings, f"update raw.{COLLEGES.table} set payload = {text} where {is_b}")
        reconcile(store, settings, BOTH)
        difference, other = replay(store, settings, BOTH, apply=False).differences
        assert (difference.different, difference.altered_in_mongodb) == (1, 0)
        assert difference.examples == ('["B","2019-2020"] of run 1',)
        assert not other
        replay(store, settings, BOTH, apply=True)
        assert everything(settings) == whole

    # In MongoDB, and in both alike: raw is not to be made from that.
    both = '{"libelle":"B","annee_scol":"2019-2020","n":1}'
    database[COLLEGES.table].update_one(
        {"record_key": '["B","2019-2020"]'}, {"$set": {"payload": both}}
    )
    for statement in (f"payload = '{both}'", "payload = payload"):
        change(settings, f"update raw.{COLLEGES.table} set {statement} where {is_b}")
        difference, _ = replay(store, settings, BOTH, apply=False).differences
        assert (difference.different, difference.altered_in_mongodb) == (1, 1)
        before = everything(settings)
        with pytest.raises(ReconciliationError, match=r"1 versions .* were altered in MongoDB"):
            replay(store, settings, BOTH, apply=True)
        assert everything(settings) == before


def test_what_raw_alone_has_outlives_a_load_that_takes_it_for_leftovers(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A"), college("B")])
    load(store, settings)
    change(settings, "delete from raw._source_load")  # a replay that was killed
    lose(database, "B")
    whole = everything(settings)
    with pytest.raises(StoreError, match="`colleges replay"):
        load(store, settings)
    assert everything(settings) == whole
    assert replay(store, settings, BOTH, apply=True).put_back == 1
    assert len(raw_colleges(settings)) == 2


def test_records_present_are_counted_anew_by_a_replay(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A"), college("B")])
    run(store)
    store.correct_rows_present(COLLEGES, 3)
    load(store, settings)
    with pytest.raises(ReconciliationError, match=r"2 records are present .* 3 were counted"):
        reconcile(store, settings, BOTH)
    replay(store, settings, BOTH, apply=True)
    # The run that skipped it had said so too.
    assert query(
        settings,
        f"select rows_present from raw._source_load where dataset = '{COLLEGES.dataset_id}'",
    ) == [(2,), (2,)]
    run(store, colleges=[college("A"), college("B"), college("C")])
    load(store, settings)
    reconcile(store, settings, BOTH)


# -- two loads at once -----------------------------------------------------------------------------


@pytest.fixture
def taken_over(
    store: DocumentStore, settings: Settings, database: Any, monkeypatch: Any
) -> Callable[[str], None]:
    """Have another machine take the lock over, and load, once a load comes to a function."""

    def elsewhere() -> None:
        database["locks"].update_one({"_id": "store"}, {"$set": {"token": "of another"}})
        work = settings.home / "dlt"
        kept = shutil.move(work, settings.home / "asleep") if work.exists() else None
        load_warehouse(DocumentStore(database), settings, BOTH)
        if kept:
            shutil.rmtree(work, ignore_errors=True)
            shutil.move(kept, work)

    def arrange(name: str) -> None:
        inner = getattr(RawFiles, name)

        def sleeping(self: RawFiles, *args: Any) -> Any:
            monkeypatch.setattr(RawFiles, name, inner)
            elsewhere()
            return inner(self, *args)

        monkeypatch.setattr(RawFiles, name, sleeping)

    return arrange


@pytest.mark.parametrize("asleep_before", ["__enter__", "append"])
def test_a_load_that_lost_the_lock_doubles_nothing(
    asleep_before: str,
    store: DocumentStore,
    settings: Settings,
    taken_over: Callable[[str], None],
) -> None:
    """Before it reads, so that it must not append; and within its append, when it is too late."""
    run(store, colleges=[college("A"), college("B")], arrondissements=[arrondissement(1)])
    load(store, settings)
    run(store, colleges=[college("B", n=2)])
    taken_over(asleep_before)
    with pytest.raises(LockedError, match="lost the lock of the store and stops") as error:
        load(store, settings)
    assert ("taken back" in str(error.value)) == (asleep_before == "append")
    assert len(raw_colleges(settings)) == 4
    found = everything(settings)
    reconcile(store, settings, BOTH)
    load(store, settings)
    assert everything(settings) == found


def test_a_replay_without_the_lock_leaves_raw_alone(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A")])
    load(store, settings)
    whole = everything(settings)
    database["locks"].update_one({"_id": "store"}, {"$set": {"token": "of another"}})
    with pytest.raises(LockedError):
        replay(store, settings, BOTH, apply=True)
    change(settings, f"insert into raw.{COLLEGES.table} (record_key, run_sequence) values ('x', 9)")
    with pytest.raises(LockedError):
        load(store, settings)  # would remove it
    change(settings, f"delete from raw.{COLLEGES.table} where run_sequence = 9")
    assert everything(settings) == whole


def test_a_killed_replay_is_completed_by_the_next_load(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")], arrondissements=[arrondissement(1)])
    load(store, settings)
    whole = everything(settings)
    ledger_gone = "delete from raw._source_load"
    drop = [f"drop table raw.{dataset.table}" for dataset in BOTH]
    for done in ([ledger_gone], [ledger_gone, drop[0]], [ledger_gone, *drop]):
        change(settings, *done)
        load(store, settings)
        assert everything(settings) == whole


def test_a_replay_of_some_datasets_leaves_the_others_alone(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")], arrondissements=[arrondissement(1)])
    load(store, settings)
    whole = everything(settings)
    change(
        settings, f"delete from raw.{COLLEGES.table}", f"delete from raw.{ARRONDISSEMENTS.table}"
    )
    replay(store, settings, [COLLEGES], apply=True)
    found = everything(settings)
    assert found[COLLEGES.table] == whole[COLLEGES.table]
    assert found["_source_load"] == whole["_source_load"]
    assert found[ARRONDISSEMENTS.table] == []


def test_a_warehouse_of_another_mongodb_is_refused(
    store: DocumentStore, settings: Settings, database: Any
) -> None:
    run(store, colleges=[college("A")], arrondissements=[arrondissement(1)])
    load(store, settings)
    whole = everything(settings)
    for name in database.list_collection_names():
        database[name].delete_many({} if name != "locks" else {"_id": None})

    with pytest.raises(ReconciliationError, match="of which this MongoDB knows nothing"):
        load(store, settings)
    with pytest.raises(ReconciliationError, match=r"raw has 1 versions .* knows nothing of"):
        replay(store, settings, BOTH, apply=True)
    # The new store has come past the run the warehouse knows; its id tells them apart.
    run(store, colleges=[college("Z")], arrondissements=[arrondissement(9)])
    with pytest.raises(ReconciliationError, match="of which this MongoDB knows nothing"):
        load(store, settings)
    with pytest.raises(ReconciliationError, match="rebuilding raw would lose them"):
        replay(store, settings, BOTH, apply=True)
    assert everything(settings) == whole


def test_one_dataset_can_be_loaded_before_the_others(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")], arrondissements=[arrondissement(1)])
    load_warehouse(store, settings, [COLLEGES])
    reconcile(store, settings, [COLLEGES])
    load(store, settings)
    reconcile(store, settings, BOTH)
    assert query(settings, "select count(*) from raw._source_load") == [(2,)]


# -- a warehouse that says no ----------------------------------------------------------------------


def test_a_locked_file_names_who_holds_it(store: DocumentStore, settings: Settings) -> None:
    run(store, colleges=[college("A")])
    load(store, settings)
    whole = everything(settings)
    run(store, colleges=[college("A"), college("B")])
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True);"
            "sys.stdin.read()",
            str(settings.warehouse_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WarehouseError, match=f"in use by process {holder.pid}"):
            load(store, settings)
    finally:
        holder.communicate(timeout=10)
    assert everything(settings) == whole
    assert load(store, settings).rows_appended == 1


def test_a_reader_that_comes_between_is_named_too(store: DocumentStore, settings: Settings) -> None:
    """Two readers may share the file; only dlt's append finds it held."""
    run(store, colleges=[college("A")])
    load(store, settings)
    run(store, colleges=[college("A"), college("B")])
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True);"
            "print('held', flush=True); sys.stdin.read()",
            str(settings.warehouse_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(WarehouseError, match=f"in use by process {holder.pid}"):
            load(store, settings)
    finally:
        holder.communicate(timeout=10)
    assert load(store, settings).rows_appended == 1


def test_a_damaged_file_says_how_to_make_a_new_one(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")])
    settings.warehouse_path.write_bytes(b"no database" * 1000)
    with pytest.raises(WarehouseError, match=r"damaged .* run `colleges load`"):
        load(store, settings)
    settings.warehouse_path.unlink()
    assert load(store, settings).rows_appended == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
def test_a_file_of_somebody_else_is_told(store: DocumentStore, settings: Settings) -> None:
    run(store, colleges=[college("A")])
    load(store, settings)
    settings.warehouse_path.chmod(0)
    with pytest.raises(WarehouseError, match="may not be read or written"):
        load(store, settings)


def test_a_full_disk_is_told_and_the_next_load_completes(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")])
    load(store, settings)
    # A limit on the size of files stands in for a full disk: the kernel refuses writes as well.
    limit = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))\n"
    )
    # Noise stops the file that dlt is to append; what that file compresses stops the warehouse.
    for text in (random.Random(0).randbytes(900_000).hex(), "x" * 1_800_000):
        whole = everything(settings)
        run(store, colleges=[college("A", text=text)])
        told = load_in_a_process(settings, limit)
        assert told.startswith("WarehouseError"), told
        assert everything(settings) == whole
        assert load(store, settings).rows_appended == 1
        reconcile(store, settings, BOTH)


# -- Snowflake's settings --------------------------------------------------------------------------


def snowflake_environment(key: Path) -> dict[str, str]:
    key.write_text("no key, only its place")
    key.chmod(0o600)
    return {
        "SNOWFLAKE_ACCOUNT": "ORG-ACCOUNT",
        "SNOWFLAKE_USER": "LOADER",
        "SNOWFLAKE_PRIVATE_KEY_PATH": str(key),
        "SNOWFLAKE_ROLE": "COLLEGES_LOADER",
        "SNOWFLAKE_WAREHOUSE": "COLLEGES",
        "SNOWFLAKE_DATABASE": "COLLEGES",
    }


@pytest.mark.parametrize("value", ["", "unset", "<account>", "your_account", "changeme", "xxx"])
def test_a_missing_or_placeholder_setting_is_named(tmp_path: Path, value: str) -> None:
    settings = Settings(home=tmp_path, target="snowflake")
    environment = snowflake_environment(tmp_path / "key.p8")
    assert open_warehouse(settings, environment).identity == "snowflake:org-account/colleges"
    for name in environment:
        with pytest.raises(SettingsError, match=name) as error:
            open_warehouse(settings, environment | {name: value})
        assert "PRIVATE_KEY_PATH" in name or "key.p8" not in str(error.value)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, target="snowflake")
    environment = snowflake_environment(tmp_path / "key.p8")
    (tmp_path / "key.p8").chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        open_warehouse(settings, environment)
    (tmp_path / "key.p8").unlink()
    with pytest.raises(SettingsError, match="SNOWFLAKE_PRIVATE_KEY_PATH"):
        open_warehouse(settings, environment)


# -- what is imported ------------------------------------------------------------------------------


def test_a_load_without_news_imports_neither_dlt_nor_pandas(
    store: DocumentStore, settings: Settings
) -> None:
    run(store, colleges=[college("A")])
    assert load_in_a_process(settings) == "1 appended, imported: dlt"
    assert load_in_a_process(settings) == "0 appended, imported:"


LOADER = """
import sys
from pathlib import Path
from ingestion.document_store import DocumentStore
from ingestion.errors import CollegesError
from ingestion.load import load_warehouse, reconcile
from ingestion.mongod import connect
from ingestion.registry import registry
from ingestion.settings import Settings

settings = Settings(Path(sys.argv[1]), "duckdb", sys.argv[2])
datasets = list(registry().values())[:3]
try:
    with connect(settings) as database:
        report = load_warehouse(DocumentStore(database), settings, datasets)
        reconcile(DocumentStore(database), settings, datasets)
    imported = [name for name in ("dlt", "pandas") if sys.modules.get(name)]
    print(report.rows_appended, "appended, imported:", *imported)
except CollegesError as error:
    print(type(error).__name__, error)
"""


def load_in_a_process(settings: Settings, setup: str = "") -> str:
    """What a loader of its own says; a warning about an import would be an error."""
    assert settings.mongodb_uri is not None
    done = subprocess.run(
        [
            *(sys.executable, "-W", "error::RuntimeWarning", "-c", setup + LOADER),
            *(str(settings.home), settings.mongodb_uri),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()
