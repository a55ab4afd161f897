"""The study's networks in Keras, on its JAX back end: another thing that a user could pick."""

import os
from collections.abc import Callable

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
# JAX takes all cores whatever OMP_NUM_THREADS says: as many as torch has in this run.
_THREADS = os.environ.get("OMP_NUM_THREADS", "1")
if _THREADS == "1":
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )

import keras  # noqa: E402
from keras import layers  # noqa: E402


def _network_2d(lat: int, lon: int) -> keras.Model:
    options = {"padding": "same", "activation": "relu"}
    return keras.Sequential(
        [
            keras.Input((lat, lon, 1)),
            layers.Conv2D(56, 5, **options),
            layers.Conv2D(12, 1, **options),
            *(layers.Conv2D(12, 3, **options) for _ in range(4)),
            layers.Conv2D(56, 1, **options),
            layers.Conv2DTranspose(1, 9, strides=2, padding="same"),
        ]
    )


def _network_3d(lat: int, lon: int) -> keras.Model:
    options = {"padding": "same", "activation": "relu"}
    wide = [(32, (3, 5, 5)), (8, (3, 1, 1)), (8, 3), (8, 3), (32, (3, 1, 1))]
    return keras.Sequential(
        [
            keras.Input((5, lat, lon, 1)),
            *(layers.Conv3D(channels, size, **options) for channels, size in wide),
            layers.Conv3D(32, 3, activation="relu"),
            layers.Conv3D(32, 3, activation="relu"),
            layers.Reshape((lat - 4, lon - 4, 32)),
            layers.Conv2D(1, 3, **options),
        ]
    )


def keras_epoch(given: np.ndarray, truths: np.ndarray, batch: int) -> Callable[[], object]:
    """One epoch over samples as torch has them: (n, 1, [5,] lat, lon) and (n, 1, lat, lon)."""
    lat, lon = given.shape[-2:]
    network = _network_2d(lat, lon) if given.ndim == 4 else _network_3d(lat, lon)
    network.compile(optimizer=keras.optimizers.Adam(3e-4), loss="mse")
    inputs, outputs = (np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (given, truths))
    return lambda: network.fit(inputs, outputs, batch_size=batch, shuffle=False, verbose=0)
