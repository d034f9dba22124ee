"""The synthetic sample, read back from its files: sizes, shapes, and every oddity it promises."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

import sandbox.sample
from ingestion.errors import SettingsError
from ingestion.registry import Dataset, registry
from sandbox.portal import ReplayPortal, recorded_datasets
from sandbox.sample import MAX_SCALE, write_sample
from sandbox.sample.geography import Point, contains, distance_m, moved

Record = dict[str, Any]
Load = Callable[[int, str], list[Record]]

COLLEGES = "etablissements-scolaires-colleges"
SECTORS = "secteurs-scolaires-colleges"
OUTLINES = "arrondissements"
DIRECTORY = "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre"
IVAC = "fr-en-indicateurs-valeur-ajoutee-colleges"
IPS_2022 = "fr-en-ips-colleges-ap2022"
IPS_2023 = "fr-en-ips-colleges-ap2023"
DOUBLE_YEAR = "2017/2018 - 2018/2019"


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def three_cities(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sample(tmp_path_factory.mktemp("three"), scale=3)


@pytest.fixture(scope="module")
def load(states: list[Path]) -> Load:
    known: dict[tuple[int, str], list[Record]] = {}

    def records(extraction: int, dataset: str) -> list[Record]:
        key = (extraction, dataset)
        if key not in known:
            known[key] = read(states[extraction], dataset)
        return known[key]

    return records


def read(state: Path, dataset: str) -> list[Record]:
    path = state / registry()[dataset].portal.host / dataset / "records.jsonl"
    with path.open("rb") as file:
        return [json.loads(line) for line in file]


def metadata(state: Path, dataset: str) -> Record:
    path = state / registry()[dataset].portal.host / dataset / "dataset.json"
    document: Record = json.loads(path.read_text(encoding="utf-8"))
    return document


def key_of(record: Record, dataset: Dataset) -> tuple[Any, ...]:
    return tuple(record[name] for name in dataset.key)


def in_paris(record: Record) -> bool:
    return record.get("code_departement") == "075" or record.get("departement") == "PARIS"


def point_of(record: Record) -> Point:
    return record["geo_point_2d"]["lon"], record["geo_point_2d"]["lat"]


def shape_point(record: Record) -> Point | None:
    shape = record["geo_shape"]
    if shape is None:
        return None
    longitude, latitude = shape.get("geometry", shape)["coordinates"]
    return longitude, latitude


def by_name(records: list[Record], year: str) -> dict[str, Record]:
    return {r["libelle"]: r for r in records if r["annee_scol"] == year}


def names_in(records: list[Record], year: str) -> set[str]:
    return set(by_name(records, year))


def plain(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def digests(states: list[Path]) -> dict[str, str]:
    root = states[0].parent
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for state in states
        for path in sorted(state.rglob("*"))
        if path.is_file()
    }


# Writing.


def test_same_bytes_in_another_process(states: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sandbox.sample import write_sample;"
        "write_sample(Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(command, check=True, timeout=60, env=environment)
    assert digests([tmp_path / state.name for state in states]) == digests(states)


def test_another_seed_is_another_city(states: list[Path], tmp_path: Path) -> None:
    other = write_sample(tmp_path, seed=1)
    names = {record["libelle"] for record in read(states[0], COLLEGES)}
    assert len(names & {record["libelle"] for record in read(other[0], COLLEGES)}) < 10


def test_states_are_in_chronological_order(states: list[Path]) -> None:
    processed = [
        metadata(state, COLLEGES)["metas"]["default"]["data_processed"] for state in states
    ]
    assert len(states) == 4
    assert processed == sorted(set(processed))
    assert [state.name for state in states] == sorted(state.name for state in states)


def test_every_state_holds_the_registry_and_says_it_is_synthetic(states: list[Path]) -> None:
    for state in states:
        expected = {(d.portal.host, d.dataset_id) for d in registry().values()}
        assert set(recorded_datasets(state)) == expected
        for dataset in registry().values():
            document = metadata(state, dataset.dataset_id)
            assert document["synthetic"] is True
            metas = document["metas"]["default"]
            assert metas["title"] == f"Synthetic sample - {dataset.title}"
            assert metas["publisher"].startswith("Synthetic sample")
            assert metas["records_count"] == len(read(state, dataset.dataset_id))


def test_fields_are_those_of_the_registry(states: list[Path]) -> None:
    for state in states:
        for dataset in registry().values():
            fields = {
                field["name"]: field["type"]
                for field in metadata(state, dataset.dataset_id)["fields"]
            }
            assert set(fields) <= set(dataset.fields)
            for name, kind in fields.items():
                assert kind in dataset.fields[name]
            for record in read(state, dataset.dataset_id):
                assert set(record) == set(fields)


def test_a_dataset_the_sample_does_not_know_is_left_out_and_listed(
    states: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    known = registry()
    new = known[OUTLINES].model_copy(update={"dataset_id": "a-new-one"})
    monkeypatch.setattr(sandbox.sample, "registry", lambda: {"a-new-one": new, **known})
    with caplog.at_level("INFO"):
        written = write_sample(tmp_path)
    assert "no records of a-new-one" in caplog.text
    assert digests(written) == digests(states)


def test_refuses_to_replace_what_is_not_synthetic(tmp_path: Path) -> None:
    folder = tmp_path / "2025-02" / "portal.example" / "schools"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text('{"dataset_id": "schools"}')
    with pytest.raises(SettingsError, match="not synthetic"):
        write_sample(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "2025-02"]


@pytest.mark.parametrize("scale", [0, MAX_SCALE + 1])
def test_scale_out_of_range(tmp_path: Path, scale: int) -> None:
    with pytest.raises(SettingsError, match="scale"):
        write_sample(tmp_path, scale=scale)


# Sizes.


def test_volumes(load: Load) -> None:
    years = [Counter(r["annee_scol"] for r in load(number, COLLEGES)) for number in range(4)]
    first = {DOUBLE_YEAR: 115, "2019-2020": 114, "2020-2021": 114, "2021-2022": 114}
    assert years == [
        first,
        first | {"2021-2022": 113},
        {"2021-2022": 114, "2023-2024": 114},
        {"2023-2024": 114, "2024/2025": 114},
    ]
    for number in range(4):
        assert len(load(number, SECTORS)) == 110
        assert len(load(number, OUTLINES)) == 20


def test_volumes_of_the_ministry(load: Load) -> None:
    natures = (340, 350, 352)
    schools = [r for r in load(0, DIRECTORY) if in_paris(r) and r["nature_uai"] in natures]
    assert Counter(r["secteur_public_prive_libe"] for r in schools) == {"Public": 114, "Privé": 103}
    sessions: dict[str, Counter[str]] = defaultdict(Counter)
    for record in filter(in_paris, load(3, IVAC)):
        sessions[record["session"]][record["secteur"]] += 1
    assert dict(sessions) == {
        session: {"PU": 113, "PR": 54} for session in ("2022", "2023", "2024", "2025")
    }
    for extraction, dataset, rentrees in ((3, IPS_2022, 1), (0, IPS_2023, 1), (3, IPS_2023, 3)):
        sectors = Counter(r["secteur"] for r in load(extraction, dataset) if in_paris(r))
        assert sectors == {"public": 114 * rentrees, "privé sous contrat": 63 * rentrees}


def test_volume_floors_are_cleared_through_the_portal(states: list[Path]) -> None:
    for state in states:
        with ReplayPortal(state) as portal:
            for dataset in registry().values():
                url = (
                    f"{portal.base_url(dataset.portal.host)}/api/explore/v2.1/catalog/datasets/"
                    f"{dataset.dataset_id}"
                )
                query = {"where": dataset.where} if dataset.where else {}
                count = requests.get(
                    f"{url}/records", params={**query, "limit": "0"}, timeout=10
                ).json()["total_count"]
                export = requests.get(f"{url}/exports/jsonl", params=query, timeout=10)
                assert export.content.count(b"\n") == count >= dataset.volume_floor
                everything = metadata(state, dataset.dataset_id)["metas"]["default"]
                if dataset.where:
                    assert count < everything["records_count"]


def test_keys_are_unique(three_cities: list[Path]) -> None:
    for state in three_cities:
        for dataset in registry().values():
            records = read(state, dataset.dataset_id)
            keys = {key_of(record, dataset) for record in records}
            assert len(keys) == len(records)


# Scale.


def test_city_zero_is_the_same_at_every_scale(states: list[Path], three_cities: list[Path]) -> None:
    for small, large in zip(states, three_cities, strict=True):
        for dataset in registry().values():
            path = Path(dataset.portal.host, dataset.dataset_id, "records.jsonl")
            lines = (small / path).read_bytes()
            assert (large / path).read_bytes().startswith(lines)


def test_three_cities(three_cities: list[Path]) -> None:
    colleges = read(three_cities[0], COLLEGES)
    assert len(colleges) == 3 * 457
    cities = Counter(record["arr_insee"][:-2] for record in colleges)
    assert cities == {"751": 457, "752": 457, "753": 457}
    first_year = [r for r in colleges if r["annee_scol"] == DOUBLE_YEAR]
    assert len({r["libelle"] for r in first_year}) == 3 * 115
    outlines = read(three_cities[0], OUTLINES)
    assert {r["c_ar"] for r in outlines} == {n + 100 * k for n in range(1, 21) for k in range(3)}
    assert {str(r["c_arinsee"]) for r in outlines} == {
        f"{751 + k}{n:02d}" for n in range(1, 21) for k in range(3)
    }
    for a in first_year:
        for b in first_year:
            if a["arr_insee"][:3] < b["arr_insee"][:3]:
                assert distance_m(point_of(a), point_of(b)) > 1000
    directory = [r for r in read(three_cities[0], DIRECTORY) if in_paris(r)]
    codes = [r["numero_uai"] for r in directory]
    assert len(set(codes)) == len(codes)
    for code in codes:
        assert re.fullmatch(r"\d{7}[A-Z]", code)
        assert code[7] == "ABCDEFGHJKLMNPRSTUVWXYZ"[int(code[:7]) % 23]


# Geography.


def rings(records: list[Record]) -> dict[str, list[Point]]:
    return {
        str(int(record["c_arinsee"])): [
            (x, y) for x, y in record["geom"]["geometry"]["coordinates"][0]
        ]
        for record in records
    }


def test_outlines_tile_the_city(load: Load) -> None:
    edges: Counter[tuple[Point, Point]] = Counter()
    for ring in rings(load(0, OUTLINES)).values():
        assert ring[0] == ring[-1]
        assert 10 <= len(ring) - 1 <= 30
        edges.update((min(a, b), max(a, b)) for a, b in pairwise(ring))
    assert set(edges.values()) == {1, 2}
    # What only one arrondissement has is one closed line, and the parts fill what it encloses.
    border: dict[Point, list[Point]] = defaultdict(list)
    for (a, b), count in edges.items():
        if count == 1:
            border[a].append(b)
            border[b].append(a)
    start = here = next(iter(border))
    walked = [start]
    while True:
        here = next((p for p in border[here] if p not in walked[-2:]), start)
        if here == start:
            break
        walked.append(here)
    assert len(walked) == len(border)
    parts = sum(shoelace(ring) for ring in rings(load(0, OUTLINES)).values())
    assert shoelace([*walked, start]) == pytest.approx(parts, rel=1e-9)
    total = sum(record["surface"] for record in load(0, OUTLINES))
    assert 95e6 < total < 120e6


def shoelace(ring: list[Point]) -> float:
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring))) / 2


def test_every_college_lies_in_its_arrondissement(three_cities: list[Path]) -> None:
    for state in three_cities:
        there = rings(read(state, OUTLINES))
        for record in read(state, COLLEGES):
            assert contains(there[record["arr_insee"]], point_of(record))
            number = int(record["arr_insee"][-2:])
            assert record["arr_libelle"] == ("1er Ardt" if number == 1 else f"{number}ème Ardt")


# Collèges, over the years.


def test_three_ways_to_write_a_year_and_a_gap(load: Load) -> None:
    labels = {r["annee_scol"] for number in range(4) for r in load(number, COLLEGES)}
    assert {DOUBLE_YEAR, "2020-2021", "2024/2025"} <= labels
    assert not any("2022" in label.split("/")[0].split("-")[0] for label in labels)


def test_one_closure_and_two_renames(load: Load) -> None:
    colleges = load(0, COLLEGES)
    years = [DOUBLE_YEAR, "2019-2020", "2020-2021", "2021-2022"]
    sets = [{plain(name) for name in names_in(colleges, year)} for year in years]
    gone = sets[0] - sets[1]
    assert len(gone) == 2
    (article_dropped,) = {name.removeprefix("LA") for name in gone} & sets[1]
    assert sets[1] - sets[0] == {article_dropped}
    (correct,), (misspelt,) = sets[1] - sets[2], sets[2] - sets[1]
    assert misspelt == correct[:-1]
    assert sets[2] == sets[3]
    assert len(set.union(*sets)) == 117


def test_rename_by_a_typing_error_at_the_same_place(load: Load) -> None:
    before, after = (by_name(load(0, COLLEGES), year) for year in ("2019-2020", "2020-2021"))
    (old,), (new,) = set(before) - set(after), set(after) - set(before)
    assert plain(old) != plain(new)
    assert distance_m(point_of(before[old]), point_of(after[new])) < 0.002
    assert after[new]["adresse"] is None
    assert [r["adresse"] for r in load(0, COLLEGES)].count(None) == 1
    later = by_name(load(2, COLLEGES), "2023-2024")[new]["adresse"]
    assert later == before[old]["adresse"].replace("-ET-", " ET ") != before[old]["adresse"]


def test_relocation_and_the_point_that_came_back(load: Load) -> None:
    first, second = (by_name(load(0, COLLEGES), year) for year in (DOUBLE_YEAR, "2019-2020"))
    (name,) = (n for n in first if n not in second and n.removeprefix("LA ") in second)
    before, after = first[name], second[name.removeprefix("LA ")]
    later = by_name(load(2, COLLEGES), "2023-2024")[after["libelle"]]
    assert distance_m(point_of(before), point_of(after)) == pytest.approx(245, abs=0.1)
    assert distance_m(point_of(before), point_of(later)) < 0.01
    assert before["adresse"] != after["adresse"] == later["adresse"]
    (listed,) = (r for r in load(2, DIRECTORY) if plain(r["patronyme_uai"]) == plain(name))
    assert plain(listed["adresse_uai"]) == plain(before["adresse"])


def moves(records: list[Record], later: list[Record], years: tuple[str, str]) -> list[float]:
    before, after = by_name(records, years[0]), by_name(later, years[1])
    return sorted(
        distance
        for name in set(before) & set(after)
        if plain(before[name]["adresse"] or "") == plain(after[name]["adresse"] or "")
        and (distance := distance_m(point_of(before[name]), point_of(after[name]))) > 1
    )


def test_points_that_move_under_an_unchanged_address(load: Load) -> None:
    first, third, fourth = load(0, COLLEGES), load(2, COLLEGES), load(3, COLLEGES)
    assert moves(first, first, (DOUBLE_YEAR, "2019-2020")) == []
    (nudge,) = moves(first, first, ("2019-2020", "2020-2021"))
    assert nudge == pytest.approx(23.5, abs=0.1)
    assert moves(first, first, ("2020-2021", "2021-2022")) == []
    (back,) = moves(third, third, ("2021-2022", "2023-2024"))
    assert back == pytest.approx(245, abs=0.1)
    (drift,) = moves(fourth, fourth, ("2023-2024", "2024/2025"))
    assert drift == pytest.approx(238, abs=0.1)


def test_about_sixty_addresses_change_case_only(load: Load) -> None:
    before, after = (by_name(load(0, COLLEGES), year) for year in ("2019-2020", "2020-2021"))
    changed = [
        name
        for name in set(before) & set(after)
        if before[name]["adresse"] != after[name]["adresse"]
        and before[name]["adresse"].upper() == after[name]["adresse"]
    ]
    assert 50 <= len(changed) <= 65


def test_elision_comes_and_goes(load: Load) -> None:
    found = [
        [
            r["adresse"]
            for r in by_name(load(0, COLLEGES), year).values()
            if re.search(r"AVENUE D' ?AUB", r["adresse"] or "")
        ]
        for year in (DOUBLE_YEAR, "2019-2020", "2020-2021")
    ]
    assert [len(addresses) for addresses in found] == [1, 1, 1]
    assert "D' " in found[0][0]
    assert found[1][0] == found[0][0].replace("D' ", "D'")
    assert found[2] == found[0]


def test_street_number_lost_and_found(load: Load) -> None:
    history: dict[str, dict[str, Any]] = defaultdict(dict)
    for number in (0, 2):
        for record in load(number, COLLEGES):
            history[record["libelle"]][record["annee_scol"]] = record["adresse"]
    (found,) = (
        addresses
        for addresses in history.values()
        if addresses.get("2020-2021") and not addresses["2020-2021"][0].isdigit()
    )
    assert found["2020-2021"] == found["2021-2022"]
    assert found["2019-2020"][0].isdigit()
    assert found["2019-2020"] == found["2023-2024"]
    assert plain(found["2019-2020"]).endswith(plain(found["2020-2021"]))
    assert " MAC " in found["2020-2021"]
    assert found[DOUBLE_YEAR].upper() == found["2019-2020"] != found[DOUBLE_YEAR]


def test_respelling_by_a_hyphen(load: Load) -> None:
    before, after = (names_in(load(2, COLLEGES), year) for year in ("2021-2022", "2023-2024"))
    (old,), (new,) = before - after, after - before
    assert "-" in old
    assert new == old.replace("-", " ")


def test_type_is_null_in_the_older_rows(load: Load) -> None:
    types = {(r["annee_scol"], r["type_etabl"]) for r in load(0, COLLEGES)}
    assert types == {
        (DOUBLE_YEAR, None),
        ("2019-2020", None),
        ("2020-2021", "Collège"),
        ("2021-2022", "Collège"),
    }


def test_names_are_upper_case_without_accents(load: Load) -> None:
    for record in load(0, COLLEGES):
        assert re.fullmatch(r"[A-Z' -]+", record["libelle"])


def test_noise_of_up_to_a_millimetre_between_years(load: Load) -> None:
    first, second = (by_name(load(0, COLLEGES), year) for year in ("2020-2021", "2021-2022"))
    found = [
        math.dist(
            *(
                moved_m(shape_point(records[name]), shape_point(first[name]))
                for records in (first, second)
            )
        )
        for name in set(first) & set(second)
    ]
    assert max(found) < 0.0011
    assert sum(distance > 0 for distance in found) == len(found)


def moved_m(point: Point | None, origin: Point | None) -> Point:
    """East and north of the origin, in metres: what is left of a degree after 15 digits."""
    assert point is not None
    assert origin is not None
    return (point[0] - origin[0]) * 73_200, (point[1] - origin[1]) * 111_195


def test_older_points_are_cut_to_twelve_digits_where_shapes_are_not(load: Load) -> None:
    for record in load(0, COLLEGES):
        point, shape = point_of(record), shape_point(record)
        assert shape is not None
        assert point == tuple(float(f"{value:.12g}") for value in shape)
    digits = [len(repr(shape_point(record)[0])) for record in load(0, COLLEGES)]  # type: ignore[index]
    assert sum(count > 14 for count in digits) > 400
    for record in load(2, COLLEGES):
        if record["annee_scol"] == "2023-2024":
            assert point_of(record) == shape_point(record)


def test_row_order_is_arbitrary_and_changes(load: Load) -> None:
    orders = [[r["libelle"] for r in load(number, COLLEGES)] for number in range(2)]
    assert orders[0] != sorted(orders[0])
    years = [r["annee_scol"] for r in load(0, COLLEGES)]
    assert years != sorted(years)
    assert orders[0][:20] != orders[1][:20]


# Extractions.


def test_second_extraction_is_the_first_written_otherwise(states: list[Path], load: Load) -> None:
    for dataset in registry().values():
        if dataset.dataset_id == COLLEGES:
            continue
        texts = [
            {key_of(r, dataset): r for r in load(number, dataset.dataset_id)} for number in range(2)
        ]
        assert texts[0] == texts[1]
        path = Path(dataset.portal.host, dataset.dataset_id, "records.jsonl")
        lines = [set((states[number] / path).read_bytes().splitlines()) for number in range(2)]
        assert not lines[0] & lines[1]
    assert {type(r["nb_candidats_g"]) for r in load(0, IVAC)} == {int}
    assert {type(r["nb_candidats_g"]) for r in load(1, IVAC)} == {float}
    assert {type(r["c_arinsee"]) for r in load(1, OUTLINES)} == {float}
    raw = (states[1] / "opendata.paris.fr" / COLLEGES / "records.jsonl").read_bytes()
    assert rb"Coll\u00e8ge" in raw
    assert list(load(1, COLLEGES)[0]) == list(reversed(load(0, COLLEGES)[0]))


def test_second_extraction_makes_four_real_edits(load: Load) -> None:
    def content(record: Record) -> tuple[Any, ...]:
        longitude, latitude = shape_point(record) or (0.0, 0.0)
        values = {n: v for n, v in record.items() if not n.startswith("geo_")}
        return (*sorted(values.items()), round(longitude, 9), round(latitude, 9))

    first, second = (
        {(r["libelle"], r["annee_scol"]): r for r in load(number, COLLEGES)} for number in range(2)
    )
    gone, new = set(first) - set(second), set(second) - set(first)
    assert {year for _, year in gone | new} == {"2021-2022"}
    ((renamed, _),) = new
    (old,) = (name for name, _ in gone if plain(name) == plain(renamed))
    assert old == renamed.replace("-", " ")
    assert content(first[old, "2021-2022"])[:1] == content(second[renamed, "2021-2022"])[:1]
    ((missing, _),) = gone - {(old, "2021-2022")}
    assert missing in names_in(load(2, COLLEGES), "2021-2022")

    close = [
        key
        for key in set(first) & set(second)
        if {n: v for n, v in first[key].items() if not n.startswith("geo_")}
        != {n: v for n, v in second[key].items() if not n.startswith("geo_")}
    ]
    ((corrected, year),) = close
    before, after = first[corrected, year]["adresse"], second[corrected, year]["adresse"]
    assert (before[:3], after[:3]) == ("21 ", "12 ")
    assert after == first[corrected, "2020-2021"]["adresse"]


def test_coordinates_differ_from_the_eleventh_decimal_between_extractions(load: Load) -> None:
    first, second = (
        {(r["libelle"], r["annee_scol"]): shape_point(r) for r in load(number, COLLEGES)}
        for number in range(2)
    )
    differences = [
        abs(a[axis] - b[axis])
        for key in set(first) & set(second)
        for axis in range(2)
        if (a := first[key]) and (b := second[key])
    ]
    assert max(differences) < 1e-10
    assert sum(difference > 0 for difference in differences) > 0.9 * len(differences)


def test_years_are_withdrawn(load: Load) -> None:
    keys = [{(r["libelle"], r["annee_scol"]) for r in load(n, COLLEGES)} for n in range(4)]
    assert len(keys[1] - keys[2]) == 115 + 114 + 114
    assert len(keys[2] - keys[3]) == 114


def test_labels_are_reworded_later(load: Load) -> None:
    labels = [
        {r["id_projet"] for r in load(number, COLLEGES) if r["annee_scol"] == "2023-2024"}
        for number in (2, 3)
    ]
    assert [len(found) for found in labels] == [1, 1]
    assert labels[0] != labels[1]


def test_bare_geometries_and_a_missing_one(load: Load) -> None:
    kinds = Counter(
        None if r["geo_shape"] is None else r["geo_shape"]["type"]
        for r in load(3, COLLEGES)
        if r["annee_scol"] == "2024/2025"
    )
    assert kinds[None] == 1
    assert kinds["Point"] > 20
    assert kinds["Feature"] > 60
    assert {r["geo_shape"]["type"] for r in load(0, COLLEGES)} == {"Feature"}


# Sectors.


def test_old_sectors_name_the_second_college_in_the_label_alone(load: Load) -> None:
    shared = [r for r in load(0, SECTORS) if r["zone_commune"] == "1"]
    names = names_in(load(0, COLLEGES), DOUBLE_YEAR)
    assert len(shared) == 4
    for record in shared:
        first, second = record["etiquette"].removeprefix("Secteur des collèges ").split(" / ")
        assert record["lib_etab_1"] == first
        assert record["lib_etab_2"] is None
        assert {first, second} <= names
    for record in load(0, SECTORS):
        assert record["geo_shape"] is None
        assert record["geo_point_2d"] is None
    seen = {r["lib_etab_1"] for r in load(0, SECTORS)}
    seen |= {r["etiquette"].split(" / ")[-1] for r in shared}
    assert len(names - seen) == 1  # one collège has no sector


def test_new_sectors_fill_both_slots_and_break_lines(load: Load) -> None:
    shared = [r for r in load(2, SECTORS) if r["zone_commune"] == "1"]
    names = names_in(load(2, COLLEGES), "2023-2024")
    assert len(shared) == 3
    for record in shared:
        members = [record["lib_etab_1"], record["lib_etab_2"]]
        assert set(members) <= names
        assert record["adr_etab_2"] is not None
        assert record["etiquette"] == "Secteur commun des collèges \n" + " \n".join(members)
        assert re.fullmatch(r"SMC [A-Z-]+ / [A-Z-]+", record["libelle"])
        assert record["libelle"] not in names
    listed = {r[f"lib_etab_{slot}"] for r in load(2, SECTORS) for slot in (1, 2)} - {None}
    assert {plain(name) for name in listed - names} < {plain(name) for name in names}
    assert len(listed - names) == 1  # spelled with its hyphen
    assert len({plain(name) for name in names} - {plain(name) for name in listed}) == 1


def test_the_closed_college_shared_its_sector(load: Load) -> None:
    first, second = (names_in(load(0, COLLEGES), y) for y in (DOUBLE_YEAR, "2019-2020"))
    (closed,) = (n for n in first - second if n.removeprefix("LA ") not in second)
    assert any(closed in r["etiquette"] for r in load(0, SECTORS) if r["zone_commune"] == "1")
    assert not any(closed in r["etiquette"] for r in load(2, SECTORS))


def test_sector_geometries_are_blocks_some_invalid(load: Load) -> None:
    crossed = 0
    for record in load(2, SECTORS):
        geometry = record["geo_shape"]["geometry"]
        assert geometry["type"] == "MultiPolygon"
        for (ring,) in geometry["coordinates"]:
            assert ring[0] == ring[-1]
            assert len(ring) == 5
        (first,) = geometry["coordinates"][0]
        crossed += crosses(first)
        assert record["st_area_shape"] > 0
    assert 3 <= crossed <= 20
    blocks = [len(r["geo_shape"]["geometry"]["coordinates"]) for r in load(2, SECTORS)]
    assert sum(blocks) / len(blocks) > 4


def crosses(ring: list[list[float]]) -> bool:
    def side(p: list[float], q: list[float], r: list[float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    def meet(a: int, b: int) -> bool:
        p, q, r, s = ring[a], ring[a + 1], ring[b], ring[b + 1]
        return side(p, q, r) * side(p, q, s) < 0 and side(r, s, p) * side(r, s, q) < 0

    return meet(0, 2) or meet(1, 3)


# Directory.


def test_directory_spells_in_mixed_case_and_keeps_what_the_city_lost(load: Load) -> None:
    public = {
        plain(r["patronyme_uai"]): r
        for r in load(0, DIRECTORY)
        if in_paris(r) and r["nature_uai"] == 340 and r["secteur_public_prive_libe"] == "Public"
    }
    names = {plain(name) for name in names_in(load(0, COLLEGES), "2021-2022")}
    odd = names - set(public)
    # misspelt by the city; without its article; last name alone; ST for SAINT
    assert len(odd) == 4
    for record in public.values():
        assert record["appellation_officielle"].startswith("Collège ")
        assert record["appellation_officielle"] != record["appellation_officielle"].upper()
        assert record["denomination_principale"] == "COLLEGE"
    assert any("é" in r["appellation_officielle"].removeprefix("Collège") for r in public.values())
    assert sum(name[:-1] in odd for name in public) == 1
    assert sum(name.startswith("LA") and name[2:] in odd for name in public) == 1
    assert sum(name.startswith("SAINT") and "ST" + name[5:] in odd for name in public) == 1


def test_private_homonyms_are_close(load: Load) -> None:
    outlines = rings(load(0, OUTLINES))
    neighbours = {
        (a, b)
        for a, first in outlines.items()
        for b, second in outlines.items()
        if set(first) & set(second)
    }
    public: dict[str, Record] = {}
    private: dict[str, Record] = {}
    for record in load(0, DIRECTORY):
        if in_paris(record) and record["nature_uai"] == 340:
            group = public if record["secteur_public_prive_libe"] == "Public" else private
            group[record["patronyme_uai"]] = record
    shared = set(public) & set(private)
    assert len(shared) == 3
    for name in shared:
        a, b = public[name], private[name]
        distance = distance_m((a["longitude"], a["latitude"]), (b["longitude"], b["latitude"]))
        assert 100 < distance < 1300
        assert (a["code_commune"], b["code_commune"]) in neighbours


def test_directory_has_what_filters_must_drop(load: Load) -> None:
    records = load(0, DIRECTORY)
    assert {r["nature_uai"] for r in records if in_paris(r)} == {151, 302, 340, 350, 352, 390}
    assert {r["code_departement"] for r in records} == {"075", "092", "093", "013", "001"}
    names = {r["patronyme_uai"] for r in records if in_paris(r)}
    assert any(r["patronyme_uai"] in names for r in records if not in_paris(r))


def test_directory_over_time(load: Load) -> None:
    lists = [{r["numero_uai"]: r for r in load(number, DIRECTORY)} for number in range(4)]
    assert set(lists[0]) == set(lists[1])
    assert len(set(lists[2]) - set(lists[1])) == 1
    assert len(set(lists[2]) - set(lists[3])) == 1
    renamed = [
        code
        for code in set(lists[1]) & set(lists[2])
        if lists[1][code]["patronyme_uai"] != lists[2][code]["patronyme_uai"]
    ]
    assert len(renamed) == 1
    assert max(r["date_ouverture"] for r in lists[0].values() if in_paris(r)) == "2099-01-01"
    assert set(load(3, DIRECTORY)[0]) - set(load(2, DIRECTORY)[0]) == {"sigle", "rnb"}
    assert {type(r["etat_etablissement"]) for r in load(2, DIRECTORY)} == {str}
    assert {type(r["etat_etablissement"]) for r in load(3, DIRECTORY)} == {int}


def test_directory_points_are_near_the_college(load: Load) -> None:
    colleges = {plain(n): r for n, r in by_name(load(0, COLLEGES), DOUBLE_YEAR).items()}
    distances = [
        distance_m(point_of(colleges[name]), (r["longitude"], r["latitude"]))
        for r in load(0, DIRECTORY)
        if in_paris(r)
        and r["nature_uai"] == 340
        and r["secteur_public_prive_libe"] == "Public"
        and (name := plain(r["patronyme_uai"])) in colleges
    ]
    assert len(distances) > 105
    assert max(distances) <= 81


# Results and social position.


def test_sessions_do_not_hold_the_same_schools(load: Load) -> None:
    sets: dict[str, set[str]] = defaultdict(set)
    for record in filter(in_paris, load(3, IVAC)):
        sets[record["session"]].add(record["uai"])
    assert len({frozenset(found) for found in sets.values()}) == 4


def test_value_added_is_null_where_numbers_are_small(load: Load) -> None:
    small = [r for r in load(3, IVAC) if r["va_du_taux_de_reussite_g"] is None]
    assert len(small) > 10
    assert max(r["nb_candidats_g"] for r in small) < 30
    for record in load(3, IVAC):
        assert 0 <= record["taux_de_reussite_g"] <= 100
        parts = sum(record[f"nb_mentions_{kind}_g"] for kind in ("ab", "b", "tb"))
        assert parts == record["nb_mentions_global_g"] <= record["nb_candidats_g"]
        assert min(record[f"nb_mentions_{kind}_g"] for kind in ("ab", "b", "tb")) >= 0
        assert 0 < record["note_a_l_ecrit_g"] <= 20


def test_ivac_columns_come_and_go(load: Load) -> None:
    old, new = set(load(2, IVAC)[0]), set(load(3, IVAC)[0])
    assert old - new == {"part_presents_3eme_ordinaire_g", "part_presents_3eme_ordinaire_p"}
    assert len(new - old) == 5


def test_social_position_in_text_then_in_numbers(load: Load) -> None:
    assert "nom_de_l_etablissment" in load(0, IPS_2022)[0]
    assert {type(r["ips"]) for r in load(0, IPS_2022)} == {float}
    assert {type(r["ips"]) for r in load(2, IPS_2023)} == {str}
    assert {type(r["ips"]) for r in load(3, IPS_2023)} == {float, type(None)}
    spreads = [r["ecart_type_de_l_ips"] for r in load(2, IPS_2023)]
    assert "NA" in spreads
    assert any("." not in spread for spread in spreads)
    paris = {r["code_du_departement"] for r in load(2, IPS_2023) if in_paris(r)}
    assert paris == {"75", "075"}
    for record in load(0, IPS_2022):
        assert 45 <= record["ips"] <= 185


def test_moved_goes_where_it_says() -> None:
    assert distance_m((2.35, 48.86), moved((2.35, 48.86), 500, 1.0)) == pytest.approx(500, abs=0.1)
