"""The four reductions on a map worked by hand."""

import pytest
import torch

from pipeline.evaluation._reduce import reduce_channels

MAPS = torch.tensor([[1.0, -4.0], [-3.0, 0.5], [0.5, 2.0]]).view(1, 3, 1, 2)  # two pixels: (1, -3, .5), (-4, .5, 2)


@pytest.mark.parametrize(
    ("how", "first", "second"),
    [("abs_max", 3.0, 4.0), ("abs_sum", 4.5, 6.5), ("sum", -1.5, -1.5), ("positive_sum", 1.5, 2.5)],
)
def test_channels_become_one_number(how, first, second):
    torch.testing.assert_close(reduce_channels(MAPS, how), torch.tensor([[[first, second]]]))


def test_the_sum_of_one_channel_is_the_map_itself():
    maps = torch.randn(3, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(reduce_channels(maps, "sum"), maps[:, 0])


def test_an_unknown_rule_is_refused_with_the_rules_there_are():
    with pytest.raises(ValueError, match="abs_max, abs_sum, sum, positive_sum, got 'max'"):
        reduce_channels(MAPS, "max")
