"""Documents as frozen dataclasses: reads plain values into them and reports everything that is wrong at once.

A field's type says how it is read (`int`, `bool`, `Literal[...]`, another dataclass ...); `Annotated[..., Kind]` says
more. Rules over several fields are methods marked `@rule`. Coercions and messages are those of the Azure ML v2 reader.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from endpoints.spec.errors import FieldError, Invalid
from endpoints.spec.yaml_reader import SourceDocument, Steps, dotted, read_yaml

Problem = tuple[str, str]
"""(field within the block, or `field.key`; what is wrong with it)"""


class Rejected(Exception):
    """The value at hand is unusable; what is wrong has been reported already."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the document the walk is, and the list that takes what is wrong there."""

    source: SourceDocument
    errors: list[FieldError]
    steps: Steps = ()

    def at(self, step: str | int) -> Place:
        return Place(self.source, self.errors, (*self.steps, step))

    def within(self, field: str) -> Place:
        """The place of `field` or `field.key` in the block here."""
        return functools.reduce(Place.at, field.split(".", 1), self)

    def report(self, message: str) -> None:
        self.errors.append(FieldError(dotted(self.steps), message, self.source.line(self.steps)))

    def reject(self, message: str) -> Rejected:
        self.report(message)
        return Rejected()


class Kind:
    """How one value is read: returns it as its field wants it, or reports and raises Rejected."""

    def read(self, raw: object, place: Place) -> object:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A string. `check` returns what is wrong with it or None; `is_lowered` for names that ignore case."""

    check: Callable[[str], str | None] | None = None
    is_lowered: bool = False

    def read(self, raw: object, place: Place) -> str:
        if not isinstance(raw, str):
            raise place.reject("Not a valid string.")
        if self.check and (problem := self.check(raw)):
            raise place.reject(problem)
        return raw.lower() if self.is_lowered else raw


@dataclass(frozen=True, slots=True)
class TextOfAnything(Kind):
    """A string written as a number or a boolean too, as people do in tags and environment variables.

    Booleans become `True` and `False`, as the Azure client sends them.
    """

    check: Callable[[str], str | None] | None = None

    def read(self, raw: object, place: Place) -> str:
        if isinstance(raw, dict | list):
            raise place.reject("Not a valid string.")
        text = str(raw)
        if self.check and (problem := self.check(text)):
            raise place.reject(problem)
        return text


@dataclass(frozen=True, slots=True)
class Integer(Kind):
    """A whole number; `"5"` and `5.7` become 5. Where `zero_means` is given, 0 stands for that."""

    minimum: int | None = None
    maximum: int | None = None
    zero_means: int | None = None

    def read(self, raw: object, place: Place) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            raise place.reject("Not a valid integer.")
        try:
            value = int(raw)
        except (ValueError, OverflowError):
            raise place.reject("Not a valid integer.") from None
        if value == 0 and self.zero_means is not None:
            return self.zero_means
        if self.minimum is not None and value < self.minimum:
            raise place.reject(f"Must be at least {self.minimum}, not {value}.")
        if self.maximum is not None and value > self.maximum:
            raise place.reject(f"Must be at most {self.maximum}, not {value}.")
        return value


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A number between two bounds, both included."""

    minimum: float
    maximum: float
    problem: str

    def read(self, raw: object, place: Place) -> float:
        try:
            value = float("nan") if isinstance(raw, bool) else float(raw)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            value = float("nan")
        if not self.minimum <= value <= self.maximum:
            raise place.reject(self.problem)
        return value


class Boolean(Kind):
    """Yes or no, in any of the spellings YAML and its readers know."""

    TRUTHY: ClassVar = frozenset({"t", "true", "on", "y", "yes", "1"})
    FALSY: ClassVar = frozenset({"f", "false", "off", "n", "no", "0"})

    def read(self, raw: object, place: Place) -> bool:
        word = str(raw).lower()
        if isinstance(raw, str | int | bool) and word in self.TRUTHY | self.FALSY:
            return word in self.TRUTHY
        raise place.reject("Not a valid boolean.")


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of some words; `AMLToken` is read as `aml_token`."""

    words: tuple[str, ...]

    def read(self, raw: object, place: Place) -> str:
        if isinstance(raw, str):
            if raw in self.words:
                return raw
            if (snake := re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", raw).lower()) in self.words:
                return snake
        raise place.reject(f"Value {raw!r} passed is not in set {list(self.words)}")


@dataclass(frozen=True, slots=True)
class MapOf(Kind):
    """A mapping from words to values of one kind."""

    kind: Kind
    is_lowered: bool = False

    def read(self, raw: object, place: Place) -> dict[str, object]:
        if not isinstance(raw, Mapping):
            raise place.reject("Not a valid mapping type.")
        result = {}
        for key, value in _each(raw.items(), lambda item: _present(self.kind, item[1], place.at(str(item[0])))):
            result[str(key[0]).lower() if self.is_lowered else str(key[0])] = value
        return result


@dataclass(frozen=True, slots=True)
class ListOf(Kind):
    """A list of values of one kind."""

    kind: Kind

    def read(self, raw: object, place: Place) -> tuple[object, ...]:
        if not isinstance(raw, list | tuple):
            raise place.reject("Not a valid list.")
        items = enumerate(raw)
        return tuple(value for _, value in _each(items, lambda item: _present(self.kind, item[1], place.at(item[0]))))


@dataclass(frozen=True, slots=True)
class Plain(Kind):
    """Any mapping, kept as it is."""

    def read(self, raw: object, place: Place) -> object:
        if not isinstance(raw, Mapping):
            raise place.reject("Not a valid mapping type.")
        return dict(raw)


_Item = TypeVar("_Item")


def _each(items: Iterable[_Item], read: Callable[[_Item], object]) -> list[tuple[_Item, object]]:
    """Read every item before giving up, so that each one's errors are reported."""
    good, is_rejected = [], False
    for item in items:
        try:
            good.append((item, read(item)))
        except Rejected:
            is_rejected = True
    if is_rejected:
        raise Rejected
    return good


def _present(kind: Kind, raw: object, place: Place) -> object:
    if raw is None:
        raise place.reject("Field may not be null.")
    return kind.read(raw, place)


# Blocks ----------------------------------------------------------------------------------------------------

Rule = Callable[[Any], Iterable[Problem]]
_RuleT = TypeVar("_RuleT", bound=Rule)


def rule(*needs: str) -> Callable[[_RuleT], _RuleT]:
    """Mark a method that yields problems; it runs when all the fields it `needs` could be read."""

    def mark(method: _RuleT) -> _RuleT:
        method.needs = needs  # type: ignore[attr-defined]
        return method

    return mark


class Shape:
    """What a mapping may say about itself beyond its fields.

    aliases: other spellings of keys.
    ignored: keys that may stand there and mean nothing here (read-only ones, `$schema`).
    advice: what to do instead of a key people write in good faith.
    """

    __slots__ = ()
    aliases: ClassVar[Mapping[str, str]] = {}
    ignored: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Block(Kind):
    """A mapping with known keys, read into the dataclass `shape`."""

    shape: type[Shape]

    def read(self, raw: object, place: Place) -> object:
        if not isinstance(raw, Mapping):
            raise place.reject("Not a valid mapping type.")
        errors_before = len(place.errors)
        given = self._known_keys(raw, place)
        kinds = _kinds(self.shape)  # type: ignore[arg-type]  # classes are hashable
        values: dict[str, object] = {}
        failed: set[str] = set()
        for field in dataclasses.fields(self.shape):  # type: ignore[arg-type]
            try:
                if field.name in given:
                    key = given[field.name]
                    values[field.name] = _present(kinds[field.name], raw[key], place.at(key))
                elif _is_required(field):
                    raise place.at(field.name).reject("Missing data for required field.")
            except Rejected:
                failed.add(field.name)
                if _is_required(field):
                    values[field.name] = None  # never seen: rules that need it do not run
        result = self.shape(**values)
        for check in _rules(self.shape):  # type: ignore[arg-type]
            if failed.isdisjoint(check.needs):  # type: ignore[attr-defined]
                for field_name, problem in check(result):
                    place.within(field_name).report(problem)
        if len(place.errors) > errors_before:
            raise Rejected
        return result

    def _known_keys(self, raw: Mapping[object, object], place: Place) -> dict[str, str]:
        """Field name -> key as written; unknown keys are reported."""
        known = [field.name for field in dataclasses.fields(self.shape)]  # type: ignore[arg-type]
        given: dict[str, str] = {}
        for key in map(str, raw):
            if (name := self.shape.aliases.get(key, key)) in known:
                given[name] = key
            elif key not in self.shape.ignored:
                place.at(key).report(self._unknown(key, known))
        return given

    def _unknown(self, key: str, known: list[str]) -> str:
        if key in self.shape.advice:
            return f"Unknown key '{key}': {self.shape.advice[key]}"
        if near := difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.6):
            return f"Unknown key '{key}'; did you mean '{near[0]}'?"
        return f"Unknown key '{key}'. Known keys: {', '.join(known)}."


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def _kinds(shape: type[Shape]) -> dict[str, Kind]:
    hints = get_type_hints(shape, include_extras=True)
    return {field.name: _kind_of(hints[field.name]) for field in dataclasses.fields(shape)}  # type: ignore[arg-type]


@functools.cache
def _rules(shape: type[Shape]) -> tuple[Rule, ...]:
    return tuple(member for name in dir(shape) if hasattr(member := getattr(shape, name), "needs"))


_SIMPLE: dict[object, Kind] = {str: Text(), int: Integer(), bool: Boolean()}


def _kind_of(hint: Any) -> Kind:
    """The kind a field's type stands for."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return next(extra for extra in arguments[1:] if isinstance(extra, Kind))
    if origin in {Union, types.UnionType}:
        return _kind_of(next(argument for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return Choice(arguments)
    if origin is Mapping:
        return MapOf(TextOfAnything() if arguments[1] is str else _kind_of(arguments[1]))
    if origin is tuple:
        return ListOf(_kind_of(arguments[0]))
    return _SIMPLE.get(hint) or Block(hint)


# Documents -------------------------------------------------------------------------------------------------


class Document(Shape):
    """A whole file. `title` names its kind in messages."""

    __slots__ = ()
    title: ClassVar[str] = ""

    @classmethod
    def read(cls, source: SourceDocument | Mapping[str, object]) -> Self:
        """The validated document. Raises Invalid with every error at once, in the order of the text."""
        source = source if isinstance(source, SourceDocument) else SourceDocument(source)
        errors: list[FieldError] = []
        try:
            value = Block(cls).read(source.values, Place(source, errors))
        except Rejected:
            errors.sort(key=lambda error: error.line or 0)
            raise Invalid(_summary(cls.title, errors, source.name), details=errors) from None
        return value  # type: ignore[return-value]

    @classmethod
    def read_text(cls, text: str, *, name: str = "") -> Self:
        """The same from YAML."""
        return cls.read(read_yaml(text, name=name))

    def to_json(self) -> dict[str, Any]:
        """Azure's field names, defaults spelled out, what is unset left out. `read(x.to_json()) == x`."""
        return to_json(self)  # type: ignore[no-any-return]


def _summary(title: str, errors: list[FieldError], name: str) -> str:
    where = f" in {name}" if name else ""
    if len(errors) == 1:
        field = f"{errors[0].field}: " if errors[0].field else ""
        return f"The {title}{where} is not valid: {field}{errors[0].message}"
    return f"The {title}{where} has {len(errors)} errors."


def to_json(value: Any) -> Any:
    """Plain JSON values of a block, without what is None."""
    if hasattr(value, "as_text"):
        return value.as_text()
    if dataclasses.is_dataclass(value):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_json(each) for name, each in fields if each is not None}
    if isinstance(value, Mapping):
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    return value


def iter_problems(errors: Iterable[FieldError]) -> Iterator[str]:
    """Lines a person reads: `line 7, traffic.blue: Must be at most 100, not 120.`"""
    for error in errors:
        where = ", ".join(part for part in (f"line {error.line}" if error.line else "", error.field) if part)
        yield f"{where}: {error.message}" if where else error.message
