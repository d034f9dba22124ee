"""The code that judges a pull request is that of its base: the workflow's own step, really run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ingestion.settings import PROJECT_DIR
from tests.review.conftest import Repository

pytestmark = pytest.mark.timeout(600)


def test_a_branch_cannot_write_its_own_report(repository: Repository, tmp_path: Path) -> None:
    """It changes review/ so that every report is a tick, and loses rows of a mart."""
    run = repository.git
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT_DIR / "review", repository.path / "review", ignore=ignored)
    (repository.path / ".gitignore").write_text(".venv\ntarget\n", encoding="utf-8")
    run("add", "--all")
    run("commit", "--quiet", "--message", "the review")
    run("switch", "--quiet", "--create", "branch")
    verdict = repository.path / "review" / "verdict.py"
    verdict.write_text(
        verdict.read_text(encoding="utf-8")
        + "\n\ndef verdict(report):\n    return '✅ No difference in 56 tables'\n",
        encoding="utf-8",
    )
    ref = "from {{ ref('stg_visits') }}"
    repository.edit("models/marts/fct_visit.sql", ref, f"{ref} where id % 10 <> 3")
    run("commit", "--all", "--quiet", "--message", "nothing to see")
    run("switch", "--quiet", "--detach", "main")
    run("merge", "--quiet", "--no-ff", "--message", "merge", "branch")
    (repository.path / ".venv" / "bin").mkdir(parents=True)
    python = repository.path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    (tmp_path / "real").mkdir()
    shutil.copy(repository.path.parent / "given.duckdb", tmp_path / "real" / "raw.duckdb")

    workflow = yaml.safe_load(
        (PROJECT_DIR / ".github" / "workflows" / "review.yml").read_text(encoding="utf-8")
    )
    steps = workflow["jobs"]["review"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("name") == "Review"]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=repository.path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", ""),
            "RUNNER_TEMP": str(tmp_path),
            "REVIEW_BASE": "HEAD^1",
            "REVIEW_BASE_NAME": "main",
            "REVIEW_HEAD_NAME": "a-branch",
        },
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = (repository.path / "target" / "review" / "report.md").read_text(encoding="utf-8")
    assert report.startswith("## ⚠️ 1 mart lost rows; data of fct_visit changed\n")
    assert "`main` (" in report
    assert "→ `a-branch` (" in report
