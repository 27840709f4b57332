"""What runs in one forward of a network: its activations, the modules that they run in, and what every module gives.

A mode sees every function of torch that is called, and hooks know which module is running.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

NAMES = """relu relu6 hardtanh elu selu celu gelu silu mish softplus hardswish leaky_relu prelu rrelu sigmoid
    hardsigmoid logsigmoid special_expit tanh softsign tanhshrink softshrink hardshrink threshold glu softmax
    log_softmax"""
ACTIVATIONS = frozenset(NAMES.split())


@dataclass(frozen=True)
class Finding:
    """What is wrong with a network.

    Attributes:
        kind: a key of ``_guard.RULES_OUT``.
        module: dotted name of the module at fault, "" for the network itself.
        line: where in the network's own code, as file:line, or "" where none of it is on the way.
        said: what is wrong, in words.
    """

    kind: str
    module: str
    line: str
    said: str

    def __str__(self) -> str:
        return f"{self.line}: {self.said}" if self.line else self.said


class Seen(NamedTuple):
    """What a module gave: its dotted name, the line that called it, the shape, and one number for each image."""

    module: str
    line: str
    shape: tuple[int, ...]
    mark: Tensor


class Watch(TorchFunctionMode):
    """Sees the activations of one forward, the modules that they run in, and what every module gives.

    ``answer`` is what the network gives, ``seen`` what its modules give, in the order in which they end; ``own`` has
    the activation modules that ran exactly once, ``last`` the last activation: its name, its line and what it gave.
    """

    def __init__(self, model: nn.Module, judge: bool) -> None:
        super().__init__()
        self.judge = judge
        self.names = {module: name for name, module in model.named_modules()}
        self.running: list[nn.Module] = []
        self.runs: Counter[nn.Module] = Counter()
        self.outputs: dict[int, tuple[str, Tensor]] = {}  # by address; the tensors are kept, so that none is used anew
        self.seen: list[Seen] = []
        self.activated: set[nn.Module] = set()
        self.lines: list[str] = []
        self.found: list[Finding] = []
        self.last: tuple[str, str, object] | None = None
        self.answer: Any = None

    @property
    def own(self) -> set[str]:
        return {self.names[module] for module in self.activated if self.runs[module] == 1}

    def enter(self, module: nn.Module, _inputs: object) -> None:
        self.running.append(module)
        self.lines.append(_line(sys._getframe()))
        self.runs[module] += 1

    def leave(self, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        self.running.pop()
        line = self.lines.pop()
        if isinstance(output, Tensor) and output.is_floating_point() and output.ndim > 0:
            name = self.names[module]
            mark = output.flatten(1).abs().mean(1) if output.ndim > 1 else output.clone()
            self.seen.append(Seen(name, line, tuple(output.shape), mark))
            if self.judge:
                self.outputs[output.data_ptr()] = (name, output)

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        called = getattr(function, "__name__", "")
        name = called.removesuffix("_")
        if not self.judge or not (name in ACTIVATIONS or _rectifies(name, args, kwargs)):
            return function(*args, **kwargs)
        line = _line(sys._getframe())
        self._judge(name, line)
        if called.endswith("_") or kwargs.get("inplace"):
            self._judge_place(name, line, args[0])
        result = function(*args, **kwargs)
        self.last = (name, line, result)
        return result

    def _judge(self, name: str, line: str) -> None:
        module = self.running[-1]
        where = self.names[module]
        if not _own(module):
            said = f"{name} runs outside an activation module of its own, in {where or 'the network'}"
            self._note(Finding("functional", where, line, said))
            return
        self.activated.add(module)
        if self.runs[module] > 1:
            self._note(Finding("reused", where, line, f"the activation {where!r} runs more than once in a forward"))

    def _judge_place(self, name: str, line: str, given: Tensor) -> None:
        where = self.names[self.running[-1]]
        layer, _ = self.outputs.get(given.data_ptr(), ("", None))
        if layer:
            who = f"the activation {where!r}" if _own(self.running[-1]) else name
            self._note(Finding("in place", where, line, f"{who} works in place and overwrites the output of {layer!r}"))

    def _note(self, finding: Finding) -> None:
        if finding not in self.found:
            self.found.append(finding)


@torch.no_grad()
def watched(model: nn.Module, images: Tensor, *, judge: bool = False) -> Watch:
    """Run the network once on ``images`` (N, C, H, W), and return what was seen; every hook is gone afterwards.

    Args:
        model: the network.
        images: normalised.
        judge: whether to look at activations; every output is kept in memory then.
    """
    watch = Watch(model, judge)
    with ExitStack() as hooks:
        for module in model.modules():
            hooks.callback(module.register_forward_pre_hook(watch.enter).remove)
            hooks.callback(module.register_forward_hook(watch.leave).remove)
        with watch:
            watch.answer = model(images)
    return watch


CALLER = watched.__wrapped__.__code__  # type: ignore[attr-defined]


def _rectifies(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Say whether a call is a ReLU by another name: a clamp from 0."""
    low = kwargs.get("min", args[1] if len(args) > 1 else None)
    return name in {"clamp", "clip", "clamp_min"} and isinstance(low, int | float) and low == 0


def _own(module: nn.Module) -> bool:
    """Say whether a module is an activation and nothing else."""
    built_in = type(module).__module__ == "torch.nn.modules.activation"
    return built_in or not (any(True for _ in module.children()) or any(True for _ in module.parameters()))


def _line(frame: FrameType | None) -> str:
    """Return where the network's own code runs, from a frame inwards: the first that is neither torch's nor of here."""
    while frame is not None and frame.f_code is not CALLER:
        module = frame.f_globals.get("__name__", "")
        if module and module != __name__ and module.split(".")[0] != "torch":
            path = Path(frame.f_code.co_filename)
            parts = module.count(".") + 1 + (path.name == "__init__.py")
            return f"{'/'.join(path.parts[-parts:])}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
