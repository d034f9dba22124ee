"""``dbt build`` without tests and, if asked, then ``dbt test``, in one process.

Importing dbt and parsing take longer than building the sample, and two commands would do both
twice. Run as a script, so that it is this one whatever project it builds. What each command did
goes to ``results-build.json`` and ``results-test.json`` in the target path.
"""

from __future__ import annotations

import gc
import shutil
import sys
from pathlib import Path


def main() -> int:
    """``dbt_commands.py TARGET_PATH build,test|build|test TESTS [options of dbt ...]``

    ``TESTS``: names, separated by commas, of the only tests to run; empty for all.
    """
    gc.disable()  # a fifth of the processor time, for nothing in a process this short
    from dbt.cli.main import dbtRunner

    target, wanted, tests, *options = sys.argv[1:]
    log = ["--log-format", "json"]
    parsed = dbtRunner().invoke([*log, "parse", *options])
    if not parsed.success:
        return 2
    runner = dbtRunner(manifest=parsed.result)  # type: ignore[arg-type]
    is_well = True
    for command in wanted.split(","):
        only = ["--select", *tests.split(",")] if tests else []
        if command == "build":
            only = ["--exclude-resource-type", "test", "unit_test"]
        is_well &= runner.invoke([*log, command, *options, *only]).success
        results = Path(target, "run_results.json")
        if results.exists():
            shutil.move(results, Path(target, f"results-{command}.json"))
    return int(not is_well)


if __name__ == "__main__":
    sys.exit(main())
