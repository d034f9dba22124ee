"""What sqlfluff sees in place of a macro: a short call of the same name.

The real bodies would make a model ten times as long, and linting it as slow. They are linted by
themselves, see `tests/lint/macro_bodies.py`. How a macro is called and what it gives is read from
`macros/*.yml`, so that nothing is kept by hand here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

MACROS = Path(__file__).resolve().parents[3] / "macros"


def described(*files: Path) -> dict[str, dict[str, Any]]:
    """The macros of these files, or of all `macros/*.yml`, by name."""
    found = {}
    for path in files or sorted(MACROS.glob("*.yml")):
        for macro in yaml.safe_load(path.read_text(encoding="utf-8"))["macros"]:
            found[macro["name"]] = macro
    return found


def _stand_in(macro: dict[str, Any]) -> Callable[..., Any]:
    arguments = macro.get("arguments", [])
    names = [argument["name"] for argument in arguments]
    types = {argument["name"]: argument["type"] for argument in arguments}
    returns = macro["config"]["meta"]["returns"]

    def call(*positional: Any, **named: Any) -> Any:
        given = dict(zip(names, positional, strict=False)) | named
        if returns == "expression":
            written = [
                f"'{value}'" if types[name] == "string" else str(value)
                for name, value in given.items()
            ]
            return f"{macro['name']}({', '.join(written)})"
        if returns == "relation":
            relations = [v for name, v in given.items() if types[name] == "relation"]
            if len(relations) > 1:
                others = "".join(f" cross join {relation}" for relation in relations[1:])
                return f"(select one.* from {relations[0]} as one{others}) as {macro['name']}"
            if relations:
                return relations[0]
            return f"raw.{given['table_name']}" if "table_name" in given else macro["name"]
        if returns == "query":
            (columns,) = (v for name, v in given.items() if types[name] == "list[string]")
            return f"select {', '.join(['dataset', *columns])} from raw.versions"
        return []

    return call


globals().update({name: _stand_in(macro) for name, macro in described().items()})
