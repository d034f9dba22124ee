"""Every shim of the fake account is still needed: with it the answer is right, without it not.

One that is no longer needed fails here: take it out of fakesnow_server.py.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector.errors

from tests.snowflake.conftest import Fake

pytestmark = pytest.mark.timeout(300)


class Execute:
    """Runs statements in one session."""

    def __init__(self, fake: Fake, connection: Any) -> None:
        self.fake = fake
        self._connection = connection

    def __call__(self, sql: str, **options: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(sql, **options).fetchall()
            return rows


Probe = Callable[[Execute, Path], bool]

PROBES: dict[str, Probe] = {}


def probe(function: Probe) -> Probe:
    """Register under the name of the shim; true where the answer is Snowflake's."""
    PROBES[function.__name__] = function
    return function


@probe
def errors_as_sql_errors(execute: Execute, _: Path) -> bool:
    try:
        execute("select cast(9223372036854775807 as bigint) + cast(1 as bigint)")
    except snowflake.connector.errors.ProgrammingError:
        return True
    return False


@probe
def query_tags(execute: Execute, _: Path) -> bool:
    execute("alter session set query_tag = 'a', timezone = 'UTC'")
    return True


@probe
def temporary_tables(execute: Execute, _: Path) -> bool:
    ((database,),) = execute("select current_database()")
    execute(f"create or replace temporary table {database}.PUBLIC.passing as select 1 as a")
    return execute(f"select a from {database}.PUBLIC.passing") == [(1,)]


@probe
def merge_columns_without_table(execute: Execute, _: Path) -> bool:
    execute("create or replace table merged (a int, b int)")
    execute(
        "merge into merged as t using (select 1 as a, 2 as b) as s on t.a = s.a"
        " when not matched then insert (a, b) values (a, b)"
    )
    return execute("select a, b from merged") == [(1, 2)]


@probe
def md5_number_lower64(execute: Execute, _: Path) -> bool:
    # the value in Snowflake's documentation
    return execute("select cast(md5_number_lower64('Snowflake') as varchar)") == [
        ("9203306159527282910",)
    ]


@probe
def several_statements(execute: Execute, _: Path) -> bool:
    execute(
        "create or replace table several (a int); insert into several values (1)", num_statements=0
    )
    return execute("select count(*) from several") == [(1,)]


@probe
def table_comments(execute: Execute, _: Path) -> bool:
    execute("create or replace table noted (a int) comment = 'l''école'")
    return True


@probe
def null_timestamps(execute: Execute, _: Path) -> bool:
    return execute("select cast(null as timestamp_ntz)") == [(None,)]


def copied_as_dlt_does(execute: Execute, directory: Path) -> bool:
    lines = directory / "lines.jsonl.gz"
    with gzip.open(lines, "wb") as file:
        file.write(b'{"a": 1, "payload": {"b": [1.5], "c": null}}\n{"a": 2}\n')
    execute("create or replace table copied (a int, payload variant)")
    execute(
        f'PUT \'file://{lines}\' \'@"PUBLIC"."%COPIED"/"1"\' OVERWRITE = TRUE,'
        " AUTO_COMPRESS = FALSE"
    )
    execute(
        'COPY INTO "PUBLIC"."COPIED" FROM \'@"PUBLIC"."%COPIED"/"1"/lines.jsonl.gz\''
        " FILE_FORMAT = ( TYPE = 'JSON', BINARY_FORMAT = 'BASE64' )"
        " MATCH_BY_COLUMN_NAME='CASE_INSENSITIVE'"
    )
    return execute(
        "select a, payload is null, cast(get_path(payload, 'b[0]') as double) from copied"
        " order by a"
    ) == [(1, False, 1.5), (2, True, None)]


@probe
def no_schema_by_signing_in(execute: Execute, _: Path) -> bool:
    name = f"unmade_{uuid.uuid4().hex[:8]}".upper()
    with execute.fake.connect(schema=name):
        found = execute(
            f"select count(*) from information_schema.schemata where schema_name = '{name}'"
        )
    return found == [(0,)]


@probe
def flatten_index(execute: Execute, _: Path) -> bool:
    ((database,),) = execute("select current_database()")
    own = f"flattened_{uuid.uuid4().hex[:8]}"
    execute(f"create database {own}")
    try:
        execute(f"use database {own}")
        # 20 lists of 2 to 21 numbers, each number at its own index
        numbers = (",".join(map(str, range(2 + n * 7 % 20))) for n in range(20))
        lists = ", ".join(f"({n}, '{text}')" for n, text in enumerate(numbers))
        return execute(
            f"select count(*) from (select * from (values {lists}) as t (a, s)) as lists"
            " cross join lateral flatten(input => split(lists.s, ',')) as part"
            " where part.index <> cast(part.value as integer)"
        ) == [(0,)]
    finally:
        execute(f"use schema {database}.public")


for half in (
    "quoted_stages_and_copy_options",
    "json_lines_by_column_name",
    "json_copied_as_parquet",
):
    PROBES[half] = copied_as_dlt_does


@pytest.fixture(scope="module")
def fake(account: Fake) -> Fake:
    """One database for all: probes replace their own tables."""
    return account.with_database()


@pytest.fixture(scope="module")
def execute(fake: Fake) -> Iterator[Execute]:
    with fake.connect(network_timeout=4) as connection:
        yield Execute(fake, connection)


def test_every_shim_has_a_probe(fake: Fake) -> None:
    assert sorted(PROBES) == fake.control(without=[])["shims"]


@pytest.mark.parametrize("name", PROBES)
def test_right_with_it_and_wrong_without(
    name: str, fake: Fake, execute: Execute, tmp_path: Path
) -> None:
    fake.control(without=[])
    assert PROBES[name](execute, tmp_path)
    fake.control(without=[name])
    try:
        is_right = PROBES[name](execute, tmp_path)
    except snowflake.connector.errors.Error:
        is_right = False
    finally:
        fake.control(without=[])
    assert not is_right, f"fakesnow no longer needs the shim {name}: take it out"
