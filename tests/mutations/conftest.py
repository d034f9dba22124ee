"""The compiled project, once for all cases, and the cases of each file."""

from __future__ import annotations

import pytest

from tests.mutations.compiled import Project, load_project


@pytest.fixture(scope="session")
def project() -> Project:
    """dbt compiles it once per content of its files; see `tests/mutations/compiled.py`."""
    return load_project()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`test_case` of a file runs once for each of its `CASES`."""
    if "case" in metafunc.fixturenames:
        cases = metafunc.module.CASES
        metafunc.parametrize("case", cases, ids=[case.name for case in cases])
