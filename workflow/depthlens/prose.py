"""Numbers and lists as a reader expects them in a sentence."""

import math
from collections.abc import Sequence

_GLUE = "\u00a0"  # a space at which no line is broken


def percent(share: float, digits: int = 0) -> str:
    """Like "93.1 %" for 0.931 with one digit; "—" where there is no number.

    Nothing is rounded up to all or down to none: 0.9996 is "> 99.9 %" with one digit.
    """
    if not math.isfinite(share):
        return "—"
    step = 10.0**-digits
    text = f"{share * 100:.{digits}f}"
    if share < 1 and float(text) >= 100:
        return f">{_GLUE}{100 - step:.{digits}f}{_GLUE}%"
    if share > 0 and float(text) == 0:
        return f"<{_GLUE}{step:.{digits}f}{_GLUE}%"
    return f"{text}{_GLUE}%"


def number(value: float, digits: int = 2) -> str:
    """A number with a real minus sign; "—" for NaN, "∞" for infinity."""
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def count(value: float) -> str:
    """A whole number with a thin space between thousands: "30 000"."""
    return f"{int(value):,}".replace(",", "\u202f")


def some(n: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun: "1 image", "3 images", "2 classes"."""
    return f"{count(n)} {singular if n == 1 else plural or singular + 's'}"


def of_depths(depth: float, n_probes: int) -> str:
    """The scale of a depth: "of 12 at most; relative 0.25"."""
    return f"of {n_probes} at most; relative {number(depth / n_probes)}"


def joined(words: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    words = list(words)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def shortened(text: str, length: int) -> str:
    """The text, with its middle left out where it is longer than `length` characters."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 3
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"
