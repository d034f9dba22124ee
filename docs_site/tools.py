"""The two sites of others inside the site: dbt's own docs, and dbt-colibri's column lineage."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from ingestion.errors import BuildError
from ingestion.settings import PROJECT_DIR, Settings

logger = logging.getLogger(__name__)

TIMEOUT_S = 900
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script", re.DOTALL | re.IGNORECASE)
WAY_BACK = (
    '<a href="../en/index.html" target="_self" style="position:fixed;left:50%;bottom:8px;'
    "transform:translateX(-50%);z-index:9999;padding:4px 12px;border-radius:8px;background:#1a5fd0;"
    'color:#fff;font:600 13px system-ui,sans-serif;text-decoration:none">← paris-colleges</a>'
)
COLIBRI = PROJECT_DIR / ".venv-artifacts" / "bin" / "colibri"


def describe(settings: Settings, target_path: Path) -> Path:
    """Let dbt compile the project and describe the warehouse.

    Args:
        settings: which warehouse.
        target_path: of the build. dbt works in ``docs/`` below it: in the same directory it would
            overwrite the results of the build.

    Returns:
        The directory that holds dbt's ``index.html``, ``manifest.json`` and ``catalog.json``.

    Raises:
        BuildError: dbt said no.
    """
    docs = target_path / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):  # what the build parsed need not be parsed again
        shutil.copy2(target_path / "partial_parse.msgpack", docs)
    _run(
        "dbt docs generate",
        [
            *(sys.executable, "-m", "ingestion.dbt", "--quiet", "docs", "generate"),
            *("--project-dir", str(PROJECT_DIR)),
            *("--profiles-dir", os.environ.get("DBT_PROFILES_DIR") or str(PROJECT_DIR)),
            *("--target", settings.target, "--target-path", str(docs)),
        ],
        COLLEGES_HOME=str(settings.home),
    )
    return docs


def dbt_page(docs: Path, out: Path) -> None:
    """Write dbt's docs as one file, ``out/index.html``.

    `dbt docs generate --static` puts the JSON in as it is: a description with </script> in it would
    end the script.

    Args:
        docs: the directory that `describe` returned.
        out: a directory, made if need be.

    Raises:
        BuildError: this dbt's page has no place for the JSON.
    """
    page = (docs / "index.html").read_text(encoding="utf-8")
    for name in ("manifest", "catalog"):
        content = (docs / f"{name}.json").read_text(encoding="utf-8")
        placeholder = f'"{name.upper()}.JSON INLINE DATA"'
        if placeholder not in page:
            raise BuildError(f"dbt's docs page has no place for {name}.json: dbt has changed.")
        # Within JSON, < stands in strings only.
        page = page.replace(placeholder, content.replace("<", "\\u003c"))
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text(_with_way_back(_sealed(page)), encoding="utf-8")


def column_lineage(docs: Path, out: Path) -> Path:
    """Write the column lineage as one file, ``out/index.html``.

    Args:
        docs: the directory that `describe` returned.
        out: a directory, made if need be.

    Returns:
        The lineage as JSON, beside dbt's files.

    Raises:
        BuildError: dbt-colibri is not installed, failed, or could not follow a column.
    """
    if not COLIBRI.exists():
        raise BuildError(
            f"No dbt-colibri at {COLIBRI}: `make docs` installs it, `make .venv-artifacts/ready`"
            " alone."
        )
    working = docs / "lineage"
    said = _run(
        "dbt-colibri",
        [
            *(str(COLIBRI), "generate", "--disable-telemetry", "--output-dir", str(working)),
            *("--manifest", str(docs / "manifest.json"), "--catalog", str(docs / "catalog.json")),
        ],
        DBT_COLIBRI_NO_VERSION_CHECK="1",
    )
    # It goes on without the columns it could not follow, and says so in its log alone.
    if lost := [line for line in said.splitlines() if "[ERROR]" in line]:
        raise BuildError(
            f"dbt-colibri could not follow {len(lost)} columns to where they come from, the first:"
            f" {lost[0]}. Its version and sqlglot's are pinned in requirements/artifacts.in."
        )
    page = (working / "index.html").read_text(encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text(_with_way_back(_sealed(page)), encoding="utf-8")
    return working / "colibri-manifest.json"


def _sealed(page: str) -> str:
    """A page of another's that may run its own scripts and nothing else, and ask nobody anything.

    dbt's docs put a description into an element to read its text, which runs what it carries in an
    ``onerror``; dbt-colibri's page has a tracker in it, switched off.
    """
    scripts = " ".join(
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in _SCRIPT.findall(page)
    )
    # AngularJS and the graph's layout make functions out of text of their own.
    policy = (
        f"default-src 'none'; script-src {scripts} 'unsafe-eval'; style-src 'unsafe-inline';"
        " img-src data: blob: 'self'; font-src data:; worker-src blob: data:; base-uri 'none';"
        " form-action 'none'"
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return page.replace("<head>", f"<head>{meta}", 1)


def _with_way_back(page: str) -> str:
    """The page, with a link to the site's first page over its lower edge."""
    before, end, after = page.rpartition("</body>")
    return f"{before}{WAY_BACK}{end}{after}" if end else page + WAY_BACK


def read_json(path: Path) -> dict[str, object]:
    """A file that a tool wrote."""
    content: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _run(name: str, command: list[str], **environ: str) -> str:
    logger.info("%s …", name)
    try:
        done = subprocess.run(  # noqa: S603
            command,
            cwd=PROJECT_DIR,
            env=os.environ | {"DO_NOT_TRACK": "1"} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"`{name}` took more than {TIMEOUT_S} s and was ended.") from error
    if done.returncode:
        raise BuildError(f"`{name}` failed (exit {done.returncode}):\n{done.stdout[-3000:]}")
    return done.stdout
