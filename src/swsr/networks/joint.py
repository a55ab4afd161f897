"""The 2D and the 3D network as one, trained end to end: what the study left as future work."""

from dataclasses import replace

from torch import Tensor, nn

from swsr.networks.study import Network2d, Network3d
from swsr.settings import PACK_FRAMES


def pack_frames(frames: Tensor) -> Tensor:
    """All packs of consecutive frames, without a loop.

    Parameters
    ----------
    frames
        (n, variables, frames, lat, lon)

    Returns
    -------
    Tensor (n * (frames - 4), variables, 5, lat, lon): the packs of the first run, then those of the
    second, and so on.
    """
    packs = frames.unfold(2, PACK_FRAMES, 1)  # (n, variables, packs, lat, lon, 5): a view
    return packs.permute(0, 2, 1, 5, 3, 4).flatten(0, 1)


class NetworkJoint(nn.Module):
    """A 2D and a 3D network in a row, in either order.

    Maps runs of consecutive low-resolution frames (n, variables, frames, lat, lon), with predictors
    after the variables if `network_2d` is first and has some, to
    (n * (frames - 4), variables, scale * lat, scale * lon): a frame for each five that follow on
    each other. With `network_2d` first, a frame goes through it once, however many packs it is in.

    Parameters
    ----------
    network_2d, network_3d
        Both with skips, or both without.
    first_3d
        Whether the 3D network sharpens low-resolution frames, which the 2D network then upscales.
    """

    def __init__(self, network_2d: Network2d, network_3d: Network3d, *, first_3d: bool) -> None:
        super().__init__()
        self.network_2d, self.network_3d, self.first_3d = network_2d, network_3d, first_3d
        of_2d, of_3d = network_2d.reach, network_3d.reach
        # What the 3D network takes off, or reaches, in points of the low-resolution grid.
        scale = 1 if first_3d else of_2d.scale
        trim, halo = (-(-points // scale) for points in (of_3d.trim, of_3d.halo))
        self._crop = trim * scale - of_3d.trim
        self.reach = replace(
            of_2d, trim=of_2d.trim + trim, halo=of_2d.halo + halo, num_frames=PACK_FRAMES
        )

    def forward(self, frames: Tensor) -> Tensor:
        """(n, variables, frames, lat, lon) -> (n * (frames - 4), variables, lat, lon), upscaled."""
        if self.first_3d:
            sharpened: Tensor = self.network_2d(self.network_3d(pack_frames(frames)))
            return sharpened
        runs, _, num_frames = frames.shape[:3]
        high = self.network_2d(frames.transpose(1, 2).flatten(0, 1))
        high = high.unflatten(0, (runs, num_frames)).transpose(1, 2)
        restored: Tensor = self.network_3d(pack_frames(high))
        lat, lon = (slice(self._crop, size - self._crop) for size in restored.shape[-2:])
        return restored[..., lat, lon]
