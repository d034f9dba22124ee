"""The dataset registry: what it says, and what it refuses."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from dlt.common.normalizers.naming.snake_case import NamingConvention

from ingestion.errors import SettingsError
from ingestion.registry import REGISTRY_FILE, Portal, load_registry, registry
from ingestion.settings import PROJECT_DIR

GOOD: dict[str, Any] = {
    "portals": {"city": {"base_url": "https://portal.example"}},
    "datasets": [
        {
            "id": "les-ecoles",
            "portal": "city",
            "title": "Écoles",
            "publisher": "Ville",
            "licence": "ODbL",
            "key": ["name", "year"],
            "volume_floor": 10,
            "fields": {"name": "text", "year": ["text", "date"], "size": "int"},
        }
    ],
}


def write(folder: Path, document: Any) -> Path:
    path = folder / "datasets.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def test_the_datasets() -> None:
    assert {name: (d.portal.host, d.where is None, d.key) for name, d in registry().items()} == {
        "etablissements-scolaires-colleges": (
            "opendata.paris.fr",
            True,
            ("libelle", "annee_scol"),
        ),
        "secteurs-scolaires-colleges": ("opendata.paris.fr", True, ("libelle", "annee_scol")),
        "arrondissements": ("opendata.paris.fr", True, ("c_ar",)),
        "fr-en-adresse-et-geolocalisation-etablissements-premier-et-second-degre": (
            "data.education.gouv.fr",
            False,
            ("numero_uai",),
        ),
        "fr-en-indicateurs-valeur-ajoutee-colleges": (
            "data.education.gouv.fr",
            False,
            ("uai", "session"),
        ),
        "fr-en-ips-colleges-ap2022": (
            "data.education.gouv.fr",
            False,
            ("uai", "rentree_scolaire"),
        ),
        "fr-en-ips-colleges-ap2023": (
            "data.education.gouv.fr",
            False,
            ("uai", "rentree_scolaire"),
        ),
        "fr-en-carte-scolaire-colleges-publics": (
            "data.education.gouv.fr",
            False,
            (
                "code_insee",
                "code_postal",
                "lieu_dit",
                "type_et_libelle",
                "n_de_voie_debut",
                "indice_de_repetition_debut",
                "n_de_voie_fin",
                "indice_de_repetition_fin",
                "parite",
                "code_rne",
                "secteur_unique",
            ),
        ),
    }
    assert [d.dataset_id for d in registry().values() if d.nullable_key] == [
        "fr-en-carte-scolaire-colleges-publics"
    ]
    assert registry()["etablissements-scolaires-colleges"].volume_floor == 100
    assert registry() is registry()


def test_the_file_has_no_name_twice() -> None:
    """YAML keeps the last of two equal names without a word."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [self.construct_object(name) for name, _ in node.value]  # type: ignore[no-untyped-call]
            assert len(names) == len(set(names)), names
            return super().construct_mapping(node, deep)

    yaml.load(REGISTRY_FILE.read_text(encoding="utf-8"), Strict)


def test_an_entry(tmp_path: Path) -> None:
    dataset = load_registry(write(tmp_path, GOOD))["les-ecoles"]
    assert dataset.portal == Portal(name="city", base_url="https://portal.example")
    assert dataset.table == "city__les_ecoles"
    assert dataset.fields == {"name": ("text",), "year": ("text", "date"), "size": ("int",)}
    assert (dataset.key, dataset.where, dataset.volume_floor) == (("name", "year"), None, 10)


def test_the_fingerprint_moves_with_what_decides_a_pull_and_with_nothing_else(
    tmp_path: Path,
) -> None:
    dataset = load_registry(write(tmp_path, GOOD))["les-ecoles"]
    others = [
        dataset.model_copy(update={"dataset_id": "autres"}),
        dataset.model_copy(update={"where": "year = 1"}),
        dataset.model_copy(update={"key": ("year", "name")}),
        dataset.model_copy(
            update={"portal": Portal(name="city", base_url="https://other.example")}
        ),
    ]
    assert len({dataset.fingerprint, *(other.fingerprint for other in others)}) == 5
    same = dataset.model_copy(
        update={"title": "x", "licence": "y", "volume_floor": 1, "fields": {}}
    )
    assert same.fingerprint == dataset.fingerprint


def change(path: str, value: Any) -> Callable[[Any], None]:
    def apply(document: Any) -> None:
        *parents, last = path.split("/")
        for name in parents:
            document = document[int(name) if name.isdigit() else name]
        if value is ...:
            del document[last]
        else:
            document[int(last) if last.isdigit() else last] = value

    return apply


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (change("datasets", ...), "a list `datasets`"),
        (change("datasets", {"a": 1}), "a list `datasets`"),
        (change("portals", None), "a mapping `portals`"),
        (change("portals/city", None), "a mapping `portals`"),
        (change("portals/city/base_url", "http://portal.example"), "city: base_url"),
        (change("portals/city/base_url", "https://portal.example/api"), "city: base_url"),
        (change("portals/city/base_url", "https://me:pass@portal.example"), "city: base_url"),
        (change("portals/City", {"base_url": "https://a.example"}), "City: name"),
        (change("datasets/0", "les-ecoles"), "a list `datasets`"),
        (change("datasets/0/id", ...), "without an id: id: Field required"),
        (change("datasets/0/id", "les-ecoles\n"), "id: String should match"),
        (change("datasets/0/id", "../ecoles"), "id: String should match"),
        (change("datasets/0/portal", "town"), "les-ecoles: portal"),
        (change("datasets/0/licence", ...), "les-ecoles: licence: Field required"),
        (change("datasets/0/volume_floor", ...), "les-ecoles: volume_floor: Field required"),
        (change("datasets/0/volume_floor", -1), "volume_floor: Input should be greater"),
        (change("datasets/0/volume_floor", True), "volume_floor: Input should be a valid integer"),
        (change("datasets/0/wehre", "a = 1"), "les-ecoles: wehre: Extra inputs"),
        (change("datasets/0/where", " "), "where: String should match"),
        (change("datasets/0/where", ["a = 1"]), "where: Input should be a valid string"),
        (change("datasets/0/key", "name"), "key: Input should be a valid tuple"),
        (change("datasets/0/key", []), "key: Tuple should have at least 1"),
        (change("datasets/0/key", ["name", "name"]), "`key` must list"),
        (change("datasets/0/key", ["nom"]), "`key` must list"),
        (change("datasets/0/nullable_key", ["size"]), "`nullable_key` must list"),
        (change("datasets/0/nullable_key", ["name", "year"]), "`nullable_key` must list"),
        (change("datasets/0/fields", ["name"]), "fields: Input should be a valid dictionary"),
        (change("datasets/0/fields", {}), "fields: Dictionary should have at least 1"),
        (change("datasets/0/fields/size", "integer"), "fields.size.0: Input should be 'text'"),
        (change("datasets/0/fields/size", []), "fields.size: Tuple should have at least 1"),
        (change("datasets/0/fields/size", None), "fields.size"),
    ],
)
def test_refused_and_said_where(tmp_path: Path, apply: Callable[[Any], None], message: str) -> None:
    document = copy.deepcopy(GOOD)
    apply(document)
    with pytest.raises(SettingsError) as caught:
        load_registry(write(tmp_path, document))
    assert message in str(caught.value)


def test_a_field_name_that_yaml_takes_for_something_else(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("size: int", "size: int\n    on: text"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"fields\.1\.\[key\]"):
        load_registry(path)


@pytest.mark.parametrize(
    ("dataset_id", "table"),
    [
        ("les-ecoles", "les_ecoles"),
        ("fr-en-ips-colleges-ap2022", "fr_en_ips_colleges_ap2022"),
        ("que-faire-a-paris-", "d_que_faire_a_paris_da0aa9a7"),
        ("2024-elections", "d_2024_elections_a07c93b6"),
        ("fr-en-ecoles-effectifs-nb_classes", None),
        ("georef-france-commune@public", "d_georef_france_commune_public_eb1ab0a2"),
        ("a--b", None),
        ("A-b", None),
        ("a_b", None),
        ("a.b", None),
    ],
)
def test_a_table_has_a_name_that_neither_dlt_nor_sql_rewrites(
    dataset_id: str, table: str | None, tmp_path: Path
) -> None:
    """An id that a portal publishes is taken, and no two ids share a table."""
    document = copy.deepcopy(GOOD)
    document["datasets"][0]["id"] = dataset_id
    (dataset,) = load_registry(write(tmp_path, document)).values()
    name = dataset.table
    assert name == NamingConvention(64).normalize_tables_path(name) == name.lower()
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    if table is not None:
        assert name == f"city__{table}", "raw tables keep their names over releases"
    others = {"a-b", "a_b", "a--b", "a-b-", "A-b", "a.b", "a@b"}
    tables = {dataset.model_copy(update={"dataset_id": other}).table for other in others}
    assert len(tables) == len(others)


def test_what_else_the_portals_publish_is_taken(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    document["datasets"][0] |= {"volume_floor": 0, "nullable_key": ["year"]}
    document["datasets"][0]["fields"]["blob"] = "json_blob"
    (dataset,) = load_registry(write(tmp_path, document)).values()
    assert (dataset.volume_floor, dataset.fields["blob"]) == (0, ("json_blob",))
    assert dataset.nullable_key == {"year"}


def test_every_dataset_has_a_source_and_a_staging_model_that_counts_its_records() -> None:
    """And every source a dataset: what dbt takes from its sources is the registry's."""
    tables, counted = {}, []
    for path in (PROJECT_DIR / "models" / "staging").rglob("*.yml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for source in document.get("sources", ()):
            for table in source["tables"]:
                if dataset := table.get("config", {}).get("meta", {}).get("dataset"):
                    tables[dataset] = table["identifier"]
        for model in document.get("models", ()):
            for test in model.get("data_tests", ()):
                if isinstance(test, dict) and "present_records" in test:
                    counted.append(test["present_records"]["arguments"]["dataset"])
    assert tables == {name: dataset.table for name, dataset in registry().items()}
    assert sorted(counted) == sorted(registry())


def test_a_dataset_listed_twice(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    document["datasets"] *= 2
    with pytest.raises(SettingsError, match="listed twice"):
        load_registry(write(tmp_path, document))
    # From another portal it would take the place of the first.
    portal = next(iter(document["portals"].values()))
    document["portals"]["another"] = portal
    document["datasets"][-1] = document["datasets"][0] | {"portal": "another"}
    with pytest.raises(SettingsError, match="listed twice"):
        load_registry(write(tmp_path, document))
    with pytest.raises(SettingsError, match="lists no dataset"):
        load_registry(write(tmp_path, document | {"datasets": []}))


@pytest.mark.parametrize("content", [b"", b"- a", b"a: [", b"a: \xff", b"portals: {}"])
def test_a_file_that_is_no_registry(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "datasets.yml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"datasets\.yml"):
        load_registry(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_registry(tmp_path / "none.yml")
