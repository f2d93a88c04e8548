"""Arithmetic of GDML: numbers, names, units and functions; nothing is ever executed.

Values are in the units of Geant4 where they are lengths and angles (mm = 1, rad = 1); mass counts
in g. An attribute is its expression times the unit beside it: ``x="10*cm" lunit="mm"`` is 100 mm.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<op>\*\*|==|!=|<=|>=|&&|\|\||[-+*/^()<>,!\[\]])|(?P<bad>\S))"
)
_MAX_LENGTH = 10_000
_MAX_NESTING = 40

_POWERS = {"": 1, "2": 2, "3": 3}


def _units() -> dict[str, float]:
    table = {
        "rad": 1.0, "radian": 1.0, "mrad": 1e-3, "milliradian": 1e-3, "deg": math.pi / 180.0,
        "degree": math.pi / 180.0, "sr": 1.0, "steradian": 1.0,
        "g": 1.0, "gram": 1.0, "kg": 1e3, "kilogram": 1e3, "mg": 1e-3, "milligram": 1e-3,
        "mole": 1.0, "mol": 1.0,
        "ns": 1.0, "nanosecond": 1.0, "s": 1e9, "second": 1e9, "ms": 1e6, "us": 1e3, "ps": 1e-3,
        "MeV": 1.0, "GeV": 1e3, "TeV": 1e6, "keV": 1e-3, "eV": 1e-6, "kelvin": 1.0, "K": 1.0,
        "pascal": 1.0, "hPa": 100.0, "bar": 1e5, "atmosphere": 101325.0,
        "perCent": 1e-2, "perThousand": 1e-3, "perMillion": 1e-6, "none": 1.0,
        "tesla": 1.0, "gauss": 1e-4, "volt": 1.0, "kilovolt": 1e3, "hertz": 1e-9,
        "liter": 1e6, "L": 1e6,
    }  # fmt: skip
    lengths = {
        ("mm", "millimeter"): 1.0, ("cm", "centimeter"): 10.0, ("m", "meter"): 1e3,
        ("km", "kilometer"): 1e6,
    }  # fmt: skip
    for names, size in lengths.items():
        for name in names:
            for suffix, power in _POWERS.items():
                table[name + suffix] = size**power
    table |= {"um": 1e-3, "micrometer": 1e-3, "nm": 1e-6, "nanometer": 1e-6, "in": 25.4}
    table |= {"angstrom": 1e-7, "fermi": 1e-12, "parsec": 3.0856775807e19}
    return table


UNITS: dict[str, float] = _units()
_FACTOR = re.compile(r"([*/]?)\s*([A-Za-z]+)([23]?)\s*")
_KINDS: dict[str, str] = {
    **dict.fromkeys(("mm", "millimeter", "cm", "centimeter", "m", "meter", "km"), "length"),
    **dict.fromkeys(("kilometer", "um", "micrometer", "nm", "nanometer", "in"), "length"),
    **dict.fromkeys(("angstrom", "fermi", "parsec"), "length"),
    **dict.fromkeys(("rad", "radian", "mrad", "milliradian", "deg", "degree"), "angle"),
    **dict.fromkeys(("g", "gram", "kg", "kilogram", "mg", "milligram"), "mass"),
}


def dimension(unit: str) -> dict[str, int] | None:
    """Return the powers of length, angle and mass of a unit such as ``"g/cm3"``.

    None for what has others, is no product of units, or has no dimension ("none").
    """
    powers: dict[str, int] = {}
    place = 0
    while place < len(unit):
        found = _FACTOR.match(unit, place)
        if found is None or found[2] not in _KINDS or bool(found[1]) == (place == 0):
            return None
        sign = -1 if found[1] == "/" else 1
        powers[_KINDS[found[2]]] = powers.get(_KINDS[found[2]], 0) + sign * int(found[3] or 1)
        place = found.end()
    return {kind: power for kind, power in powers.items() if power} or None


CONSTANTS: dict[str, float] = {
    "pi": math.pi,
    "PI": math.pi,
    "twopi": 2.0 * math.pi,
    "TWOPI": 2.0 * math.pi,
    "halfpi": 0.5 * math.pi,
    "HALFPI": 0.5 * math.pi,
    "e": math.e,
    "gamma": 0.577215664901532861,
}

_FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "abs": (1, abs),
    "min": (2, min),
    "max": (2, max),
    "sqrt": (1, math.sqrt),
    "pow": (2, math.pow),
    "sin": (1, math.sin),
    "cos": (1, math.cos),
    "tan": (1, math.tan),
    "asin": (1, math.asin),
    "acos": (1, math.acos),
    "atan": (1, math.atan),
    "atan2": (2, math.atan2),
    "sinh": (1, math.sinh),
    "cosh": (1, math.cosh),
    "tanh": (1, math.tanh),
    "exp": (1, math.exp),
    "log": (1, math.log),
    "log10": (1, math.log10),
    "floor": (1, math.floor),
    "ceil": (1, math.ceil),
}
_LEVELS: tuple[dict[str, Callable[[float, float], float]], ...] = (
    {"||": lambda a, b: float(bool(a) or bool(b))},
    {"&&": lambda a, b: float(bool(a) and bool(b))},
    {"==": lambda a, b: float(a == b), "!=": lambda a, b: float(a != b)},
    {
        "<": lambda a, b: float(a < b),
        ">": lambda a, b: float(a > b),
        "<=": lambda a, b: float(a <= b),
        ">=": lambda a, b: float(a >= b),
    },
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": lambda a, b: a / b},
)


class ExpressionError(ValueError):
    """An expression cannot be evaluated; the text says why, without file and line."""


class Names:
    """Names that expressions may use: constants, units, what the file defines, matrices."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.matrices: dict[str, tuple[int, list[float]]] = {}

    def lookup(self, name: str) -> float:
        """Return the value of a name; what the file defines goes before units."""
        for table in (self.values, CONSTANTS, UNITS):
            if name in table:
                return table[name]
        if name in self.matrices and len(self.matrices[name][1]) == 1:
            return self.matrices[name][1][0]
        from siren_py.errors import nearest_names

        close = nearest_names(name, [*self.values, *CONSTANTS, *UNITS], 2)
        hint = f" Did you mean {' or '.join(close)}?" if close else " Define it in <define>."
        raise ExpressionError(f"there is no constant, variable or unit {name!r}.{hint}")

    def element(self, name: str, indices: list[float]) -> float:
        """Return an element of a matrix; rows and columns count from 1."""
        if name not in self.matrices:
            raise ExpressionError(f"there is no matrix {name!r}.")
        columns, values = self.matrices[name]
        if any(i != int(i) or i < 1 for i in indices) or len(indices) not in (1, 2):
            raise ExpressionError(f"the indices of {name!r} must be whole numbers from 1.")
        if len(indices) == 1:
            place = int(indices[0]) - 1
        else:
            if indices[1] > columns:
                raise ExpressionError(f"{name!r} has {columns} columns, not {indices[1]:g}.")
            place = (int(indices[0]) - 1) * columns + int(indices[1]) - 1
        if place >= len(values):
            raise ExpressionError(f"{name!r} has {len(values)} elements; {indices} is outside.")
        return values[place]


class _Parser:
    def __init__(self, text: str, names: Names) -> None:
        self.names = names
        self.tokens = list(_tokens(text))
        self.place = 0
        self.nesting = 0

    def peek(self) -> str:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else ""

    def take(self) -> tuple[str, str]:
        if self.place >= len(self.tokens):
            raise ExpressionError("the expression ends too early.")
        self.place += 1
        return self.tokens[self.place - 1]

    def expect(self, sign: str) -> None:
        found = self.take()[1] if self.place < len(self.tokens) else "the end"
        if found != sign:
            raise ExpressionError(f"{found!r} stands where {sign!r} belongs.")

    def level(self, index: int = 0) -> float:
        if index == len(_LEVELS):
            return self.unary()
        value = self.level(index + 1)
        while self.peek() in _LEVELS[index]:
            operation = _LEVELS[index][self.take()[1]]
            value = operation(value, self.level(index + 1))
        return value

    def unary(self) -> float:
        signs = []
        while self.peek() in ("+", "-", "!"):
            signs.append(self.take()[1])
        value = self.power()
        for sign in reversed(signs):
            value = float(not value) if sign == "!" else -value if sign == "-" else value
        return value

    def power(self) -> float:
        # Left to right, as CLHEP has it; the exponent may have a sign.
        value = self.atom()
        while self.peek() in ("^", "**"):
            self.take()
            sign = 1.0
            while self.peek() in ("+", "-"):
                sign = -sign if self.take()[1] == "-" else sign
            value = math.pow(value, sign * self.atom())
        return value

    def arguments(self, closing: str) -> list[float]:
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            raise ExpressionError(f"brackets are nested more than {_MAX_NESTING} deep.")
        values = [self.level()]
        while self.peek() == ",":
            self.take()
            values.append(self.level())
        self.expect(closing)
        self.nesting -= 1
        return values

    def atom(self) -> float:
        kind, text = self.take()
        if kind == "number":
            return float(text)
        if text == "(":
            values = self.arguments(")")
            if len(values) > 1:
                raise ExpressionError("a comma stands outside of the brackets of a function.")
            return values[0]
        if kind != "name":
            raise ExpressionError(f"{text!r} stands where a number or a name belongs.")
        if self.peek() == "(":
            self.take()
            if text not in _FUNCTIONS:
                known = ", ".join(_FUNCTIONS)
                raise ExpressionError(f"there is no function {text!r}; there are {known}.")
            count, function = _FUNCTIONS[text]
            values = self.arguments(")")
            if len(values) != count:
                raise ExpressionError(f"{text} takes {count} numbers; it got {len(values)}.")
            return float(function(*values))
        if self.peek() == "[":
            self.take()
            return self.names.element(text, self.arguments("]"))
        return self.names.lookup(text)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    end = len(text.rstrip())
    place = 0
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None or match["bad"]:
            raise ExpressionError(f"{text[place : place + 20]!r} cannot be read.")
        place = match.end()
        kind = str(match.lastgroup)
        yield kind, match[kind]


def evaluate(text: str, names: Names) -> float:
    """Return the value of an expression.

    Parameters
    ----------
    text
        E.g. ``"2*pi*r + 3*cm"``.
    names
        What it may use.

    Raises
    ------
    ExpressionError
        If it cannot be read, uses an unknown name, or has no finite value.
    """
    try:
        # Most attributes are plain numbers.
        value = float(text)
        if "_" in text or not math.isfinite(value):
            raise ValueError
        return value
    except ValueError:
        pass
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"an expression of {len(text)} letters is too long.")
    if not text.strip():
        raise ExpressionError("the expression is empty; write a number.")
    parser = _Parser(text, names)
    try:
        value = parser.level()
    except (ArithmeticError, ValueError) as error:
        if isinstance(error, ExpressionError):
            raise
        raise ExpressionError(f"it has no finite value ({error}).") from error
    if parser.place < len(parser.tokens):
        raise ExpressionError(f"{parser.peek()!r} is left over.")
    if not math.isfinite(value):
        raise ExpressionError("it has no finite value.")
    return float(value)
