"""What the portals hold, and when: the sample is four recorded states of the same cities."""

from __future__ import annotations

from dataclasses import dataclass

# How the city writes its school years: three ways. It never published 2022-2023.
YEARS = (
    "2017/2018 - 2018/2019",
    "2019-2020",
    "2020-2021",
    "2021-2022",
    "2023-2024",
    "2024/2025",
)
# The sectors' own spelling, by index of YEARS.
SECTOR_YEARS = {0: "2017-2018", 4: "2023-2024", 5: "2024-2025"}
SESSIONS = (2022, 2023, 2024, 2025)
RENTREES = (2022, 2023, 2024, 2025)


@dataclass(frozen=True)
class Extraction:
    """One recorded state."""

    name: str
    processed_at: str
    years: tuple[int, ...]
    """Of the collèges: indices of ``YEARS``."""
    sector_year: int
    """Of the sectors: index of ``YEARS``."""
    sessions: tuple[int, ...]
    """Of the IVAC."""
    rentrees: tuple[int, ...]
    """Of the second IPS dataset; the first holds 2022 alone."""
    is_first: bool = False
    """Holds the mistakes that the second corrects, and coordinates as first computed."""
    is_reencoded: bool = False
    """The records of the first with other digits, key order and escapes, and ``86.0`` for 86."""
    has_later_directory: bool = False
    """One school more in the directory, and one under another name."""
    has_new_columns: bool = False
    """The layouts of 2025: columns come and go, text becomes numbers, labels are reworded."""


EXTRACTIONS = (
    Extraction(
        name="2025-02",
        processed_at="2025-02-03T02:11:00+00:00",
        years=(0, 1, 2, 3),
        sector_year=0,
        sessions=(2022, 2023),
        rentrees=(2023,),
        is_first=True,
    ),
    Extraction(
        name="2025-06",
        processed_at="2025-06-16T02:14:00+00:00",
        years=(0, 1, 2, 3),
        sector_year=0,
        sessions=(2022, 2023),
        rentrees=(2023,),
        is_reencoded=True,
    ),
    Extraction(
        name="2025-11",
        processed_at="2025-11-17T03:05:00+00:00",
        years=(3, 4),
        sector_year=4,
        sessions=(2022, 2023, 2024),
        rentrees=(2023, 2024),
        has_later_directory=True,
    ),
    Extraction(
        name="2026-10",
        processed_at="2026-10-12T02:09:00+00:00",
        years=(4, 5),
        sector_year=5,
        sessions=SESSIONS,
        rentrees=(2023, 2024, 2025),
        has_later_directory=True,
        has_new_columns=True,
    ),
)
