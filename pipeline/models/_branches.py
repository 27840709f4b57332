"""Where the branches of a network meet: modules, so that a hook sees the meeting and a method can divide what flows."""

from torch import Tensor, nn


class Add(nn.Module):
    """The sum of two branches of one shape."""

    def forward(self, branch: Tensor, shortcut: Tensor) -> Tensor:
        """Return ``branch + shortcut``."""
        return branch + shortcut


class Multiply(nn.Module):
    """A signal times its gate, whose shape broadcasts to the signal's."""

    def forward(self, signal: Tensor, gate: Tensor) -> Tensor:
        """Return ``signal * gate``."""
        return signal * gate
