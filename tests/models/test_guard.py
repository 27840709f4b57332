"""The guard finds what breaks a promise, names the line and what it rules out, and leaves the network as it was."""

import inspect

import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline import plugins
from pipeline.attribution._requirements import own_activations
from pipeline.models._guard import RULES_OUT, fault, findings
from pipeline.models._target import last_map

IMAGES = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(0))
CLASSES = 5


class Base(nn.Module):
    """A sound network; subclasses break one promise in ``middle`` or ``end``, in a line that says AT FAULT."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.relu = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.spare, self.drop, self.head = nn.ReLU(), nn.Dropout(), nn.Linear(4, CLASSES)

    def middle(self, features):
        return self.relu(features)

    def end(self, logits):
        return logits

    def forward(self, images):
        return self.end(self.head(self.drop(self.middle(self.norm(self.conv(images)))).mean((2, 3))))


class Functional(Base):
    def middle(self, features):
        return functional.relu(features)  # AT FAULT


class Method(Base):
    def middle(self, features):
        return features.sigmoid()  # AT FAULT


class Clamped(Base):
    def middle(self, features):
        return features.clamp(min=0)  # AT FAULT


class Reused(Base):
    def middle(self, features):
        once = self.relu(features)
        return self.relu(once - 0.1)  # AT FAULT


class InPlace(Base):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def middle(self, features):
        return self.relu(features)  # AT FAULT


class InPlaceByFunction(Base):
    def middle(self, features):
        return torch.relu_(features)  # AT FAULT


class Softmax(Base):
    def end(self, logits):
        return self.last(logits)  # AT FAULT

    def __init__(self):
        super().__init__()
        self.last = nn.Softmax(1)


class LogSoftmax(Base):
    def end(self, logits):
        return logits.log_softmax(1)  # AT FAULT


class Sigmoid(Base):
    def end(self, logits):
        return logits.sigmoid()  # AT FAULT


class Divided(Base):
    def end(self, logits):
        return logits.exp() / logits.exp().sum(1, keepdim=True)


class Batchwise(Base):
    def middle(self, features):
        return self.relu(features - features.mean(0))  # AT FAULT


class Neighbours(Base):
    def end(self, logits):
        return logits + logits.roll(1, 0)


class BatchNormLeftOn(Base):
    def eval(self):
        super().eval()
        self.norm.train()
        return self


class DropoutLeftOn(Base):
    def end(self, logits):
        return self.spare(functional.dropout(logits, 0.5))  # AT FAULT


class Pair(Base):
    def end(self, logits):
        return logits, logits


class Map(Base):
    def end(self, logits):
        return logits[:, :, None, None]


def line_of(kind):
    """Return file:line of the line of a class that is at fault, or "" where none is marked."""
    lines, first = inspect.getsourcelines(kind)
    marked = [first + place for place, line in enumerate(lines) if line.endswith("# AT FAULT\n")]
    return f"models/test_guard.py:{marked[0]}" if marked else ""


def only(kind, what):
    """Return the one finding of a kind."""
    (finding,) = [each for each in findings(kind(), IMAGES, CLASSES) if each.kind == what]
    return finding


def test_a_sound_network_has_nothing_against_it():
    assert findings(Base(), IMAGES, CLASSES) == []
    assert findings(Base(), IMAGES) == []
    assert fault(Base(), IMAGES, CLASSES) is None
    assert plugins.guarded(Base(), IMAGES, CLASSES) == []
    assert own_activations(Base(), IMAGES, None) is None


CASES = [
    (Functional, "functional", "", "relu runs outside an activation module of its own, in the network"),
    (Method, "functional", "", "sigmoid runs outside"),
    (Clamped, "functional", "", "clamp runs outside"),
    (Reused, "reused", "relu", "the activation 'relu' runs more than once"),
    (InPlace, "in place", "relu", "the activation 'relu' works in place and overwrites the output of 'norm'"),
    (InPlaceByFunction, "in place", "", "relu works in place and overwrites the output of 'norm'"),
    (Softmax, "probabilities", "", "the network ends in softmax"),
    (LogSoftmax, "probabilities", "", "the network ends in log_softmax"),
    (Sigmoid, "probabilities", "", "the network ends in sigmoid"),
    (Divided, "probabilities", "", "the network's answers are probabilities"),
    (Batchwise, "batch", "relu", "depend on its batch in eval mode; this shows first in the output of 'relu'"),
    (Neighbours, "batch", "", "depend on its batch in eval mode"),
    (BatchNormLeftOn, "batch", "norm", "this shows first in the output of 'norm'"),
    (DropoutLeftOn, "random", "spare", "two forwards in eval mode give different logits; they part first"),
    (Pair, "shape", "", "the network gives a tuple for one image, where logits (N, 5) are due"),
    (Map, "shape", "", "the network gives (1, 5, 1, 1) for one image"),
]


@pytest.mark.parametrize(("kind", "what", "module", "says"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_broken_promise_is_found_with_its_line(kind, what, module, says):
    if kind is BatchNormLeftOn:  # which eval() must switch on again
        network = kind()
        (finding,) = [each for each in findings(network, IMAGES, CLASSES) if each.kind == what]
    else:
        finding = only(kind, what)
    assert says in finding.said
    assert finding.module == module
    if line_of(kind):
        assert finding.line.endswith(line_of(kind))
        assert str(finding) == f"{finding.line}: {finding.said}"
    assert "\n" not in str(finding)


@pytest.mark.parametrize(("kind", "what"), [case[:2] for case in CASES], ids=[case[0].__name__ for case in CASES])
def test_it_rules_out_every_method_or_those_that_need_own_activations(kind, what):
    network = kind()
    stops = RULES_OUT[what] is None
    assert (fault(network, IMAGES, CLASSES) is not None) is stops
    if stops:
        with pytest.raises(ValueError, match=r"^no method can explain this network: "):
            plugins.guarded(network, IMAGES, CLASSES)
    else:
        assert own_activations(network, IMAGES, None) == str(findings(network, IMAGES)[0])
        remarks = plugins.guarded(network, IMAGES, CLASSES)
        assert remarks
        assert all("; this rules out " in remark for remark in remarks)


def test_the_methods_that_it_rules_out_are_named(monkeypatch):
    needs = {"gradient": ("own_activations",), "cam": ("target_layer", "own_activations"), "edge_map": ()}
    monkeypatch.setattr(plugins.signatures, "constant", lambda layer, name, key: needs.get(name))
    (remark,) = plugins.guarded(Functional(), IMAGES, CLASSES)
    assert remark.endswith("; this rules out cam, gradient")


def test_another_number_of_classes_is_found():
    (finding,) = findings(Base(), IMAGES, CLASSES + 1)
    assert (finding.kind, "gives (1, 5)" in finding.said) == ("shape", True)


class Swish(nn.Module):
    def forward(self, features):
        return features * features.sigmoid()


class Parametric(Base):
    def __init__(self):
        super().__init__()
        self.relu = nn.Sequential(nn.PReLU(), Swish(), nn.MultiheadAttention(4, 2), nn.ReLU())

    def middle(self, features):
        gated = self.relu[1](self.relu[0](features)).flatten(2).permute(2, 0, 1)
        return self.relu[3](self.relu[2](gated, gated, gated)[0]).permute(1, 2, 0)[..., None]


def test_activations_with_weights_of_the_users_own_and_attention_are_modules_of_their_own():
    assert findings(Parametric(), IMAGES, CLASSES) == []


def test_a_softmax_within_the_network_is_none_at_its_end():
    class Gated(Base):
        def middle(self, features):
            return self.relu(features) * features.flatten(2).softmax(2).view_as(features)

    assert [each.kind for each in findings(Gated(), IMAGES, CLASSES)] == ["functional"]


def test_a_sequence_of_modules_names_the_module_where_no_line_of_its_own_runs():
    relu = nn.ReLU()
    model = nn.Sequential(nn.Conv2d(2, 4, 3), relu, nn.Conv2d(4, 4, 3), relu, nn.Flatten(), nn.Linear(64, CLASSES))
    (finding,) = findings(model, IMAGES, CLASSES)
    assert (finding.kind, finding.module, finding.line) == ("reused", "1", "")


def test_the_network_its_mode_and_the_random_numbers_are_left_as_found():
    model = Functional().train()
    model.norm.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state, images = torch.get_rng_state(), IMAGES.clone()
    findings(model, images, CLASSES)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, IMAGES)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.conv.training
    assert not model.norm.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_an_error_of_the_network_is_not_hidden_and_leaves_no_hook():
    model = Base()
    with pytest.raises(RuntimeError, match="channels"):
        findings(model, IMAGES[:, :1], CLASSES)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_the_last_map_is_that_of_the_last_activation_of_its_own():
    assert last_map(Base(), IMAGES) == "relu"
    assert last_map(Functional(), IMAGES) is None
    assert last_map(Reused(), IMAGES) is None
    head = [nn.AdaptiveAvgPool2d(1), nn.ReLU(), nn.Flatten(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)]
    body = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Sigmoid(), nn.Identity()]
    assert last_map(nn.Sequential(*body, *head), IMAGES) == "3"
    assert last_map(nn.Sequential(nn.Flatten(), nn.Linear(128, 4), nn.ReLU(), nn.Linear(4, 2)), IMAGES) is None


def test_channels_that_come_last_are_no_map():
    class Last(Base):
        def middle(self, features):
            wide = torch.cat([features.permute(0, 2, 3, 1)] * 4, 3)
            return self.relu(wide).permute(0, 3, 1, 2)[:, :4]

    assert last_map(Last(), IMAGES) is None
