"""Builds the base commit and the working tree from the same raw data into one DuckDB file."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

Manifest = dict[str, Any]
SideName = Literal["base", "pr"]

TIMEOUT_S = 900
"""For one process; all of them together take about a minute."""

_PROFILE = """\
paris_colleges:
  target: duckdb
  outputs:
    duckdb:
      type: duckdb
      path: {path}
      schema: main
      threads: {threads}
      settings: {{TimeZone: UTC}}
"""
# Nothing else of the caller's environment reaches the code under review: no token, no account.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE", "TMPDIR", "VIRTUAL_ENV")


class ReviewError(Exception):
    """The review itself cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Problem:
    """Something that failed: what, where, and what was said."""

    name: str
    kind: str
    """``model``, ``test``, ``unit_test``, ``seed``, ``snapshot``, or ``project`` (not parsed)."""
    file: str | None
    line: int | None
    message: str


@dataclass(frozen=True)
class Side:
    """One side of the comparison as it was built."""

    name: SideName
    commit: str
    manifest: Manifest | None
    """None where the project could not be parsed."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Build time by unique id."""
    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = ()
    """Names of tests that warn."""
    skipped: Sequence[str] = ()
    """Names of what was not built because something before it failed."""


def git(project: Path, *arguments: str) -> bytes:
    """Run git in ``project``.

    Raises:
        ReviewError: git said no.
    """
    done = subprocess.run(  # noqa: S603
        ["git", "-C", str(project), *arguments],  # noqa: S607
        capture_output=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ReviewError(f"git {' '.join(arguments)} failed: {said}")
    return done.stdout


def merge_base(project: Path, base: str) -> str:
    """The commit the working tree grew from.

    Raises:
        ReviewError: ``base`` is not known here.
    """
    try:
        # --end-of-options: a branch name is data and must not be read as an option
        arguments = ("merge-base", "HEAD", "--end-of-options", base)
        return git(project, *arguments).decode().strip()
    except ReviewError as error:
        raise ReviewError(
            f"No common ancestor of HEAD and {base!r} is here. Name a branch or commit that exists "
            f"(make review BASE=...); in a shallow clone, fetch the history first. {error}"
        ) from error


@contextmanager
def checked_out(project: Path, commit: str) -> Iterator[Path]:
    """The files of a commit in a folder of their own; the repository is only read."""
    with tempfile.TemporaryDirectory(prefix="colleges-review-") as folder:
        archive = git(project, "archive", "--format=tar", commit)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def load_sample(project: Path, cache: Path) -> Path:
    """A DuckDB file with the synthetic sample in ``raw``; loaded once per state of the code.

    Raises:
        ReviewError: the working tree's own code cannot load its sample.
    """
    digest = sha256()
    code = (*(project / "ingestion").rglob("*"), *(project / "sandbox").rglob("*"))
    for file in sorted(code):
        if file.suffix in {".py", ".yml"}:
            digest.update(f"\0{file.relative_to(project)}\0".encode() + file.read_bytes())
    loaded = cache / f"raw-{digest.hexdigest()[:16]}.duckdb"
    if loaded.exists():
        return loaded
    # A short path: mongod's socket lies below it.
    with tempfile.TemporaryDirectory(prefix="colleges-review-") as folder:
        home = Path(folder)
        environment = _environment(COLLEGES_HOME=folder, COLLEGES_TARGET="duckdb")
        colleges = (sys.executable, "-m", "ingestion.cli")
        states = home / "sample"
        for arguments in (("sample", "--out", str(states)), ("run", "--no-build")):
            portals = [
                word
                for state in (sorted(states.iterdir()) if arguments[0] == "run" else ())
                for word in ("--portal", str(state))
            ]
            done = _run((*colleges, *arguments, *portals), project, environment)
            if done.returncode:
                raise ReviewError(
                    f"The synthetic sample could not be loaded (colleges {arguments[0]}, exit "
                    f"{done.returncode}), so there is no data to build from:\n{done.stderr[-3000:]}"
                )
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("raw-*.duckdb"):
            old.unlink()
        shutil.move(home / "warehouse.duckdb", loaded)
    return loaded


def build(
    project: Path, name: SideName, commit: str, warehouse: Path, work: Path, *, test: bool
) -> Side:
    """Build one side into ``warehouse`` under schemas that begin with its name.

    Models are built before any test is run: what a failing test would keep from being built is
    what a reviewer wants to see.
    """
    target = work / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    profile = _PROFILE.format(path=json.dumps(str(warehouse)), threads=os.cpu_count() or 2)
    (target / "profiles.yml").write_text(profile, encoding="utf-8")
    side = _Building(project, name, target)
    side.build(test=test)
    return Side(
        name=name,
        commit=commit,
        manifest=side.manifest,
        seconds=side.seconds,
        problems=tuple(side.problems),
        warnings=tuple(side.warnings),
        skipped=tuple(side.skipped),
    )


def write_docs(project: Path, work: Path) -> list[Path]:
    """dbt's docs of the working tree as one file and, where dbt-colibri is installed, its lineage.

    Raises:
        ReviewError: the docs cannot be written.
    """
    side = _Building(project, "pr", work / "pr")
    done = side.run("-m", "dbt.cli.main", "docs", "generate", "--static")
    if done.returncode:
        raise ReviewError(f"dbt docs generate failed:\n{done.stdout[-3000:]}")
    written = [Path(shutil.copy(side.target / "static_index.html", work / "docs.html"))]
    colibri = project / ".venv-artifacts" / "bin" / "colibri"
    if colibri.exists():
        lineage = work / "lineage"
        done = _run(
            (
                *(str(colibri), "generate", "--disable-telemetry", "--output-dir", str(lineage)),
                *("--manifest", str(side.target / "manifest.json")),
                *("--catalog", str(side.target / "catalog.json")),
            ),
            project,
            _environment(),
        )
        if done.returncode:
            raise ReviewError(f"colibri generate failed:\n{done.stderr[-3000:]}")
        written.append(Path(shutil.copy(lineage / "index.html", work / "lineage.html")))
    return written


class _Building:
    """dbt at work on one side, and what came of it so far."""

    def __init__(self, project: Path, name: SideName, target: Path) -> None:
        self.project = project
        self.name = name
        self.target = target
        self.manifest: Manifest | None = None
        self.seconds: dict[str, float] = {}
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.skipped: list[str] = []
        self.not_built: set[str] = set()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run Python with the options every command of dbt takes here."""
        command = (
            *(sys.executable, *command),
            *("--project-dir", str(self.project), "--profiles-dir", str(self.target)),
            *("--target-path", str(self.target), "--log-path", str(self.target / "logs")),
        )
        environment = _environment(
            COLLEGES_SCHEMA_PREFIX=self.name, DO_NOT_TRACK="1", COLLEGES_TARGET="duckdb"
        )
        return _run(command, self.project, environment)

    def build(self, *, test: bool) -> None:
        # -P: the folder of the script is no place to import from
        script = Path(__file__).with_name("dbt_commands.py")
        wanted = "build+test" if test else "build"
        done = self.run("-P", str(script), str(self.target), wanted)
        results = [self.target / f"results-{command}.json" for command in wanted.split("+")]
        if not results[0].exists():
            self._note_unparsed(done)
            return
        manifest: Manifest = json.loads((self.target / "manifest.json").read_text("utf-8"))
        self.manifest = manifest
        for file in filter(Path.exists, results):
            for result in json.loads(file.read_text("utf-8"))["results"]:
                self._note(manifest, result)

    def _note(self, manifest: Manifest, result: dict[str, Any]) -> None:
        unique_id = result["unique_id"]
        node = manifest["nodes"].get(unique_id) or manifest["unit_tests"].get(unique_id) or {}
        name = node.get("name", unique_id)
        is_test = unique_id.startswith(("test.", "unit_test."))
        if is_test and self.not_built & set(node.get("depends_on", {}).get("nodes", [])):
            # It fails for want of a table: the table's own failure is what is to be said.
            self.skipped.append(name)
            return
        match result["status"]:
            case "success" | "pass":
                if node.get("resource_type") in {"model", "seed", "snapshot"}:
                    self.seconds[unique_id] = result["execution_time"]
            case "warn":
                self.warnings.append(name)
            case "no-op":  # an exposure, say
                pass
            case "skipped":
                self.skipped.append(name)
                self.not_built.add(unique_id)
            case _:
                self.not_built.add(unique_id)
                message = _plain(result.get("message") or "no message")
                file, line = _locate(self.project, node, message)
                kind = unique_id.split(".")[0]
                self.problems.append(Problem(name, kind, file, line, message))

    def _note_unparsed(self, done: subprocess.CompletedProcess[str]) -> None:
        """dbt stopped before it ran anything: what it logged as errors is all there is."""
        said = []
        for line in done.stdout.splitlines():
            try:
                info = json.loads(line)["info"]
            except (ValueError, KeyError, TypeError):
                continue
            if info.get("level") == "error" and info.get("msg"):
                said.append(_plain(info["msg"]))
        message = "\n".join(said) or done.stderr[-2000:] or f"dbt ended with {done.returncode}"
        file, line_number = _locate(self.project, {}, message)
        self.problems.append(Problem("dbt", "project", file, line_number, message))


def _locate(project: Path, node: Mapping[str, Any], message: str) -> tuple[str | None, int | None]:
    """The file and, where it can be told, the line a message of dbt or DuckDB speaks of."""
    named = re.search(r"([\w./-]+\.(?:sql|ya?ml|csv|md))\b", message)
    file = node.get("original_file_path") or (named[1] if named else None)
    if file is None:
        return None, None
    path = project / file
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return file, None
    if quoted := re.search(r"^\s*LINE \d+: (.*)$", message, re.MULTILINE):
        # DuckDB counts lines of the compiled SQL; the text itself leads back to the source.
        return file, _only_line(lines, quoted[1].strip(". "))
    if numbered := re.search(r"\bline (\d+)", message):
        return file, int(numbered[1])
    if missing := re.search(r"\b(?:name|column|named) [\"']?(\w+)", message):
        return file, _only_line(lines, missing[1])
    if column := node.get("column_name"):
        return file, _only_line(lines, f"- name: {column}", whole=True)
    return file, None


def _only_line(lines: Sequence[str], text: str, *, whole: bool = False) -> int | None:
    """Number of the one line that has the text; None where none or several have."""
    found = [
        number
        for number, line in enumerate(lines, 1)
        if text and (line.strip() == text if whole else text in line)
    ]
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    """Without the colours of a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


def _environment(**settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {**kept, "PYTHONIOENCODING": "utf-8", **settings}


def _run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603
            command, cwd=folder, env=dict(environment), capture_output=True, text=True,
            check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ReviewError(
            f"{' '.join(command[:6])} took more than {TIMEOUT_S} s and was ended."
        ) from error


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Add what a step takes to ``seconds``."""
    started = time.monotonic()
    yield
    seconds[step] = time.monotonic() - started
