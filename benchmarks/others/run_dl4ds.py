"""DL4DS: a residual network of its default size with sub-pixel convolution, its loss and rate."""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # DL4DS is written for Keras 2

import dl4ds
import tensorflow as tf
from job import Array, Job

BATCH, POINTS = 8, 32


def main() -> None:
    """Train and write results."""
    job = Job()
    tf.keras.utils.set_random_seed(0)
    high = job.high[..., None]
    trainer = dl4ds.SupervisedTrainer(
        backbone="resnet", upsampling="spc", data_train=high, data_val=high, data_test=high,
        scale=job.scale, device="CPU", batch_size=BATCH, verbose=False,
    )  # fmt: skip
    trainer.setup_model()
    network = trainer.model
    rate = trainer.learning_rate[0]  # the first of two; the second is for after 100,000 steps
    network.compile(tf.keras.optimizers.Adam(rate), loss=trainer.lossf)

    def predict(frame: Array) -> Array:
        return network.predict_on_batch(frame[None, ..., None])[0, ..., 0]

    for given, wanted in job.batches(predict, network.count_params(), BATCH, POINTS):
        network.train_on_batch(given[..., None], wanted[..., None])


if __name__ == "__main__":
    main()
