"""Invented names: people, schools and streets. No collège of Paris is meant."""

from __future__ import annotations

import random
import unicodedata
from functools import lru_cache
from typing import NamedTuple


def _listed(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.strip().split(separator))


_FIRST_NAMES = _listed(
    """
    Adèle Adrien Agathe Alban Alexis Alix Amélie Anaïs Anatole Angèle Anne-Marie Armand Arthur
    Aurèle Bastien Béatrice Benoît Blanche Camille Cécile Céline Clément Colette Cyprien Denise
    Édouard Éliane Élise Émile Estelle Étienne Eugénie Fabien Félix Fernande Françoise Gaspard
    Geneviève Gérard Gilles Hélène Honoré Irène Jean-Marc Jeanne Joseph Jules Laure Léon Lucien
    Madeleine Marcel Marie-Louise Mathilde Noël Odile Paul-Henri Philippe Rémi René Solange Suzanne
    Théodore Yvonne
    """
)
_STEMS = _listed(
    """
    Aub Balv Barn Bell Berth Bois Bram Brev Cald Cant Carv Chant Clav Corb Dalm Darb Delv Dorv Escl
    Fald Fav Ferv Flam Font Garb Gaud Gerv Gland Grav Haut Herv Jalb Jonv Lamb Lant Lorm Malv Marn
    Maub Merv Mirb Mont Morv Nerv Norm Orb Palm Perv Plant Pont Ralb Rav Rost Salv Serv Talm Terv
    Valm Verd Vign
    """
)
_ENDINGS = _listed(
    """
    alaud amet ancier andoux arelle aunay auvel ebois eduin elain elot encourt endre eraud erolle
    esnel eviel iac ichaud ierval ignol illon imbaud inger isset olin onnet orel oubert ouvin uchel
    urier
    """
)
_FEATURES = (
    "Clairière",
    "Fontaine",
    "Grange",
    "Prairie",
    "Roseraie",
    "Source",
    "Tannerie",
    "Treille",
)
_STREET_TYPES = (
    *("rue",) * 6,
    *("avenue",) * 2,
    "boulevard",
    "boulevard",
    "place",
    "allée",
    "passage",
)
_STREET_NAMES = _listed(
    """
    des Tilleuls, du Moulin Vert, de la Fontaine Neuve, des Trois Bornes, du Puits Clair,
    des Ormeaux, du Vieux Four, de la Haute Marche, des Deux Écluses, du Pré aux Oies,
    de la Tour Carrée, des Vanniers, du Chemin Creux, de la Croix de Pierre, des Quatre Saisons,
    du Bel Air, des Marronniers, de la Briqueterie, du Champ Fleuri, des Teinturiers,
    de la Petite Halle, du Canal Neuf, des Acacias, de la Corderie, des Sept Marches, du Clos Muré,
    de la Vieille Poste, des Grands Jardins, du Port au Sel, de la Verrerie
    """,
    ",",
)
_PRIVATE_PREFIXES = ("Saint-", "Sainte-", "Notre-Dame de ", "Institut ", "La Providence ", "Cours ")

PEOPLE = len(_FIRST_NAMES) * len(_STEMS) * len(_ENDINGS)
# Coprime to PEOPLE (only 2, 3 and 5 divide it): neighbours in the walk share no part of a name.
_STRIDE = 75_029


@lru_cache(maxsize=10_000)
def capitals(text: str) -> str:
    """As the city writes: upper case, no accents."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).upper()


class Person(NamedTuple):
    """An invented person, mixed case with accents."""

    first: str
    last: str

    def __str__(self) -> str:
        return f"{self.first} {self.last}"


class Address(NamedTuple):
    """A street address, mixed case with accents."""

    number: int
    suffix: str
    street_type: str
    street: str

    def __str__(self) -> str:
        return f"{self.number}{self.suffix} {self.street_type} {self.street}"

    def as_the_city_writes(self, *, lower_type: bool = False, numbered: bool = True) -> str:
        """``4 bis RUE DES TILLEULS``, or with the street's type in lower case, or unnumbered."""
        street_type = self.street_type if lower_type else capitals(self.street_type)
        number = f"{self.number}{self.suffix} " if numbered else ""
        return f"{number}{street_type} {capitals(self.street)}"


def person(index: int, seed: int) -> Person:
    """The ``index``-th person: all different for ``index`` in ``range(PEOPLE)``."""
    start = random.Random(f"people {seed}").randrange(PEOPLE)  # noqa: S311
    place = (start + index * _STRIDE) % PEOPLE
    surname, first = divmod(place, len(_FIRST_NAMES))
    return Person(_FIRST_NAMES[first], _surname(surname))


def grange(of: Person) -> str:
    """A school named after a place: ``La Grange Valmiac``."""
    feature = _FEATURES[_FIRST_NAMES.index(of.first) % len(_FEATURES)]
    return f"La {feature} {of.last}"


def surname(rng: random.Random) -> str:
    """Any invented surname."""
    return _surname(rng.randrange(len(_STEMS) * len(_ENDINGS)))


def private_school(rng: random.Random) -> str:
    """A private school's name."""
    return rng.choice(_PRIVATE_PREFIXES) + surname(rng)


def address(rng: random.Random) -> Address:
    """Any invented address."""
    street_type = rng.choice(_STREET_TYPES)
    draw = rng.random()
    if draw < 0.5:
        street = rng.choice(_STREET_NAMES)
    elif draw < 0.9:
        street = f"{rng.choice(_FIRST_NAMES)} {surname(rng)}"
    else:
        street = f"de {rng.choice(_STEMS[1:18])}{rng.choice(_ENDINGS)}"
    suffix = " bis" if rng.random() < 0.06 else ""
    return Address(rng.randint(1, 180), suffix, street_type, street)


def _surname(index: int) -> str:
    stem, ending = divmod(index, len(_ENDINGS))
    return _STEMS[stem] + _ENDINGS[ending]
