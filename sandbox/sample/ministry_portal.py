"""What the ministry's portal says of an invented city: directory, results, social position.

Shapes are those of the real records; the layouts of 2025 are kept apart, since columns came and
went. Some records of other départements and other kinds of school are there to be filtered out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sandbox.sample import names
from sandbox.sample.city import ASSOCIATION, PUBLIC_COLLEGES, PUBLIC_CONTRACT, City, College, uai
from sandbox.sample.extractions import RENTREES, SESSIONS, Extraction
from sandbox.sample.geography import Point, lambert93
from sandbox.sample.names import capitals

Record = dict[str, Any]

_FIRST_OTHER_INDEX = 300  # of UAI numbers in a city: beyond its public and private collèges
_SMALL = 30  # candidates below which no value added is given


class Departement(NamedTuple):
    """One that is not Paris."""

    prefix: int
    name: str
    academie: str
    town: str
    longitude: float
    latitude: float


_OTHERS = (
    Departement(92, "Hauts-de-Seine", "Versailles", "Villeneuve-le-Clos", 2.18, 48.78),
    Departement(93, "Seine-Saint-Denis", "Créteil", "Bourg-le-Sec", 2.49, 48.91),
    Departement(13, "Bouches-du-Rhône", "Aix-Marseille", "Mas-les-Pins", 5.38, 43.31),
    Departement(1, "Ain", "Lyon", "Saint-Étang", 5.21, 46.2),
)


@dataclass(slots=True)
class School:
    """An establishment of the directory, and what is measured of it."""

    uai: str
    kind: str
    """``Collège``, ``Collège privé`` …: what stands before its name."""
    name: str
    """Mixed case, with accents."""
    is_public: bool
    contract: tuple[str, str]
    nature: int
    nature_name: str
    quality: float
    address: str
    point: Point
    departement: Departement | None
    """None: Paris."""
    arrondissement: int
    insee_code: str
    opened_on: str

    @property
    def has_results(self) -> bool:
        """Public, or private under contract: the schools the ministry measures."""
        return self.nature == 340 and self.contract[0] in ("99", "30", "31", "20")


@dataclass(slots=True)
class Ministry:
    """The schools of one city and its surroundings, with results and positions, drawn once."""

    schools: list[School]
    results: list[tuple[int, School, Record]]
    """(session, school, measures)."""
    positions: list[tuple[int, School, float, float, int]]
    """(rentrée, school, IPS, its standard deviation, pupils)."""


def build_ministry(city: City, seed: int) -> Ministry:
    """Draw what the ministry knows of a city; the same whatever the scale."""
    rng = random.Random(f"ministry {seed} {city.number}")  # noqa: S311 - invention, not secrets
    schools = [*_public(city, rng), *_private(city, rng), *_elsewhere(city, rng)]
    measured = [school for school in schools if school.has_results]
    results = [
        (session, school, _measures(rng, school, session))
        for session in SESSIONS
        for rank, school in enumerate(measured)
        # A session lacks some schools, and not the same ones every time.
        if (rank + 31 * session) % (PUBLIC_COLLEGES - 1 if school.is_public else 7) != 0
    ]
    positions = [
        (rentree, school, *_position(rng, school)) for rentree in RENTREES for school in measured
    ]
    return Ministry(schools, results, positions)


_NATURES = {
    151: "ECOLE DE NIVEAU ELEMENTAIRE",
    302: "LYCEE D ENSEIGNEMENT GENERAL ET TECHNOLOGIQUE",
    340: "COLLEGE",
    350: "COLLEGE CLIMATIQUE",
    352: "COLLEGE SPECIALISE",
    390: "SECTION D ENSEIGNEMENT GENERAL ET PROFESSIONNEL ADAPTE",
}


def _public(city: City, rng: random.Random) -> Iterator[School]:
    for college in city.colleges:
        if college.role == "closed":
            continue
        yield _school(rng, city, college, "Collège", 340)
        if college.role in ("no_sector", "saint"):
            # Its section for pupils in difficulty has a UAI of its own, under the same name.
            annex = _school(rng, city, college, "Section d'enseignement adapté du collège", 390)
            annex.uai = uai(city.number, _FIRST_OTHER_INDEX + (college.role == "saint"))
            yield annex


def _school(rng: random.Random, city: City, college: College, kind: str, nature: int) -> School:
    return School(
        uai=college.uai,
        kind=kind,
        name=college.directory_name,
        is_public=True,
        contract=PUBLIC_CONTRACT,
        nature=nature,
        nature_name=_NATURES[nature],
        quality=college.quality,
        address=college.directory_address,
        point=college.directory_point,
        departement=None,
        arrondissement=college.arrondissement,
        insee_code=city.insee_code(college.arrondissement),
        opened_on=_opened_on(rng),
    )


def _private(city: City, rng: random.Random) -> Iterator[School]:
    for index, private in enumerate(city.private_schools):
        if private.nature == 352:
            kind = "Collège privé pour handicapés"
        elif private.nature == 350:
            kind = "Collège privé climatique"
        elif private.contract[0] == "10":
            kind = "Ecole secondaire privée"
        else:
            kind = "Collège privé"
        yield School(
            uai=private.uai,
            kind=kind,
            name=private.name,
            is_public=False,
            contract=private.contract,
            nature=private.nature,
            nature_name=_NATURES[private.nature],
            quality=private.quality,
            address=private.address,
            point=private.point,
            departement=None,
            arrondissement=private.arrondissement,
            insee_code=city.insee_code(private.arrondissement),
            opened_on="2099-01-01" if index == _OPENS_IN_2099 else _opened_on(rng),
        )


# Places among a city's private schools.
_RENAMED, _CLOSES, _OPENS_IN_2099, _OPENS = 10, 40, 70, 103


def _elsewhere(city: City, rng: random.Random) -> Iterator[School]:
    """Records that the registry's filters must drop: other natures, other départements."""
    index = _FIRST_OTHER_INDEX + 30
    offset_x, offset_y = city.offset
    for college in rng.sample(city.colleges, 8):
        nature = 302 if index % 2 else 151
        kind = "Lycée" if nature == 302 else "Ecole élémentaire"
        school = _school(rng, city, college, kind, nature)
        school.uai = uai(city.number, index)
        yield school
        index += 1
    for departement in _OTHERS:
        for rank in range(4):
            homonym = city.colleges[(index * 7) % PUBLIC_COLLEGES]
            is_public = rank < 3
            yield School(
                uai=uai(city.number, index, departement.prefix),
                kind="Collège" if is_public else "Collège privé",
                name=str(homonym.person) if rank == 0 else names.surname(rng),
                is_public=is_public,
                contract=PUBLIC_CONTRACT if is_public else ASSOCIATION,
                nature=340,
                nature_name=_NATURES[340],
                quality=rng.random(),
                address=str(names.address(rng)),
                point=(
                    departement.longitude + offset_x + rng.uniform(-0.03, 0.03),
                    departement.latitude + offset_y + rng.uniform(-0.03, 0.03),
                ),
                departement=departement,
                arrondissement=0,
                insee_code=f"{departement.prefix:02d}{index:03d}",
                opened_on=_opened_on(rng),
            )
            index += 1


def _opened_on(rng: random.Random) -> str:
    return f"{rng.randint(1955, 2019)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


# The directory.


def directory_records(city: City, ministry: Ministry, extraction: Extraction) -> Iterator[Record]:
    """One record per establishment."""
    private = {school.uai: index for index, school in enumerate(city.private_schools)}
    for school in ministry.schools:
        name, index = school.name, private.get(school.uai)
        if extraction.has_later_directory:
            if index == _RENAMED:
                name = f"{name} et Sainte-{city.private_schools[0].name.split()[-1]}"
            if index == _CLOSES and extraction.has_new_columns:
                continue
        elif index == _OPENS:
            continue
        record = _establishment(school, name)
        if extraction.has_new_columns:
            record["etat_etablissement"] = 1
            record["secteur_prive_code_type_contrat"] = int(school.contract[0])
            record["sigle"] = "CLG" if school.is_public else "CLG PR"
            record["rnb"] = None
        yield record


def _establishment(school: School, name: str) -> Record:
    x, y = lambert93(school.point)
    longitude, latitude = school.point
    elsewhere = school.departement
    if elsewhere is None:
        town, postcode, commune = "PARIS", f"750{school.arrondissement:02d}", _commune(school)
        departement, academie, code = "Paris", "Paris", "075"
    else:
        town, postcode = capitals(elsewhere.town), f"{elsewhere.prefix:02d}000"
        commune, departement, academie = elsewhere.town, elsewhere.name, elsewhere.academie
        code = f"{elsewhere.prefix:03d}"
    return {
        "numero_uai": school.uai,
        "appellation_officielle": f"{school.kind} {name}",
        "denomination_principale": capitals(school.kind),
        "patronyme_uai": capitals(name),
        "secteur_public_prive_libe": "Public" if school.is_public else "Privé",
        "adresse_uai": school.address,
        "lieu_dit_uai": None,
        "boite_postale_uai": None,
        "code_postal_uai": postcode,
        "localite_acheminement_uai": town,
        "libelle_commune": commune,
        "coordonnee_x": round(x, 1),
        "coordonnee_y": round(y, 1),
        "epsg": "EPSG:2154",
        "latitude": latitude,
        "longitude": longitude,
        "appariement": "Parfaite",
        "localisation": "Numéro de rue",
        "nature_uai": school.nature,
        "nature_uai_libe": school.nature_name,
        "etat_etablissement": "1",
        "etat_etablissement_libe": "OUVERT",
        "code_departement": code,
        "code_region": "11",
        "code_academie": "01",
        "code_commune": school.insee_code,
        "libelle_departement": departement,
        "libelle_region": "Ile-de-France",
        "libelle_academie": academie,
        "position": {"lon": longitude, "lat": latitude},
        "secteur_prive_code_type_contrat": school.contract[0],
        "secteur_prive_libelle_type_contrat": school.contract[1],
        "code_ministere": "06",
        "libelle_ministere": "MINISTERE DE L'EDUCATION NATIONALE",
        "date_ouverture": school.opened_on,
    }


def _commune(school: School) -> str:
    number = school.arrondissement
    return "Paris  1er Arrondissement" if number == 1 else f"Paris {number:>2}e  Arrondissement"


# Exam results.


def _measures(rng: random.Random, school: School, session: int) -> Record:
    quality = min(1.0, max(0.0, rng.gauss(school.quality, 0.06) + (session - 2022) * 0.004))
    candidates = rng.randint(60, 170)
    if not school.is_public:
        candidates = rng.randint(9, 28) if rng.random() < 0.2 else rng.randint(35, 160)
    is_small = candidates < _SMALL
    success = float(min(100, round(71 + 28 * quality + rng.gauss(0, 3))))
    mentions = int(candidates * success / 100 * (0.4 + 0.55 * quality))
    very_good = int(mentions * (0.2 + 0.4 * quality))
    good = int(mentions * 0.28)
    vocational = rng.randint(8, 25) if school.is_public and rng.random() < 0.1 else None
    return {
        "nb_candidats_g": candidates,
        "taux_de_reussite_g": success,
        "va_du_taux_de_reussite_g": None if is_small else float(round(rng.gauss(0, 3))),
        "nb_candidats_p": vocational,
        "taux_de_reussite_p": None if vocational is None else float(rng.randint(20, 95)),
        "note_a_l_ecrit_g": round(8.3 + 6.4 * quality + rng.gauss(0, 0.3), 1),
        "va_de_la_note_g": None if is_small else round(rng.gauss(0, 0.6), 1),
        "note_a_l_ecrit_p": None if vocational is None else round(rng.uniform(4, 9), 1),
        "taux_d_acces_6eme_3eme": None if rng.random() < 0.003 else float(rng.randint(68, 99)),
        "part_presents_3eme_ordinaire_total": float(rng.randint(93, 100)),
        "part_presents_3eme_ordinaire_g": (
            float(rng.randint(90, 100)) if session == 2022 or vocational is not None else None
        ),
        "part_presents_3eme_ordinaire_p": (
            None if vocational is None else float(rng.randint(80, 100))
        ),
        "part_presents_3eme_segpa_total": (
            float(rng.randint(70, 100)) if rng.random() < 0.09 else None
        ),
        "nb_mentions_ab_g": mentions - good - very_good,
        "nb_mentions_b_g": good,
        "nb_mentions_tb_g": very_good,
        "nb_mentions_global_g": mentions,
    }


_GONE_FROM_IVAC = ("part_presents_3eme_ordinaire_g", "part_presents_3eme_ordinaire_p")


def ivac_records(ministry: Ministry, extraction: Extraction) -> Iterator[Record]:
    """One record per establishment and exam session."""
    for session, school, measures in ministry.results:
        if session not in extraction.sessions:
            continue
        elsewhere = school.departement
        departement = "PARIS" if elsewhere is None else capitals(elsewhere.name)
        academie = "PARIS" if elsewhere is None else capitals(elsewhere.academie)
        record: Record = {
            "session": str(session),
            "uai": school.uai,
            "nom_de_l_etablissement": capitals(f"{school.kind} {school.name}"),
            "commune": (
                f"PARIS {school.arrondissement:02d}"
                if elsewhere is None
                else capitals(elsewhere.town)
            ),
        }
        sector = "PU" if school.is_public else "PR"
        if extraction.has_new_columns:
            yield record | {
                "code_region_academique": "10",
                "region_academique": "ILE-DE-FRANCE",
                "code_academie": "01",
                "academie": academie,
                "code_departement": "75" if elsewhere is None else f"{elsewhere.prefix:02d}",
                "departement": departement,
                "secteur": sector,
                **{name: value for name, value in measures.items() if name not in _GONE_FROM_IVAC},
                "code_region_insee": "11",
            }
        else:
            yield record | {
                "departement": departement,
                "academie": academie,
                "secteur": sector,
                **measures,
            }


# Social position.


def _position(rng: random.Random, school: School) -> tuple[float, float, int]:
    ips = min(165.0, max(60.0, 74 + 72 * rng.gauss(school.quality, 0.03)))
    return round(ips, 1), round(rng.uniform(22, 43), 1), rng.randint(240, 720)


def ips_2022_records(ministry: Ministry) -> Iterator[Record]:
    """One record per establishment, rentrée 2022."""
    for rentree, school, ips, spread, pupils in ministry.positions:
        if rentree == 2022:
            yield {
                "rentree_scolaire": "2022-2023",
                **_academie(school, "075"),
                "uai": school.uai,
                # The portal's own misspelling.
                "nom_de_l_etablissment": capitals(f"{school.kind} {school.name}"),
                **_ips_commune(school),
                "secteur": _ips_sector(school),
                "effectifs": float(pupils),
                "ips": ips,
                "ecart_type_de_l_ips": spread,
            }


@cache
def _comparators(rentree: int) -> Record:
    """The same on every line of a rentrée."""
    averages = {
        "national": (124.1, 100.9, 105.9),
        "academique": (139.8, 113.2, 122.6),
        "departemental": (139.8, 113.2, 122.6),
    }
    return {
        f"ips_{area}{suffix}": round(value + 0.3 * (rentree - 2023), 1)
        for area, values in averages.items()
        for suffix, value in zip(("_prive", "_public", ""), values, strict=True)
    }


def ips_2023_records(city: City, ministry: Ministry, extraction: Extraction) -> Iterator[Record]:
    """One record per establishment and rentrée from 2023 on: numbers as text, then as numbers."""
    for line, (rentree, school, ips, spread, _) in enumerate(ministry.positions):
        if rentree not in extraction.rentrees:
            continue
        # Too few pupils to say.
        known_ips = None if line % 170 == 3 else ips
        known_spread = None if line % 60 == 3 else spread
        numbers = {
            "ips": known_ips,
            "ecart_type_de_l_ips": known_spread,
            **_comparators(rentree),
        }
        code = "075" if rentree == 2023 else "75"
        identity = {
            "uai": school.uai,
            "nom_de_l_etablissement": capitals(f"{school.kind} {school.name}"),
            "secteur": _ips_sector(school),
        }
        if extraction.has_new_columns:
            yield {
                "rentree_scolaire": f"{rentree}-{rentree + 1}",
                "code_region": "10",
                "region_insee": "11",
                "region_academique": "ILE-DE-FRANCE",
                "code_academie": "01",
                **_academie(school, code),
                **_ips_commune(school),
                **identity,
                **numbers,
                "position": {"lon": school.point[0], "lat": school.point[1]},
            }
        else:
            yield {
                "num_ligne": float(city.number * 1000 + line),
                "rentree_scolaire": f"{rentree}-{rentree + 1}",
                "code_region": "10",
                "region_academique": "ILE-DE-FRANCE",
                "code_academie": "01",
                **_academie(school, code),
                **_ips_commune(school),
                **identity,
                **{
                    name: "NA" if value is None else f"{value:g}" for name, value in numbers.items()
                },
            }


def _academie(school: School, paris: str) -> Record:
    elsewhere = school.departement
    if elsewhere is None:
        return {"academie": "PARIS", "code_du_departement": paris, "departement": "PARIS"}
    return {
        "academie": capitals(elsewhere.academie),
        "code_du_departement": f"{elsewhere.prefix:0{len(paris)}d}",
        "departement": capitals(elsewhere.name),
    }


def _ips_commune(school: School) -> Record:
    if school.departement is not None:
        town = capitals(school.departement.town).replace("-", " ")
    else:
        number = school.arrondissement
        town = f"PARIS {'1ER' if number == 1 else f'{number}E'} ARRONDISSEMENT"
    return {"code_insee_de_la_commune": school.insee_code, "nom_de_la_commune": town}


def _ips_sector(school: School) -> str:
    return "public" if school.is_public else "privé sous contrat"


def street_range_records(city: City, extraction: Extraction) -> Iterator[Record]:
    """Ranges of house numbers with their collège.

    Each collège has its own street and a few more, whole, and one that it shares with the next
    collège of its arrondissement: odd and even numbers part at different places. The extraction
    with the new columns has one such place corrected. Communes with one collège, elsewhere, have
    no street.
    """
    rng = random.Random(f"streets {city.number}")  # noqa: S311 - invention, not secrets
    taken: set[tuple[str, str]] = set()
    colleges = [c for c in city.colleges if c.role not in ("closed", "no_sector")]
    for rank, college in enumerate(colleges):
        insee_code = city.insee_code(college.arrondissement)
        neighbour = colleges[(rank + 1) % len(colleges)]
        if neighbour.arrondissement != college.arrondissement:
            neighbour = college
        own = _plain_street(college.directory_address)
        shared = _plain_street(f"1 rue {college.person}")
        more = [_plain_street(str(names.address(rng))) for _ in range(_MORE_STREETS)]
        for street, other in ((own, college), (shared, neighbour), *((s, college) for s in more)):
            if (insee_code, street) in taken:
                continue
            taken.add((insee_code, street))
            for first, parity in ((1, "I"), (2, "P")):
                last = first + 2 * (10 + rank % 7)
                if rank == _CORRECTED and extraction.has_new_columns:
                    last += 4
                if other is college:
                    yield _range(insee_code, street, first, 9999, parity, college.uai)
                else:
                    yield _range(insee_code, street, first, last, parity, college.uai)
                    yield _range(insee_code, street, last + 2, 9999, parity, other.uai)
    for departement in _OTHERS:
        code = f"{departement.prefix:02d}"
        yield {
            **_range(f"{code}001", None, None, None, None, uai(city.number, 1, departement.prefix)),
            "libelle_commune": f"{departement.town} {city.number}",
            "code_departement": f"0{code}",
            "secteur_unique": "O",
        }


_CORRECTED = 7
_MORE_STREETS = 5


def _plain_street(address: str) -> str:
    """``12 bis rue de l'Essai`` as the ministry's ranges write the street: ``RUE DE L ESSAI``."""
    street = capitals(address).lstrip("0123456789 ").removeprefix("BIS ")
    return street.replace("'", " ").replace("-", " ").replace("  ", " ")


def _range(
    insee_code: str,
    street: str | None,
    first: int | None,
    last: int | None,
    parity: str | None,
    college: str,
) -> Record:
    return {
        "code_region": "11",
        "libelle_region": "ILE-DE-FRANCE",
        "code_academie": "01",
        "libelle_academie": "PARIS",
        "code_departement": "075",
        "libelle_departement": "PARIS",
        "code_postal": None,
        "code_insee": insee_code,
        "libelle_commune": "Paris",
        "lieu_dit": None,
        "type_et_libelle": street,
        "n_de_voie_debut": first,
        "indice_de_repetition_debut": None,
        "n_de_voie_fin": last,
        "indice_de_repetition_fin": None,
        "parite": parity,
        "code_rne": college,
        "secteur_unique": "N",
    }
