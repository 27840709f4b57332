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
        sys.exit(f"error: {error}")


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
    return " ".join(f"--{name} {shlex.quote(v if isinstance(v, str) else json.dumps(v))}" for name, v in pairs)


def _form(parameter: inspect.Parameter) -> dict[str, Any]:
    given: dict[str, Any] = {"required": True}
    if parameter.default is not parameter.empty:
        given = {"default": parameter.default}
    if parameter.annotation == list[str]:
        return given | {"nargs": "*", "type": str, "metavar": "TEXT"}
    if parameter.annotation is str:
        return given | {"type": str, "metavar": "TEXT"}
    if parameter.annotation == str | int:
        return given | {"type": lambda text: int(text) if text.isdecimal() else text, "metavar": "TEXT"}
    return given | {"type": json.loads, "metavar": "JSON"}


def _arguments(docstring: str) -> dict[str, str]:
    """Return {parameter: explanation} from the ``Args:`` section of a Google-style docstring."""
    _, _, section = docstring.partition("\nArgs:\n")
    section = re.split(r"\n\n(?=\S)", section)[0]
    entries = re.findall(r"^    (\w+): (.+(?:\n      +.+)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()).replace("%", "%%") for name, text in entries}
