"""What the macros ask of dbt, where sqlfluff renders their real bodies without one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import pass_context
from jinja2.runtime import Context


@pass_context
def _dispatch(context: Context, name: str, package: str) -> Callable[..., Any]:
    """The macro of the dialect in LINT_DIALECT."""
    macro: Callable[..., Any] = context[f"{os.environ['LINT_DIALECT']}__{name}"]
    return macro


_PROJECT = Path(__file__).resolve().parents[3] / "dbt_project.yml"
_VARS = yaml.safe_load(_PROJECT.read_text(encoding="utf-8"))["vars"]

adapter = SimpleNamespace(dispatch=_dispatch)


def load_relation(relation: object) -> object:
    """As if everything had been built."""
    return relation


def var(name: str) -> object:
    """A variable of dbt_project.yml."""
    return _VARS[name]


class _Meta(dict[str, str]):
    """Read as Jinja reads a mapping."""

    __getattr__ = dict.__getitem__


# As while a model runs, with one source that holds a dataset.
execute = True
graph = {
    "sources": {
        "one": SimpleNamespace(
            name="some_table",
            source_name="some_source",
            config=SimpleNamespace(meta=_Meta(dataset="some-dataset")),
        )
    }
}
