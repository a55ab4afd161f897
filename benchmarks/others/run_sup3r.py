"""sup3r: the generator of its spatial configuration for scale 2 and one variable, and its trainer.

Trained for content alone: its discriminator adds detail, which costs PSNR.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import sup3r
from job import Array, Job
from sup3r.models import Sup3rGan
from sup3r.preprocessing.base import DsetTuple

BATCH, POINTS = 8, 32
CONFIGS = Path(sup3r.__file__).parent / "configs" / "spatial"
NAME = "vorticity"


class Batches:
    """What `Sup3rGan.train` asks of batches; an epoch ends by the clock."""

    means, stds = {NAME: 0.0}, {NAME: 1.0}  # frames are standardised already
    lr_features = hr_out_features = (NAME,)
    hr_exo_features = ()
    smoothing, s_enhance, t_enhance = None, 2, 1
    shapes = (BATCH, POINTS, POINTS, 1), (BATCH, 2 * POINTS, 2 * POINTS, 1)
    val_data = ()

    def __init__(self, job: Job, model: Sup3rGan) -> None:
        self._job, self._model = job, model

    def __iter__(self) -> Iterator[DsetTuple]:
        def predict(frame: Array) -> Array:
            return self._model.generate(frame[None, ..., None])[0, ..., 0]

        parameters = sum(each.shape.num_elements() for each in self._model.generator_weights)
        for given, wanted in self._job.batches(predict, parameters, BATCH, POINTS):
            yield DsetTuple(low_res=given[..., None], high_res=wanted[..., None])

    def __len__(self) -> int:
        return 1

    def stop(self) -> None:
        """Nothing runs beside."""


def main() -> None:
    """Train and write results."""
    Sup3rGan.seed()
    model = Sup3rGan(str(CONFIGS / "gen_2x_1f.json"), str(CONFIGS / "disc.json"))
    with tempfile.TemporaryDirectory() as folder:
        model.train(
            Batches(Job(), model), input_resolution={"spatial": "300km", "temporal": "60min"},
            n_epoch=1, weight_gen_advers=0.0, train_gen=True, train_disc=False,
            checkpoint_int=None, out_dir=str(Path(folder, "{epoch}")),
        )  # fmt: skip


if __name__ == "__main__":
    main()
