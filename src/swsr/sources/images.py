"""A folder of pictures, a frame each, in the order of the numbers in their names."""

from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

from swsr.settings import by_numbers
from swsr.sources.lazy import Key
from swsr.sources.pictures import frame_numbers, picture_dataset

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


def pictures_in(folder: Path) -> list[Path]:
    """Pictures of a folder, frame_2 before frame_10."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    return sorted(found, key=by_numbers)


def open_images(paths: list[Path]) -> xr.Dataset:
    """All pictures of folders, or single ones, as one series; time is the number of the frame.

    Raises
    ------
    ValueError
        When there is no picture, or one has another size or depth than the first.
    """
    files = [
        file
        for path in sorted(paths, key=by_numbers)
        for file in (pictures_in(path) if path.is_dir() else [path])
    ]
    if not files:
        raise ValueError(f"{paths[0]}: no pictures ({', '.join(SUFFIXES)})")
    size, dtype = _header(files[0])
    for file in files[1:]:
        if _header(file) != (size, dtype):
            raise ValueError(
                f"{file}: {_words(*_header(file))}, but {files[0].name} has {_words(size, dtype)}"
            )
    times = xr.Variable(("time",), np.arange(len(files)), {"long_name": "frame"})
    return picture_dataset(times, (size[1], size[0]), dtype, partial(_read, files))


def _header(file: Path) -> tuple[tuple[int, int], np.dtype]:
    try:
        with Image.open(file) as image:
            deep = {"I;16": "uint16", "I;16B": "uint16", "I": "int32", "F": "float32"}
            return image.size, np.dtype(deep.get(image.mode, "uint8"))
    except OSError as error:
        raise ValueError(f"{file}: not a picture that can be read") from error


def _words(size: tuple[int, int], dtype: np.dtype) -> str:
    return f"{size[0]} x {size[1]} pixels of {dtype}"


def _read(files: list[Path], channel: str, key: Key) -> np.ndarray:
    numbers, single = frame_numbers(key[0], len(files))
    frames = [_pixels(files[number], channel)[key[1:]] for number in numbers]
    return frames[0] if single else np.stack(frames)


def _pixels(file: Path, channel: str) -> np.ndarray:
    try:
        with Image.open(file) as image:
            if channel == "grey":
                deep = image.mode[0] in "IF"
                return np.asarray(image if deep else image.convert("L"))
            index = ("red", "green", "blue").index(channel)
            return np.asarray(image.convert("RGB"))[..., index]
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{file}: cannot be read: {error}") from error
