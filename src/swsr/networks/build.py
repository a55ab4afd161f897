"""The networks by name: the study's, ours at the same parameter counts, and those of others.

Every network maps a batch of frames scaled to [0, 1], with variables as channels:

- 2D: (n, variables + predictors, lat, lon) -> (n, variables, scale * lat, scale * lon)
- 3D: (n, variables, 5, lat, lon) -> (n, variables, lat, lon), the centre frame sharpened
- joint: (n, variables + predictors, 5, lat, lon) -> (n, variables, scale * lat, scale * lon); those
  made of a 2D and a 3D network, in `joint`, take longer runs of frames too

Predictors are low-resolution fields that a network reads and does not give. 3D networks have none.

`study_2d` and `study_3d`, and `skip_2d` and `skip_3d`, which are the same layers with skips, stand
in `study`; other layers of ours in `residual`; networks of others, to compare with, in
`baselines`.
"""

from torch import nn

from swsr.networks.baselines import Edsr, Fsrcnn, Srcnn
from swsr.networks.joint import NetworkJoint
from swsr.networks.residual import Fusion3d, FusionJoint, SubPixel2d
from swsr.networks.study import Network2d, Network3d

_Upscaling = SubPixel2d | Srcnn | Fsrcnn | Edsr

Network = Network2d | Network3d | NetworkJoint | Fusion3d | _Upscaling

_UPSCALING: dict[str, type[_Upscaling]] = {
    "subpixel_2d": SubPixel2d,
    "fusion_joint": FusionJoint,
    "srcnn_2d": Srcnn,
    "fsrcnn_2d": Fsrcnn,
    "edsr_2d": Edsr,
}


def build_network(name: str, variables: int, scale: int, predictors: int = 0) -> Network:
    """The network of that name, with random weights from torch's global generator.

    Raises
    ------
    ValueError
        When no network has that name, or one that begins with 3D layers is to read predictors.
    """
    if predictors and name.endswith(("3d", "3d_first_joint")):
        raise ValueError(f"{name} reads no predictors: only networks that begin with 2D layers do")
    if name in _UPSCALING:
        return _UPSCALING[name](variables, scale, predictors)
    if name == "fusion_3d":
        return Fusion3d(variables)
    kind, _, dimension = name.partition("_")
    known, skip = kind in ("study", "skip"), kind == "skip"
    if known and dimension == "2d":
        return Network2d(variables, scale, predictors, skip=skip)
    if known and dimension == "3d":
        return Network3d(variables, skip=skip)
    if known and dimension in ("joint", "3d_first_joint"):
        first = Network2d(variables, scale, predictors, skip=skip)
        then = Network3d(variables, skip=skip)
        return NetworkJoint(first, then, first_3d=dimension == "3d_first_joint")
    raise ValueError(
        f"unknown network {name!r}: use study_ or skip_ before 2d, 3d, joint or 3d_first_joint, "
        f"or {', '.join([*_UPSCALING, 'fusion_3d'])}"
    )


def count_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(parameter.numel() for parameter in network.parameters())
