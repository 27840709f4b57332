"""A network rewritten so that every activation is a module of its own, used once: the same answers, the same weights.

Traced by torch.fx. Dotted names and keys of the state dict stay; what is new is named beside what it stands for.
"""

import operator
from collections import Counter
from copy import deepcopy
from itertools import chain, count

import torch
from torch import fx, nn
from torch.nn import functional

from pipeline.models._branches import Add

MODULES: dict[object, type[nn.Module]] = {
    functional.relu: nn.ReLU,
    functional.relu6: nn.ReLU6,
    functional.gelu: nn.GELU,
    functional.silu: nn.SiLU,
    functional.hardswish: nn.Hardswish,
    functional.hardsigmoid: nn.Hardsigmoid,
    torch.relu: nn.ReLU,
    torch.sigmoid: nn.Sigmoid,
    torch.tanh: nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


class _Tracer(fx.Tracer):
    """Looks into no module without children: what one does, such as dropping in training only, stays its own affair."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return super().is_leaf_module(module, name) or not any(True for _ in module.children())


def own_activations(model: nn.Module) -> nn.Module:
    """Return ``model`` with every activation a module of its own, used once, not in place, and every sum an ``Add``.

    The weights are shared with ``model``. A network that torch.fx cannot follow is only freed of what works in place.
    """
    for module in model.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    try:
        graph = _Tracer().trace(model)
    except Exception:  # whatever a network does that cannot be traced
        return model
    traced = fx.GraphModule(model, graph)
    runs: Counter[str] = Counter()
    changed = False
    for node in list(graph.nodes):
        if (own := _own(node, traced, runs)) is not None:
            _put(traced, node, own)
            changed = True
    traced.recompile()
    return traced if changed and traced.state_dict().keys() == model.state_dict().keys() else model


def _own(node: fx.Node, model: fx.GraphModule, runs: Counter[str]) -> nn.Module | None:
    """Return the module that is to run in a node's place, or None where the node stays as it is."""
    if node.op == "call_module":
        runs[str(node.target)] += 1
        module = model.get_submodule(str(node.target))
        plain = type(module).__module__ == "torch.nn.modules.activation" and not any(True for _ in module.parameters())
        return deepcopy(module) if plain and runs[str(node.target)] > 1 else None
    if node.op not in {"call_function", "call_method"}:
        return None
    if node.target in {operator.add, operator.iadd, torch.add}:
        return Add() if len(node.args) == 2 and not node.kwargs and all(map(_signal, node.args)) else None
    options = {key: value for key, value in node.kwargs.items() if key not in {"inplace", "input"}}
    plain = len(node.all_input_nodes) == 1 and len(node.args) <= 1
    return MODULES[node.target](**options) if node.target in MODULES and plain else None


def _signal(argument: object) -> bool:
    """Say whether an argument is what a module or a sum gave, and no number, size or parameter."""
    return isinstance(argument, fx.Node) and argument.op == "call_module"


def _put(model: fx.GraphModule, node: fx.Node, module: nn.Module) -> None:
    """Have ``module`` run in the place of ``node``, under a name of its own beside what it stands for."""
    stack = [str(name) for name, _ in (node.meta.get("nn_module_stack") or {}).values()]
    parts = str(node.target).split(".") if node.op == "call_module" else [*stack[-1:], node.name.partition("_")[0]]
    base = ".".join(parts)
    taken = {name for name, _ in model.named_modules()}
    numbered = (f"{base}_{number}" for number in count(2))
    name = next(name for name in chain([base], numbered) if name not in taken)
    model.add_submodule(name, module)
    inputs = tuple(node.args) if isinstance(module, Add) else tuple(node.all_input_nodes)
    with model.graph.inserting_after(node):
        node.replace_all_uses_with(model.graph.call_module(name, inputs))
    model.graph.erase_node(node)
