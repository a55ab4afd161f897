"""PhysicsNeMo: CorrDiff's regression network, its small configuration, loss and optimiser.

Version 1.3: later ones load torchvision's operators, which its wheels lack beside a torch for CPUs.
It reads frames that are interpolated to high resolution. Diffusion is left out: it adds detail,
which costs PSNR.
"""

import torch
from job import Array, Job
from physicsnemo.metrics.diffusion import RegressionLoss
from physicsnemo.models.diffusion import UNet


def main() -> None:
    """Train and write results."""
    job = Job("raw")
    torch.manual_seed(0)
    positions = 4  # channels, which the network adds itself
    network = UNet(
        img_resolution=job.high.shape[1:], img_in_channels=1 + positions, img_out_channels=1,
        model_type="SongUNetPosEmbd", embedding_type="zero", N_grid_channels=positions,
        gridtype="sinusoidal", model_channels=64, channel_mult=[1, 2, 2], attn_resolutions=[16],
    )  # fmt: skip
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=2e-4), RegressionLoss()

    @torch.inference_mode()
    def predict(frame: Array) -> Array:
        network.eval()  # it has dropout
        given = torch.from_numpy(frame)[None, None]
        return network(torch.zeros_like(given), given)[0, 0].numpy()

    parameters = sum(each.numel() for each in network.parameters())
    for batch in job.batches(predict, parameters, 1, None):
        given, wanted = (torch.from_numpy(field)[:, None] for field in batch)
        network.train()
        optimizer.zero_grad()
        loss(network, wanted, given).mean().backward()
        optimizer.step()


if __name__ == "__main__":
    main()
