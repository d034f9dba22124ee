"""A Snowflake account to test against: fakesnow over HTTP, with what it lacks.

The real connector, dbt-snowflake and dlt's destination talk to it. Three things are added:

* shims, where fakesnow answers other than Snowflake does. Each is one function, says why it is
  there, and has a test that fails once fakesnow no longer needs it. A shim can be switched off.
* a door: sign-in checks account, user and the signature of the key pair's token, and statements
  can be refused, so that a wrong account, a wrong key and a missing grant look as they do there.
* a record of what was signed in and asked.

What it holds is in memory, and gone when it stops.

usage: python -m tests.snowflake.fakesnow_server ACCOUNT USER=PUBLIC_KEY_FILE...
Prints its port.
"""

from __future__ import annotations

import gc
import gzip
import importlib
import io
import json
import re
import socket
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import fakesnow.arrow
import fakesnow.cursor
import fakesnow.info_schema
import fakesnow.instance
import fakesnow.macros
import jwt
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
import uvicorn
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from sqlglot import exp
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# The package has a function of the same name, which hides the module.
fs_server: Any = importlib.import_module("fakesnow.server")
Cursor = fakesnow.cursor.FakeSnowflakeCursor

SHIMS: dict[str, Callable[..., Any]] = {}
switched_off: set[str] = set()


def shim(owner: Any, attribute: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function in the place of ``owner.attribute``, which it gets first.

    Several on one attribute see one another in the order they stand here, the last one first.
    """

    def decorate(replacement: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, attribute)
        name = replacement.__name__
        SHIMS[name] = replacement

        @wraps(original)
        def switch(*args: Any, **kwargs: Any) -> Any:
            if name in switched_off:
                return original(*args, **kwargs)
            return replacement(original, *args, **kwargs)

        setattr(owner, attribute, switch)
        return replacement

    return decorate


# -- shims -----------------------------------------------------------------------------------------


@shim(fs_server, "query_request")
async def errors_as_sql_errors(original: Any, request: Request) -> Response:
    """A statement fakesnow cannot run ends in HTTP 500, which the connector retries for ever."""
    response: Response = await original(request)
    if response.status_code < 500:
        return response
    message = str(json.loads(bytes(response.body)).get("message"))[:1500]
    return _sql_error("009998", "XX000", f"fakesnow cannot run this: {message}")


_QUERY_TAG = re.compile(r"(?is)^\s*(?:/\*.*?\*/\s*)?alter\s+session\s+set\s+query_tag\b")


@shim(fakesnow.cursor, "parse_one")
def query_tags(original: Any, sql: str) -> Any:
    """The session's tag, and what is set with it, is unknown there, and an error."""
    if _QUERY_TAG.match(sql):
        return original("select 'Statement executed successfully.' as status")
    return original(sql)


@shim(fakesnow.cursor, "parse_one")
def temporary_tables(original: Any, sql: str) -> Any:
    """DuckDB keeps temporary tables in a catalog of their own; dbt names them in its own."""
    statement = original(sql)
    if isinstance(statement, exp.Create) and (properties := statement.args.get("properties")):
        kept = [p for p in properties.expressions if not isinstance(p, exp.TemporaryProperty)]
        properties.set("expressions", kept)
    return statement


@shim(fakesnow.cursor, "parse_one")
def merge_columns_without_table(original: Any, sql: str) -> Any:
    """In MERGE, a bare column after INSERT VALUES or SET is the source's; there, ambiguous."""
    statement = original(sql)
    if not isinstance(statement, exp.Merge):
        return statement
    source = statement.args["using"].alias_or_name
    for when in statement.args["whens"].expressions:
        then = when.args.get("then")
        if isinstance(then, exp.Insert) and then.expression:
            values = then.expression.expressions
        elif isinstance(then, exp.Update):
            values = [assignment.expression for assignment in then.expressions]
        else:
            continue
        for column in (column for value in values for column in value.find_all(exp.Column)):
            if not column.table:
                column.set("table", exp.to_identifier(source))
    return statement


@shim(fakesnow.cursor, "parse_one")
def quoted_stages_and_copy_options(original: Any, sql: str) -> Any:
    """dlt quotes the stage's name and COPY's options; both are legal and unknown there."""
    if re.match(r"(?is)^\s*(?:put|copy\s+into|remove)\b", sql):
        if re.match(r"(?is)^\s*remove\b", sql):
            return original("select 'removed' as status")
        sql = re.sub(
            r"'(@[^'\s]+)'", lambda stage: re.sub(r'/"([^"/]+)"', r"/\1", stage.group(1)), sql
        )
        unknown = (
            r"(?i),\s*(?:BINARY_FORMAT\s*=\s*'\w+'|(?:BINARY_AS_TEXT|USE_LOGICAL_TYPE)\s*=\s*\w+)"
        )
        sql = re.sub(unknown, "", sql)
        sql = re.sub(r"(?i)MATCH_BY_COLUMN_NAME\s*=\s*'(\w+)'", r"MATCH_BY_COLUMN_NAME=\1", sql)
    return original(sql)


@shim(fs_server, "_write_bucket_file")
def json_lines_by_column_name(original: Any, path: str, body: bytes) -> Any:
    """COPY of JSON lines by column name is missing there, that of Parquet is not.

    So lines are kept as Parquet under their name. An object or array stays the JSON text it is,
    which a VARIANT column parses; a field that is missing is missing, not null.
    """
    if re.search(r"\.jsonl(\.gz)?$", path):
        lines = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        rows = [json.loads(line) for line in lines.splitlines() if line]
        names = dict.fromkeys(name for row in rows for name in row)
        table = pa.table({name: [_as_column(row.get(name)) for row in rows] for name in names})
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        body = buffer.getvalue()
    return original(path, body)


def _as_column(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


@shim(fakesnow.cursor, "parse_one")
def json_copied_as_parquet(original: Any, sql: str) -> Any:
    """The other half of json_lines_by_column_name."""
    if re.match(r"(?is)^\s*copy\s+into\b", sql) and re.search(r"(?i)MATCH_BY_COLUMN_NAME", sql):
        sql = re.sub(r"(?i)TYPE\s*=\s*'JSON'", "TYPE='PARQUET'", sql)
    return original(sql)


@shim(fakesnow.cursor, "parse_one")
def md5_number_lower64(original: Any, sql: str) -> Any:
    """The function is missing: the lower half of an MD5 as a number."""

    def spelled_out(node: exp.Expression) -> exp.Expression:
        if not isinstance(node, exp.MD5NumberLower64):
            return node
        digits = exp.func("substr", exp.func("md5", node.this), exp.Literal.number(17))
        hexadecimal = exp.DPipe(this=exp.Literal.string("0x"), expression=digits)
        return exp.Cast(this=hexadecimal, to=exp.DataType(this=exp.DType.UBIGINT))

    return original(sql).transform(spelled_out)


def _statements(sql: str) -> list[str]:
    if ";" not in sql.strip().rstrip(";"):
        return [sql]
    try:
        parsed = sqlglot.parse(sql, read="snowflake")
    except sqlglot.errors.ParseError:
        return [sql]
    found = [s for s in parsed if s is not None and not isinstance(s, exp.Semicolon)]
    return [s.sql(dialect="snowflake") for s in found] if len(found) > 1 else [sql]


@shim(Cursor, "execute")
def several_statements(original: Any, self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
    """dlt and dbt send several statements in one request; fakesnow takes one."""
    done = self
    for statement in _statements(command):
        done = original(self, statement, *args, **kwargs)
    return done


@shim(fakesnow.info_schema, "insert_table_comment_sql")
def table_comments(original: Any, catalog: str, schema: str, table: str, comment: str) -> Any:
    """A comment with an apostrophe breaks its bookkeeping, and so does, in a transaction, none."""
    if not comment:
        return "select 1"
    return original(catalog, schema, table, comment.replace("'", "''"))


@shim(fakesnow.arrow, "timestamp_to_sf_struct")
def null_timestamps(original: Any, timestamps: Any) -> Any:
    """A null timestamp arrives as 1970-01-01."""
    if isinstance(timestamps, pa.ChunkedArray):
        timestamps = timestamps.combine_chunks()
    struct = original(timestamps)
    if not timestamps.null_count:
        return struct
    return pa.StructArray.from_arrays(
        [struct.field(i) for i in range(struct.type.num_fields)],
        fields=[struct.type.field(i).with_nullable(True) for i in range(struct.type.num_fields)],
        mask=timestamps.is_null(),
    )


@shim(fakesnow.instance.FakeSnow, "connect")
def no_schema_by_signing_in(
    original: Any, self: Any, database: str, schema: str | None, **options: Any
) -> Any:
    """Signing in with a schema that is not there makes it; Snowflake then leaves it unset."""
    self.create_schema_on_connect = (schema or "PUBLIC").upper() == "PUBLIC"
    try:
        return original(self, database, schema, **options)
    finally:
        self.create_schema_on_connect = True


_FLATTEN = """
create or replace macro {catalog}._fs_flatten(input) as table
    select
        hash(to_json(input))::ubigint as seq,
        e.k as key,
        coalesce(e.k, '[' || (e.i - 1) || ']') as path,
        case when e.k is null then e.i - 1 end as index,
        e.v as value,
        to_json(input) as this
    from (
        select unnest(
            case when json_type(to_json(input)) = 'OBJECT'
                then list_transform(
                    json_keys(to_json(input)),
                    lambda x, n: struct_pack(
                        k := x, i := n::bigint, v := cast(to_json(input) -> x as json)
                    )
                )
                else list_transform(
                    cast(to_json(input) as json[]),
                    lambda x, n: struct_pack(k := null::varchar, i := n::bigint, v := x)
                )
            end,
            recursive := true
        )
    ) as e(k, i, v);
"""


@shim(fakesnow.macros, "creation_sql")
def flatten_index(original: Any, catalog: str) -> Any:
    """FLATTEN numbers an array's elements in the order DuckDB makes them, not the array's.

    The function is made with the database: this holds for those made while it is on.
    """
    return original(catalog) + _FLATTEN.format(catalog=catalog)


# -- speed -----------------------------------------------------------------------------------------


def columns_of_last_sql(self: Any) -> list[tuple[Any, ...]]:
    """DuckDB's description of the last statement, which fakesnow parses and writes anew to ask."""
    described = self._duck_conn.execute(f"describe {self._last_sql}", self._last_params)
    found: list[tuple[Any, ...]] = described.fetchall()
    return found


Cursor._describe_last_sql = columns_of_last_sql


# -- the door and the record -----------------------------------------------------------------------


class Account:
    """Who may sign in, what is refused, and what was asked."""

    def __init__(self, name: str, keys: dict[str, bytes]) -> None:
        """``keys``: user → public key, PEM."""
        self.name = name.upper()
        self.keys: dict[str, Any] = {
            user.upper(): load_pem_public_key(pem) for user, pem in keys.items()
        }
        self.refused: list[dict[str, str]] = []
        self.sessions: dict[str, int] = {}
        """Token → number of the session."""
        self.log: list[dict[str, Any]] = []

    async def login(self, request: Request) -> Response:
        data = (await _body(request))["data"]
        account, user = str(data["ACCOUNT_NAME"]).upper(), str(data["LOGIN_NAME"]).upper()
        self.log.append({"login": user, "parameters": data.get("SESSION_PARAMETERS", {})})
        if account != self.name:
            # Snowflake's front door knows no such host.
            return Response(status_code=404)
        try:
            claims = jwt.decode(data["TOKEN"], self.keys[user], algorithms=["RS256"])
        except (KeyError, jwt.InvalidTokenError):
            claims = {}
        if claims.get("sub") != f"{account}.{user}":
            return _sql_error("390144", "08001", "JWT token is invalid. [fake]")
        response: Response = await fs_server.login_request(request)
        return response

    async def query(self, request: Request) -> Response:
        sql = (await _body(request))["sqlText"]
        session = self.sessions.setdefault(fs_server.to_token(request), len(self.sessions))
        self.log.append({"sql": sql, "session": session})
        for rule in self.refused:
            if re.search(rule["pattern"], sql, re.I | re.S):
                return _sql_error("003001", "42501", f"SQL access control error:\n{rule['says']}")
        response: Response = await fs_server.query_request(request)
        return response

    async def upload(self, request: Request) -> Response:
        self.log.append({"uploaded": len(await request.body())})
        response: Response = await fs_server.bucket_upload(request)
        return response

    async def control(self, request: Request) -> Response:
        """GET: the log, and every session's token, which no log of ours may hold.

        POST: what is refused, which shims are off, whether to empty the log.
        """
        if request.method == "POST":
            order = await request.json()
            self.refused = order.get("refuse", self.refused)
            switched_off.clear()
            switched_off.update(order.get("without", ()))
            if unknown := switched_off - SHIMS.keys():
                return JSONResponse({"unknown": sorted(unknown)}, status_code=400)
            if order.get("empty_log"):
                self.log.clear()
        told = {"log": self.log, "shims": sorted(SHIMS), "tokens": list(self.sessions)}
        return JSONResponse(told)


async def _body(request: Request) -> Any:
    body = await request.body()
    return json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


def _sql_error(code: str, state: str, message: str) -> Response:
    data = {"errorCode": code, "sqlState": state}
    return JSONResponse({"data": data, "code": code, "message": message, "success": False})


def main(account: str, *users: str) -> None:
    keys = dict(user.split("=", 1) for user in users)
    door = Account(account, {user: Path(path).read_bytes() for user, path in keys.items()})
    ours = [
        Route("/-/control", door.control, methods=["GET", "POST"]),
        Route("/session/v1/login-request", door.login, methods=["POST"]),
        Route("/queries/v1/query-request", door.query, methods=["POST"]),
        Route("/fs_bucket/{path:path}", door.upload, methods=["PUT"]),
    ]
    replaced = {route.path for route in ours}
    theirs = (route for route in fs_server.app.router.routes if route.path not in replaced)
    fs_server.app.router.routes = [*ours, *theirs]
    listener = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(fs_server.app, log_level="warning", access_log=False)
    gc.disable()  # parsed statements are many small objects, and the server lives for one session
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
