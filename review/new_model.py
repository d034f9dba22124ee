"""``make new-model NAME=... LAYER=...``: SQL and yml of a model in the style of this project."""

from __future__ import annotations

import sys
from pathlib import Path

import click

PROJECT_DIR = Path(__file__).resolve().parent.parent
PREFIXES = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_", "bridge_", "agg_", "rpt_"),
}
SQL = """\
with

{parent} as (

    select * from {{{{ ref('{parent}') }}}}

),

final as (

    select
        {key},
        is_withdrawn
    from {parent}

)

select * from final
"""
YML = """\
models:
  - name: {name}
    description: >
      What a row is and where it comes from. Grain: what identifies it.
{never_null}    columns:
      - name: {key}
{key_type}        description: What identifies a row.
{constraint}        data_tests: [unique]
      - name: is_withdrawn
{flag_type}        description: '{{{{ doc("is_withdrawn") }}}}'
{constraint}"""
NEVER_NULL = """\
    data_tests:
      - never_null:
          arguments: {{columns: [{key}, is_withdrawn]}}
"""


def texts(name: str, layer: str, parent: str, key: str) -> tuple[str, str]:
    """SQL and yml of a model that passes on the key of its parent; a mart has typed columns."""
    typed = layer == "marts"
    sql = SQL.format(parent=parent, key=key)
    yml = YML.format(
        name=name,
        key=key,
        key_type="        data_type: varchar\n" if typed else "",
        flag_type="        data_type: boolean\n" if typed else "",
        # A mart's contract keeps nulls out of the table; elsewhere a test finds them.
        constraint="        constraints: [{type: not_null}]\n" if typed else "",
        never_null="" if typed else NEVER_NULL.format(key=key),
    )
    return sql, yml


@click.command()
@click.argument("name")
@click.argument("layer")
@click.option("--parent", default="int_college__records", show_default=True)
@click.option("--key", default="record_key", show_default=True)
@click.option("--project", default=PROJECT_DIR, type=click.Path(path_type=Path), hidden=True)
def main(name: str, layer: str, parent: str, key: str, project: Path) -> None:
    """Write models/LAYER/NAME.sql and its yml; what exists stays, and only the other is written."""
    if layer not in PREFIXES:
        sys.exit(f"LAYER is one of {', '.join(PREFIXES)}; {layer!r} is none.")
    if not name.startswith(PREFIXES[layer]) or not name.replace("_", "a").isalnum():
        sys.exit(f"A model of {layer} is named {' or '.join(p + '…' for p in PREFIXES[layer])}.")
    folder = project / "models" / layer
    for suffix, text in zip((".sql", ".yml"), texts(name, layer, parent, key), strict=True):
        file = folder / f"{name}{suffix}"
        if file.exists():
            click.echo(f"{file.relative_to(project)} exists and was left as it is.")
        else:
            file.write_text(text, encoding="utf-8")
            click.echo(f"wrote {file.relative_to(project)}")
    click.echo("Now write its query and describe its columns, then: make check")


if __name__ == "__main__":
    main()
