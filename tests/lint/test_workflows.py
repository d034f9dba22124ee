"""What the workflows promise and no linter looks at."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.settings import PROJECT_DIR

WORKFLOWS = sorted((PROJECT_DIR / ".github" / "workflows").glob("*.yml"))


def read(name: str) -> dict[str, Any]:
    text = (PROJECT_DIR / ".github" / "workflows" / name).read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


def test_the_makefile_takes_the_python_the_workflow_set_up(tmp_path: Path) -> None:
    """A runner has other versions on its PATH, and the Makefile prefers the newest it knows."""
    for name in ("python", "python3.13", "python3.12"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for settings, expected in (({}, f"{tmp_path}/python3.13"), ({"PYTHON": "python"}, "python")):
        shown = subprocess.run(
            ["make", "--dry-run", "--always-make", "install-dev"],
            cwd=PROJECT_DIR, env=environment | settings, capture_output=True, text=True,
            check=True, timeout=60,
        ).stdout  # fmt: skip
        assert f'"{expected}" -m venv .venv' in shown


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_workflow_names_the_python_it_set_up(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "actions/setup-python" in text:
        assert read(path.name)["env"]["PYTHON"] == "python"


def review_step() -> dict[str, Any]:
    (job,) = read("review.yml")["jobs"].values()
    (step,) = [step for step in job["steps"] if step.get("name") == "Review"]
    return dict(step)


def test_the_review_compares_with_the_base_of_the_merge() -> None:
    """What GitHub checks out is a merge into the base as it is now: its first parent."""
    settings = review_step()["env"]
    assert settings["REVIEW_BASE"] == "HEAD^1"
    assert settings["REVIEW_BASE_NAME"] == "${{ github.base_ref }}"
    assert settings["REVIEW_HEAD_COMMIT"] == "${{ github.event.pull_request.head.sha }}"


def test_each_setting_of_the_review_is_an_option_of_it() -> None:
    """They reach it as variables, and click passes over one that it does not know."""
    from review.__main__ import main

    known = {f"REVIEW_{str(parameter.name).upper()}" for parameter in main.params}
    assert set(review_step()["env"]) <= known


def test_every_folder_of_tests_is_in_one_job() -> None:
    job = read("ci.yml")["jobs"]["test"]
    words = [w for part in job["strategy"]["matrix"]["part"] for w in part["tests"].split()]
    with (PROJECT_DIR / "pyproject.toml").open("rb") as file:
        folders = tomllib.load(file)["tool"]["pytest"]["ini_options"]["testpaths"]
    assert sorted(words.count(folder) for folder in folders) == [1] * len(folders)
