"""Make a step's ``main`` a command: ``python -m pipeline.attribute --maps ... --method '{"use": "gradient"}'``."""

import argparse
import inspect
import json
import logging
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any

NUMBER = re.compile(r"-?[0-9]+")


def run(main: Callable[..., None]) -> None:
    """Call ``main`` with the flags of the command line, one for each of its parameters (``batch_size``: --batch-size).

    A parameter annotated ``str`` takes its text as it stands, ``str | int`` a text or a whole number, ``list[str]`` any
    number of texts, any other takes JSON; the help of each is its line under ``Args:`` in ``main``'s docstring.
    Messages and warnings go to the standard error, which the rule sends to the job's log. Bad input ends in one
    sentence and exit status 1.
    """
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s")
    logging.captureWarnings(True)
    arguments = vars(parser(main).parse_args())
    try:
        main(**arguments)
    except (ValueError, OSError) as error:
        if not sys.stderr.isatty():  # a log keeps where it happened; a person at a terminal gets the sentence alone
            logging.info("where it happened:", exc_info=True)
        sys.exit(f"error: {' '.join(str(error).splitlines())}")


def parser(main: Callable[..., None]) -> argparse.ArgumentParser:
    """Return the command line of ``main``: a flag for each parameter, required where it has no default."""
    summary, *_ = (inspect.getdoc(main) or "").split("\n\nArgs:")
    explained = _arguments(inspect.getdoc(main) or "")
    result = argparse.ArgumentParser(
        description=summary, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    for name, parameter in inspect.signature(main).parameters.items():
        result.add_argument(f"--{name.replace('_', '-')}", help=explained.get(name), **_form(parameter))
    return result


def flags(settings: Mapping[str, Any]) -> str:
    """Return ``settings`` as the flags that ``parser`` reads back, quoted for a shell."""
    pairs = ((name.replace("_", "-"), value) for name, value in settings.items())
    return " ".join(f"--{name}={shlex.quote(_written(value))}" for name, value in pairs)


def _written(value: object) -> str:
    """Return a value as ``parser`` reads it: a text as it stands, but in quotes if it could be taken for a number."""
    plain = isinstance(value, str) and not NUMBER.fullmatch(value) and not value.startswith('"')
    return str(value) if plain else json.dumps(value)


def _text(argument: str) -> str:
    try:
        return str(json.loads(argument)) if argument.startswith('"') else argument
    except ValueError:
        return argument


def _text_or_number(argument: str) -> str | int:
    return int(argument) if NUMBER.fullmatch(argument) else _text(argument)


def _json(argument: str) -> object:
    try:
        return json.loads(argument)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"it must be JSON ({error}); it is {argument!r}") from None


def _form(parameter: inspect.Parameter) -> dict[str, Any]:
    given: dict[str, Any] = {"required": True}
    if parameter.default is not parameter.empty:
        given = {"default": parameter.default}
    if parameter.annotation == list[str]:
        return given | {"nargs": "*", "type": str, "metavar": "TEXT"}
    if parameter.annotation is str:
        return given | {"type": _text, "metavar": "TEXT"}
    if parameter.annotation == str | int:
        return given | {"type": _text_or_number, "metavar": "TEXT"}
    return given | {"type": _json, "metavar": "JSON"}


def _arguments(docstring: str) -> dict[str, str]:
    """Return {parameter: explanation} from the ``Args:`` section of a Google-style docstring."""
    _, _, section = docstring.partition("\nArgs:\n")
    section = re.split(r"\n\n(?=\S)", section)[0]
    entries = re.findall(r"^    (\w+): (.+(?:\n      +.+)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()).replace("%", "%%") for name, text in entries}
