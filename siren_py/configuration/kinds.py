"""Kinds of values: how each is read from the command line and from a file, and written.

`Kind.text` reads what stands on the command line, `Kind.value` what a TOML file holds, and
`Kind.plain` gives a value back as TOML and JSON can hold it, so that ``value(plain(v)) == v``.
All raise `ConfigError` with the beginning of a sentence; the reader says which key it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from siren_py.configuration.quantities import NUMBER, UNITS, read_number, read_quantity
from siren_py.errors import ConfigError, unknown_name

MAX_COUNT = 10**12
"""Attempts that a run may have; more would take months, and are a slip of the exponent."""

Schema = dict[str, Any]


class Kind:
    """What kind of value a key takes; this one is a text."""

    repeated = False
    """Whether the option may be given several times on the command line."""
    is_path = False
    """Whether the value is the path of a file or folder, or may be one."""

    def text(self, text: str) -> Any:
        """Return the value from a word of the command line."""
        return self.value(text)

    def value(self, value: object) -> Any:
        """Return the value from what a TOML file holds."""
        if not isinstance(value, str):
            raise ConfigError(f"a text in quotes is wanted; it is {value!r}")
        return value

    def plain(self, value: Any) -> Any:
        """Return the value as TOML and JSON can hold it."""
        return value

    def schema(self) -> Schema:
        """Return the JSON schema of what a file may hold."""
        return {"type": "string"}


class Text(Kind):
    """A text; a closed list of names if `names` are given (`word` is what they name)."""

    def __init__(self, word: str = "name", names: tuple[str, ...] = ()) -> None:
        self.word, self.names = word, names

    def value(self, value: object) -> str:
        """Return the text."""
        text = str(super().value(value))
        if self.names and text not in self.names:
            raise unknown_name(self.word, text, self.names)
        return text

    def schema(self) -> Schema:
        """A string, or one of the names."""
        return {"enum": list(self.names)} if self.names else {"type": "string"}


class Path(Kind):
    """The path of a file or a folder."""

    is_path = True


class NameOrPath(Kind):
    """A name that siren_py knows, or the path of a script of one's own."""

    is_path = True


class Texts(Kind):
    """Several texts; on the command line the option is repeated."""

    repeated = True

    def text(self, text: str) -> str:
        """Return one of them."""
        return text

    def value(self, value: object) -> list[str]:
        """Return all of them; a single text is a list of one."""
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(v, str) for v in found) or not found:
            raise ConfigError(f"a text in quotes or a list of them is wanted; it is {value!r}")
        return list(found)

    def schema(self) -> Schema:
        """A string or a list of them."""
        several = {"type": "array", "items": {"type": "string"}, "minItems": 1}
        return {"anyOf": [{"type": "string"}, several]}


class Flag(Kind):
    """True or false; on the command line, true if the option is there."""

    def value(self, value: object) -> bool:
        """Return the truth value."""
        if not isinstance(value, bool):
            raise ConfigError(f"true or false is wanted; it is {value!r}")
        return value

    def schema(self) -> Schema:
        """A truth value."""
        return {"type": "boolean"}


class Quantity(Kind):
    """A number in the unit of `dimension`, or a text with a unit; a plain number without one."""

    def __init__(self, dimension: str = "") -> None:
        self.dimension = dimension

    def value(self, value: object) -> float:
        """Return the number in the unit that siren_py computes in."""
        return read_quantity(value, *filter(None, [self.dimension]))

    def text(self, text: str) -> float:
        """Return the number."""
        return self.value(text)

    def schema(self) -> Schema:
        """A number, or a string with a unit."""
        return number_schema(*filter(None, [self.dimension]))


class Number(Kind):
    """A plain number."""

    def value(self, value: object) -> float:
        """Return the number; in a file it is not a text."""
        if isinstance(value, str):
            raise ConfigError(f"a number without quotes is wanted; it is {value!r}")
        return read_number(value)

    def text(self, text: str) -> float:
        """Return the number."""
        return read_number(text)

    def schema(self) -> Schema:
        """A number."""
        return {"type": "number"}


class Whole(Kind):
    """A whole number, not below `least`; ``1e6`` is one."""

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def text(self, text: str) -> int:
        """Return the number."""
        return self._checked(read_whole(text), text)

    def value(self, value: object) -> int:
        """Return the number; in a file it is not a text."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"a whole number is wanted; it is {value!r}")
        return self._checked(read_whole(value), value)

    def _checked(self, number: int, given: object) -> int:
        if self.least and not self.least <= number <= MAX_COUNT:
            raise ConfigError(f"{str(given)!r} is not between {self.least} and {MAX_COUNT:.0e}")
        return number

    def schema(self) -> Schema:
        """A whole number."""
        return {"type": "integer", "minimum": self.least} | (
            {"maximum": MAX_COUNT} if self.least else {}
        )


class Exposure(Kind):
    """Protons on target: a number, or one for each mode of the beam."""

    def text(self, text: str) -> float | dict[str, float]:
        """Read ``12.34e20`` or ``fhc=12.34e20,rhc=6.29e20``."""
        if "=" not in text:
            return _not_negative(text)
        result: dict[str, float] = {}
        for part in text.split(","):
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not (key and equals and value):
                raise ConfigError(f"{text!r} is not of the form fhc=1e21,rhc=1e21")
            if key in result:
                raise ConfigError(f"{text!r} names {key} twice")
            result[key] = _not_negative(value)
        return result

    def value(self, value: object) -> float | dict[str, float]:
        """Return the number, or the numbers by mode of the beam."""
        if isinstance(value, Mapping):
            return {str(k): _not_negative(v) for k, v in value.items()}
        return self.text(value) if isinstance(value, str) else _not_negative(value)

    def schema(self) -> Schema:
        """A number or a string with a unit, or a table of them."""
        one = number_schema("protons on target")
        return {"anyOf": [*one["anyOf"], {"type": "object", "additionalProperties": one}]}


class Range(NamedTuple):
    """Points spread evenly in the logarithm."""

    low: float
    high: float
    number: int


class Grid(Kind):
    """Points of an axis: ``low:high:number`` (spread logarithmically) or a list."""

    def __init__(self, dimensions: tuple[str, ...] = ()) -> None:
        self.dimensions = dimensions

    def text(self, text: str) -> Range | tuple[float, ...]:
        """Read ``low:high:number`` or ``a,b,c``; every number may have its own unit."""
        if ":" not in text:
            return self._points(text.split(","), text)
        parts = text.split(":")
        if len(parts) != 3:
            raise ConfigError(f"{text!r} is not of the form low:high:number")
        low, high = (read_quantity(part, *self.dimensions) for part in parts[:2])
        points = Whole(1).text(parts[2])
        if not 0.0 < low < high or points < 2:
            raise ConfigError(f"{text!r} needs 0 < low < high and at least two points")
        return Range(low, high, points)

    def value(self, value: object) -> Range | tuple[float, ...]:
        """Return the grid of a text, a list or a single number."""
        if isinstance(value, str):
            return self.text(value)
        return self._points(value if isinstance(value, list) else [value], value)

    def _points(self, values: list[Any], given: object) -> tuple[float, ...]:
        points = tuple(read_quantity(v, *self.dimensions) for v in values)
        if not points or any(v <= 0.0 for v in points):
            raise ConfigError(f"{given!r} has a number that is not positive")
        return points

    def plain(self, value: Any) -> Any:
        """Return ``"low:high:number"`` or a list of numbers."""
        if isinstance(value, Range):
            return f"{value.low!r}:{value.high!r}:{value.number}"
        return [float(v) for v in value]

    def schema(self) -> Schema:
        """A string, a number or a list."""
        one = number_schema(*self.dimensions)
        return {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string"},
                {"type": "array", "items": one, "minItems": 1},
            ]
        }


class Table(Kind):
    """Further parameters by name; on the command line ``key=value``, repeated."""

    repeated = True

    def text(self, text: str) -> tuple[str, Any]:
        """Read ``key=value``; a value that looks like a number or a truth value is one."""
        key, equals, value = (part.strip() for part in text.partition("="))
        if not (key and equals and value):
            raise ConfigError(f"{text!r} is not of the form key=value")
        if value in ("true", "false"):
            return key.replace("-", "_"), value == "true"
        try:
            return key.replace("-", "_"), float(value)
        except ValueError:
            return key.replace("-", "_"), value

    def value(self, value: object) -> dict[str, Any]:
        """Return the table."""
        if not isinstance(value, Mapping):
            raise ConfigError(f"a table of key = value is wanted; it is {value!r}")
        for key, entry in value.items():
            if not isinstance(entry, (str, int, float)):
                raise ConfigError(f"{key} must be a number, a text or true or false")
        return {str(k).replace("-", "_"): v for k, v in value.items()}

    def schema(self) -> Schema:
        """An object of plain values."""
        return {
            "type": "object",
            "additionalProperties": {"type": ["number", "string", "boolean"]},
        }


class Chunks(Kind):
    """Numbers of chunks, ``first:end``."""

    def value(self, value: object) -> tuple[int, int]:
        """Read ``first:end``."""
        text = str(super().value(value))
        first, colon, end = text.partition(":")
        if not colon:
            raise ConfigError(f"{text!r} is not of the form first:end, e.g. 40:60")
        numbers = read_whole(first), read_whole(end)
        if numbers[0] >= numbers[1]:
            raise ConfigError(f"{text!r} holds no chunk: its end is not above its first")
        return numbers

    def plain(self, value: Any) -> str:
        """Return ``"first:end"``."""
        return f"{value[0]}:{value[1]}"

    def schema(self) -> Schema:
        """A string with two numbers."""
        return {"type": "string", "pattern": "^[0-9]+:[0-9]+$"}


def read_whole(value: str | float) -> int:
    """Return a whole number that is not negative, exactly; ``1e6`` is one.

    Raises
    ------
    ConfigError
        If it is not one.
    """
    if isinstance(value, float) or (isinstance(value, str) and not _is_integer(value)):
        real = read_number(value)
        if real != int(real):
            raise ConfigError(f"{str(value)!r} is not a whole number")
        number = int(real)
    else:
        number = int(value)  # exact, where float is not above 2^53
    if number < 0:
        raise ConfigError(f"{str(value)!r} is negative")
    return number


def _is_integer(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _not_negative(value: object) -> float:
    number = read_quantity(value, "protons on target")
    if number < 0.0:
        raise ConfigError(f"{str(value)!r} is negative")
    return number


def number_schema(*dimensions: str) -> Schema:
    """Return the schema of a number that may be a string with a unit."""
    if not dimensions:
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{NUMBER}$"}]}
    units = "|".join(
        spelling
        for dimension in dimensions
        for unit in UNITS[dimension]
        for spelling in _spellings(unit)
    )
    return {
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^ *{NUMBER} *({units})? *$"}]
    }


def _spellings(unit: str) -> tuple[str, ...]:
    """Regular expressions of how a unit is written."""
    return (f"1? ?/ ?{unit[1:]}", rf"{unit[1:]}\^-1") if unit.startswith("/") else (unit,)
