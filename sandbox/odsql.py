"""The ``where`` clause of the Explore API (ODSQL), as far as filters of datasets use it.

Implemented: ``= != > >= < <= like``, ``in (…)``, ``is [not] null``, ``is true``, ``and or not``,
``startswith(field, text)``, ``search(field, text)`` and literals: text, number, ``true``,
``date'2024-01-31'``. The rest of the language is told apart from a mistake.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

Record = Mapping[str, Any]
Predicate = Callable[[Record], bool]
Literal = str | float | bool | datetime

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<date>date\s*(?:'[^']*'|"[^"]*"))
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
      | (?P<quoted>`[^`]+`)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>!=|>=|<=|[=<>(),\[\]])
      | (?P<other>\.\.|[-+*/:.{}])
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null", "like", "true", "false"})
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class NotInThisReplayError(Exception):
    """The clause may be well-formed, but uses a part of ODSQL that is not implemented here."""


def parse_where(where: str, fields: Iterable[str]) -> Predicate:
    """Compile a ``where`` clause.

    A null field equals nothing, so ``!=`` and ``not`` are true of it; a number is never compared
    with a text. ``like`` and ``search`` ignore case; ``like`` takes ``%`` and ``*`` for any text
    and looks for the word anywhere where it holds neither.

    Args:
        where: the clause.
        fields: names the dataset has.

    Raises:
        ValueError: a syntax error or an unknown field, in the portal's words.
        NotInThisReplayError: what it uses is not implemented.
    """
    try:
        return _Parser(where, frozenset(fields)).parse()
    except RecursionError as error:
        raise ValueError("Syntax error: too deeply nested") from error


class _Token(NamedTuple):
    kind: str
    text: str


class _Parser:
    def __init__(self, where: str, fields: frozenset[str]) -> None:
        self.fields = fields
        self.tokens: list[_Token] = []
        self.position = 0
        start, end = 0, len(where.rstrip())
        while start < end:
            match = _TOKEN.match(where, start)
            if match is None:
                raise ValueError(f"Syntax error at position {start}")
            kind = str(match.lastgroup)
            text = match[kind]
            if kind == "name" and text.lower() in _KEYWORDS:
                kind, text = "keyword", text.lower()
            self.tokens.append(_Token(kind, text))
            start = match.end()
        self.tokens.append(_Token("end", "end of the clause"))

    def parse(self) -> Predicate:
        predicate = self._any_of()
        if self._next().kind != "end":
            raise self._unexpected()
        return predicate

    def _any_of(self) -> Predicate:
        alternatives = [self._all_of()]
        while self._accept("or"):
            alternatives.append(self._all_of())
        return lambda record: any(predicate(record) for predicate in alternatives)

    def _all_of(self) -> Predicate:
        conditions = [self._negation()]
        while self._accept("and"):
            conditions.append(self._negation())
        return lambda record: all(predicate(record) for predicate in conditions)

    def _negation(self) -> Predicate:
        if self._accept("not"):
            negated = self._negation()
            return lambda record: not negated(record)
        if self._accept("("):
            inner = self._any_of()
            self._expect(")")
            return inner
        token = self._next()
        if token.kind == "text":
            raise NotInThisReplayError("a search for words in every field")
        if token.kind == "name" and self.tokens[self.position + 1] == _Token("sign", "("):
            return self._function()
        return self._condition()

    def _function(self) -> Predicate:
        name = self._next().text.lower()
        if name not in ("startswith", "search"):
            raise NotInThisReplayError(f"the function {name}()")
        self.position += 2
        field = self._field()
        self._expect(",")
        # A code is also written without quotes: startswith(siren, 199212291).
        bare = self._next().text if self._next().kind == "number" else None
        wanted = bare or str(self._literal())
        if bare:
            self.position += 1
        self._expect(")")
        if name == "startswith":
            return lambda record: _text(record.get(field)).startswith(wanted)
        return lambda record: wanted.casefold() in _text(record.get(field)).casefold()

    def _condition(self) -> Predicate:
        name = self._field()
        if self._accept("is"):
            negative = self._accept("not")
            if not self._accept("null"):
                wanted = self._literal()
                if not isinstance(wanted, bool):
                    raise self._unexpected()
                return lambda record: (record.get(name) is wanted) is not negative
            return lambda record: (record.get(name) is None) is not negative
        if self._accept("in"):
            return self._membership(name)
        if self._accept("like"):
            pattern = _like(str(self._literal()))
            return lambda record: pattern.fullmatch(_text(record.get(name))) is not None
        if self._accept("!="):
            unwanted = self._literal()
            return lambda record: not _compare(operator.eq, unwanted, record.get(name))
        for sign, compare in _COMPARISONS.items():
            if self._accept(sign):
                test = partial(_compare, compare, self._literal())
                return lambda record: test(record.get(name))
        raise self._unexpected()

    def _membership(self, name: str) -> Predicate:
        closing = "]" if self._accept("[") else ")"
        if closing == ")":
            self._expect("(")
        values = [self._literal()]
        while self._accept(","):
            values.append(self._literal())
        self._expect(closing)

        def is_in(record: Record) -> bool:
            return any(_compare(operator.eq, value, record.get(name)) for value in values)

        return is_in

    def _field(self) -> str:
        token = self._next()
        if token.kind not in ("name", "quoted"):
            raise self._unexpected()
        name = token.text.strip("`")
        if name not in self.fields:
            raise ValueError(f"Unknown field: {name}")
        self.position += 1
        return name

    def _literal(self) -> Literal:
        kind, text = self._next()
        if kind == "keyword" and text in ("true", "false"):
            value: Literal = text == "true"
        elif kind == "text":
            value = re.sub(r"\\(.)", r"\1", text[1:-1])
        elif kind == "number":
            value = float(text)
        elif kind == "date":
            moment = _moment(text[4:].strip()[1:-1])
            if moment is None:
                raise ValueError(f"Syntax error near {text!r}")
            value = moment
        else:
            raise self._unexpected()
        self.position += 1
        return value

    def _next(self) -> _Token:
        return self.tokens[self.position]

    def _accept(self, text: str) -> bool:
        token = self._next()
        if token.kind in ("keyword", "sign") and token.text == text:
            self.position += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected()

    def _unexpected(self) -> Exception:
        kind, text = self._next()
        if kind == "other":
            return NotInThisReplayError(f"the operator {text!r}")
        return ValueError(f"Syntax error near {text!r}")


def _compare(compare: Callable[[Any, Any], bool], literal: Literal, value: Any) -> bool:
    """Compare values of one kind; a list, an object or another kind compares with nothing."""
    if isinstance(literal, datetime):
        value = _moment(value) if isinstance(value, str) else None
        return value is not None and compare(value, literal)
    if isinstance(literal, bool) or isinstance(value, bool):
        is_comparable = isinstance(literal, bool) and isinstance(value, bool)
    else:
        kind = str if isinstance(literal, str) else (int, float)
        is_comparable = isinstance(value, kind)
    return is_comparable and compare(value, literal)


def _moment(text: str) -> datetime | None:
    """The instant at which a date, a month, a year or a timestamp begins."""
    parts = text.split("-")
    if len(parts) < 3:
        text = "-".join([*parts, "01", "01"][:3])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _like(wanted: str) -> re.Pattern[str]:
    if not re.search("[%*]", wanted):
        wanted = f"%{wanted}%"
    parts = (re.escape(part) for part in re.split("[%*]", wanted))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)
