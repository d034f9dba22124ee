"""`python -m ingestion.dbt …` is `dbt …` without Python's cyclic garbage collector.

The collector is a fifth of a build's processor time (benchmarks/results/models.md) and frees
nothing worth having in a process this short.
"""

import gc

from dbt.cli.main import cli

if __name__ == "__main__":
    gc.disable()
    cli(prog_name="dbt")
