import numpy as np
import pytest
from PIL import Image

from swsr.geometry import Geometry
from swsr.resampling import bicubic


def keys(x, a=-0.5):
    """Keys (1981), eq. 15, written out."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def weights(n_in, n_out, periodic):
    """Matrix (n_out, n_in) of the definition in the module's docstring, by plain sums."""
    ratio = n_in / n_out
    widened = max(ratio, 1.0)
    matrix = np.zeros((n_out, n_in))
    for i in range(n_out):
        centre = (i + 0.5) * ratio - 0.5
        for j in range(int(centre - 2 * widened) - 2, int(centre + 2 * widened) + 3):
            weight = keys((j - centre) / widened)
            if periodic:
                matrix[i, j % n_in] += weight
            elif 0 <= j < n_in:
                matrix[i, j] += weight
    return matrix / matrix.sum(axis=1, keepdims=True)


def by_definition(frames, size, periodic):
    lat = weights(frames.shape[1], size[0], periodic=False)
    lon = weights(frames.shape[2], size[1], periodic=periodic)
    return np.einsum("yj,njk,xk->nyx", lat, frames, lon)


@pytest.fixture
def frames():
    return np.random.default_rng(0).normal(size=(3, 24, 48)).astype("float32")


def geometry(periodic, lat="edge"):
    return Geometry(lat, "periodic" if periodic else "edge")


def down(frames, scale, **edges):
    return bicubic.downscale(frames[:, None], scale, geometry(**edges))[:, 0]


def up(frames, scale, **edges):
    return bicubic.upscale(frames[:, None], scale, geometry(**edges))[:, 0]


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_equals_the_definition(frames, scale, periodic):
    low = down(frames, scale, periodic=periodic)
    np.testing.assert_allclose(
        low, by_definition(frames, (24 // scale, 48 // scale), periodic), atol=2e-6
    )
    high = up(frames, scale, periodic=periodic)
    np.testing.assert_allclose(
        high, by_definition(frames, (24 * scale, 48 * scale), periodic), atol=2e-5
    )


@pytest.mark.parametrize("size", [(12, 24), (8, 16), (6, 12), (48, 96)])
def test_equals_pillow(frames, size):
    if size[0] < 24:
        ours = down(frames, 24 // size[0], periodic=False)
    else:
        ours = up(frames, size[0] // 24, periodic=False)
    for frame, result in zip(frames, ours, strict=True):
        pillow = Image.fromarray(frame, mode="F").resize(size[::-1], Image.Resampling.BICUBIC)
        np.testing.assert_allclose(result, np.asarray(pillow), atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_rolled_longitude_rolls_the_result(frames, scale):
    rolled = down(np.roll(frames, 2 * scale, axis=-1), scale, periodic=True)
    expected = np.roll(down(frames, scale, periodic=True), 2, axis=-1)
    np.testing.assert_allclose(rolled, expected, atol=2e-6)
    rolled = up(np.roll(frames, 5, axis=-1), scale, periodic=True)
    expected = np.roll(up(frames, scale, periodic=True), 5 * scale, axis=-1)
    np.testing.assert_allclose(rolled, expected, atol=5e-5)


def test_removes_what_the_low_grid_cannot_hold():
    checkerboard = np.indices((24, 48)).sum(axis=0)[None].astype("float32") % 2
    low = down(checkerboard, 4, periodic=True)
    np.testing.assert_allclose(low[:, 1:-1], 0.5, atol=0.02)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("is_vector", [False, True])
def test_meridians_go_on_across_the_poles(frames, scale, is_vector):
    """As on a torus on which every meridian is followed by its opposite one, upside down."""
    opposite = np.roll(frames[:, ::-1], 24, axis=-1) * (-1 if is_vector else 1)
    torus = np.concatenate([frames, opposite], axis=1)[:, None]
    poles = Geometry("pole", "periodic", (is_vector,))
    for function, size in ((bicubic.downscale, 24 // scale), (bicubic.upscale, 24 * scale)):
        ours = function(frames[:, None], scale, poles)
        around = function(torus, scale, Geometry("periodic", "periodic"))
        np.testing.assert_allclose(ours, around[:, :, :size], atol=1e-5)
