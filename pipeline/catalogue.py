"""What there is, as Markdown, read from the plug-ins' source: what each says of itself, and what an entry may state.

Imports no torch.
"""

from pipeline.signatures import constant, defaults, docstring, names, parts

FAMILIES = {
    "gradient": "Gradients",
    "ensemble": "Ensembles over another method",
    "posterior": "Over the posterior of the weights",
    "cam": "Class activation maps",
    "decomposition": "Decompositions of the logit",
    "propagation": "Propagation by rules",
    "perturbation": "Perturbations of the image",
    "control": "Controls",
}
HEAD = """# Methods

What the attribution methods are called in a config (`use:`), what they say of themselves, and what an entry may state.
This page is written from their source by `make docs`.

*Passes* are those of one image through the network, forward and backward; *a batch* are those that all images of a
batch share; *base* stands for the passes of the method inside. *Reduced by* tells how the channels of a map become one
number for each pixel unless the config says otherwise. *Needs* are what a network must have
(`pipeline/attribution/_requirements.py`): where it has not, the method is left out, with the reason, before anything is
computed.
"""


def methods() -> str:
    """Return the page of all attribution methods, family by family."""
    found: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for name in names("attribution"):
        found[constant("attribution", name, "FAMILY")].append(name)
    blocks = [HEAD]
    for family, members in found.items():
        if members:
            blocks += [f"## {FAMILIES[family]}\n", _table(members), *map(_section, members)]
    return "\n".join(blocks)


def _table(members: list[str]) -> str:
    rows = ["| method | label | passes | reduced by | needs |", "|---|---|---|---|---|"]
    rows += [f"| {' | '.join(_cells(name))} |" for name in members]
    return "\n".join(rows) + "\n"


def _cells(name: str) -> list[str]:
    label, reduce, requires = (constant("attribution", name, key) for key in ("LABEL", "REDUCE", "REQUIRES"))
    told = ", ".join(f"{part}: {how}" for part, how in reduce.items()) if isinstance(reduce, dict) else reduce
    return [f"[`{name}`](#{name})", label, _passes(name), told, ", ".join(requires)]


def _passes(name: str) -> str:
    passes = constant("attribution", name, "PASSES")
    if passes["forward"] == "0":
        return "none"
    backward = f", {passes['backward']} backward" if passes["backward"] != "0" else ""
    batch = f"; {passes['batch']} forward a batch" if "batch" in passes else ""
    return f"{passes['forward']} forward{backward}{batch}"


def _section(name: str) -> str:
    """Return what a method's module says of it, the parameters of an entry and its parts."""
    stated = [
        f"`{key}`" if default is None else f"`{key}: {default}`"
        for key, default in defaults("attribution", name).items()
    ]
    lines = [f"### {name}\n", docstring("attribution", name), ""]
    lines += [f"Entry: {', '.join(stated)}\n"] if stated else []
    found = parts({"use": name, "base": {"use": "gradient"}})
    lines += [f"Parts: {', '.join(f'`{part}`' for part in found)}\n"] if len(found) > 1 else []
    return "\n".join(lines)
