"""First layers that were trained elsewhere: how a network takes one over, and how fast it learns.

The study starts from the first layer of FSRCNN (Dong, Loy and Tang 2016, arXiv 1608.00367), as its
authors published it, and fine-tunes it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from swsr.networks.build import Network

FILTERS, WIDTH = 56, 5
"""Filters of the first layer, and points of each along lat and lon."""


@dataclass(frozen=True)
class FirstLayer:
    """The first layer of an FSRCNN that reads one channel.

    Attributes
    ----------
    weight
        (56, 1, 5, 5): filter, channel, row, column. A filter's answer at a point is the sum of its
        weights times the picture around the point, neither turned nor mirrored.
    bias
        (56,), or None where the file has none.
    """

    weight: Tensor
    bias: Tensor | None


def first_layer(network: nn.Module) -> nn.Conv2d:
    """The first layer of `study_2d`, `skip_2d` or `fsrcnn_2d`."""
    layer = network.get_submodule("layers.0")
    assert isinstance(layer, nn.Conv2d) and layer.weight.shape[0] == FILTERS
    return layer


def start_first_layer(network: Network, trained: FirstLayer) -> None:
    """Give a network the first layer of another.

    Of several variables each gets the filters divided by their number: where all have the same
    values, the filters answer as they would to one channel. Predictors after them keep their random
    filters. Without biases they are zero. A network
    with a skip reads anomalies in units of 0.1: it gets the filters as they are, for structures of
    that size in the place of the whole range.
    """
    layer = first_layer(network)
    assert layer.bias is not None
    variables = layer.weight.shape[1] - network.reach.predictors
    with torch.no_grad():
        of_variables = layer.weight[:, :variables]
        of_variables.copy_(trained.weight.expand_as(of_variables) / variables)
        layer.bias.zero_() if trained.bias is None else layer.bias.copy_(trained.bias)


def parameter_groups(network: nn.Module, first_layer_rate: float) -> list[dict[str, Any]]:
    """What an optimizer trains, in the order of the network; `share` multiplies the learning rate.

    A first layer of rate 0 is frozen: it gets no gradient, and is in no group.
    """
    if first_layer_rate == 1:
        return [{"params": list(network.parameters()), "share": 1.0}]
    first = list(first_layer(network).parameters())
    known = {id(parameter) for parameter in first}
    others = [parameter for parameter in network.parameters() if id(parameter) not in known]
    groups = [{"params": first, "share": first_layer_rate}, {"params": others, "share": 1.0}]
    if first_layer_rate:
        return groups
    for parameter in first:
        parameter.requires_grad_(False)
    return groups[1:]
