"""The dataset registry: what it says, and what it refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestion.errors import RegistryError
from ingestion.registry import REGISTRY_FILE, Portal, load_registry, registry

GOOD: dict[str, Any] = {
    "portals": {"city": {"base_url": "https://portal.example/"}},
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
    assert dataset.portal == Portal("city", "https://portal.example")
    assert dataset.table == "city__les_ecoles"
    assert dataset.fields == {"name": ("text",), "year": ("text", "date"), "size": ("int",)}
    assert (dataset.key, dataset.where, dataset.volume_floor) == (("name", "year"), None, 10)


def test_the_fingerprint_moves_with_what_decides_a_pull_and_with_nothing_else(
    tmp_path: Path,
) -> None:
    dataset = load_registry(write(tmp_path, GOOD))["les-ecoles"]
    others = [
        replace(dataset, dataset_id="autres"),
        replace(dataset, where="year = 1"),
        replace(dataset, key=("year", "name")),
        replace(dataset, portal=Portal("city", "https://other.example")),
    ]
    assert len({dataset.fingerprint, *(other.fingerprint for other in others)}) == 5
    same = replace(dataset, title="x", licence="y", volume_floor=1, fields={})
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
        (change("datasets", []), "lists no dataset"),
        (change("datasets", {"a": 1}), "a list `datasets`"),
        (change("portals", None), "a mapping `portals`"),
        (change("portals/city", None), "city needs a `base_url`"),
        (change("portals/city/base_url", "http://portal.example"), "city needs a `base_url`"),
        (change("portals/city/base_url", "https://portal.example/api"), "without a path"),
        (change("portals/city/base_url", "https://me:pass@portal.example"), "city needs"),
        (change("portals/City", {"base_url": "https://a.example"}), "'City' must be"),
        (change("datasets/0", "les-ecoles"), "no mapping: 'les-ecoles'"),
        (change("datasets/0/id", ...), "(no id)"),
        (change("datasets/0/id", "Les-Ecoles"), "`id` must be"),
        (change("datasets/0/id", "les-ecoles\n"), "`id` must be"),
        (change("datasets/0/id", "les_ecoles"), "`id` must be"),
        (change("datasets/0/portal", "town"), "les-ecoles: unknown portal 'town'"),
        (change("datasets/0/portal", ["city"]), "les-ecoles: unknown portal"),
        (change("datasets/0/licence", ...), "les-ecoles: missing licence"),
        (change("datasets/0/volume_floor", ...), "les-ecoles: missing volume_floor"),
        (change("datasets/0/volume_floor", 0), "`volume_floor` must be"),
        (change("datasets/0/volume_floor", True), "`volume_floor` must be"),
        (change("datasets/0/volume_floor", 1.5), "`volume_floor` must be"),
        (change("datasets/0/wehre", "a = 1"), "les-ecoles: unknown wehre"),
        (change("datasets/0/where", ""), "`where` must be"),
        (change("datasets/0/where", ["a = 1"]), "`where` must be"),
        (change("datasets/0/key", "name"), "`key` must list"),
        (change("datasets/0/key", []), "`key` must list"),
        (change("datasets/0/key", ["name", "name"]), "`key` must list"),
        (change("datasets/0/key", ["nom"]), "`key` must list"),
        (change("datasets/0/key", [["name"]]), "`key` must list"),
        (change("datasets/0/fields", ["name"]), "`fields` must map"),
        (change("datasets/0/fields", {}), "`fields` must map"),
        (change("datasets/0/fields/size", "integer"), "size has unknown type ['integer']"),
        (change("datasets/0/fields/size", ["int", None]), "size has unknown type [None]"),
        (change("datasets/0/fields/size", [["int"]]), "size has unknown type"),
        (change("datasets/0/fields/size", []), "'size' needs"),
        (change("datasets/0/fields/size", None), "'size' needs"),
    ],
)
def test_refused_and_said_where(tmp_path: Path, apply: Callable[[Any], None], message: str) -> None:
    document = copy.deepcopy(GOOD)
    apply(document)
    with pytest.raises(RegistryError) as caught:
        load_registry(write(tmp_path, document))
    assert message in str(caught.value)


def test_a_field_name_that_yaml_takes_for_something_else(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("size: int", "size: int\n    on: text"), encoding="utf-8")
    with pytest.raises(RegistryError, match="field True needs a name"):
        load_registry(path)


def test_a_dataset_listed_twice(tmp_path: Path) -> None:
    document = copy.deepcopy(GOOD)
    document["datasets"] *= 2
    with pytest.raises(RegistryError, match="les-ecoles twice"):
        load_registry(write(tmp_path, document))


@pytest.mark.parametrize("content", [b"", b"- a", b"a: [", b"a: \xff", b"portals: {}"])
def test_a_file_that_is_no_registry(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "datasets.yml"
    path.write_bytes(content)
    with pytest.raises(RegistryError, match=r"datasets\.yml"):
        load_registry(path)
    with pytest.raises(RegistryError, match="Cannot read"):
        load_registry(tmp_path / "none.yml")
