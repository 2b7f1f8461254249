"""What a user is told when something is wrong: one sentence that names it and says what to do."""

import difflib
from collections.abc import Iterable, Sequence


class StudyError(Exception):
    """Anything that stops a command for a reason the user can act on.

    The command line prints the message alone, without a traceback, and exits with status 1.
    """


class ConfigError(StudyError):
    """A key of config.yaml is unknown, mistyped or out of range."""


class ArtifactError(StudyError):
    """A file of the study is missing, damaged, or not what it should be."""


def shortened(names: Sequence[str]) -> str:
    """The first four of many names, and how many more there are."""
    rest = len(names) - 4
    return ", ".join(names[:4]) + (f" and {rest} more" if rest > 0 else "")


def closest(word: str, choices: Iterable[str]) -> str:
    """A hint to append to "unknown …": the choice that was probably meant, or all of them.

    Returns
    -------
    str
        Like "; did you mean 'resnet18'?", or "; choose from: a, b" where nothing is close.
    """
    choices = sorted(map(str, choices))
    if near := difflib.get_close_matches(str(word), choices, n=1):
        return f"; did you mean {near[0]!r}?"
    shown = ", ".join(choices[:40]) + (", …" if len(choices) > 40 else "")
    return f"; choose from: {shown}"
