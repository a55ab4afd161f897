"""Video through PyAV: only the frames that are asked for are decoded, from the key frame before."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import xarray as xr

from swsr.sources.lazy import Key
from swsr.sources.pictures import frame_numbers, picture_dataset

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")


def open_video(path: Path) -> xr.Dataset:
    """Channels grey, red, green and blue from 0 to 255; time in seconds, by the frame rate.

    Raises
    ------
    ValueError
        When there is no video stream, no frame, or no even frame rate.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ValueError(f"{path}: no video stream")
        stream = container.streams.video[0]
        deep = stream.codec_context.pix_fmt == "gray16le"
        shape = (stream.height, stream.width)
        base, rate = stream.time_base, stream.average_rate
        # Packets say when each frame is shown without decoding it.
        stamps = sorted(_stamp(packet) for packet in container.demux(stream) if packet.size)
    if not stamps:
        raise ValueError(f"{path}: a video without frames")
    if not (base and rate):
        raise ValueError(f"{path}: the video has no frame rate")
    period = float(1 / rate / base)
    gaps = [last - first for first, last in pairwise(stamps)]
    uneven = [number for number, gap in enumerate(gaps) if abs(gap - period) > max(1, period / 2)]
    if uneven:
        raise ValueError(
            f"{path}: the frame rate is not even: the step after frame {uneven[0]} is not 1/"
            f"{float(rate):g} s; convert it to a constant rate"
        )
    seconds = np.arange(len(stamps)) / float(rate)
    times = xr.Variable(("time",), seconds, {"units": "s"})
    dtype = np.dtype("uint16" if deep else "uint8")
    return picture_dataset(times, shape, dtype, partial(_read, path, stamps))


def _stamp(packet: Any) -> int:
    stamp = packet.pts if packet.pts is not None else packet.dts
    return int(stamp or 0)


def _read(path: Path, stamps: list[int], channel: str, key: Key) -> np.ndarray:
    numbers, single = frame_numbers(key[0], len(stamps))
    frames: dict[int, np.ndarray] = {}
    with av.open(str(path)) as container:
        # From the beginning where seeking leads past the frame, as without an index.
        for start in (numbers[0], 0):
            for number, frame in _decode(container, stamps, start):
                if number in numbers:
                    frames[number] = _pixels(frame, channel)[key[1:]]
                if number >= numbers[-1]:
                    break
            if len(frames) == len(numbers):
                return frames[numbers[0]] if single else np.stack([frames[n] for n in numbers])
    missing = next(number for number in numbers if number not in frames)
    raise ValueError(f"{path}: frame {missing} cannot be decoded: the file may be cut off")


def _decode(
    container: av.container.InputContainer, stamps: list[int], start: int
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames and their numbers, from the key frame at or before number `start` on.

    Decoders give frames in the order in which they are shown; their time stamps are not always in
    that order (AVI with B-frames), so only that of the key frame is used.
    """
    stream = container.streams.video[0]
    container.seek(stamps[start], stream=stream)
    number: int | None = None
    for frame in container.decode(stream):
        if number is not None:
            number += 1
        elif frame.key_frame and frame.pts in stamps:
            number = stamps.index(frame.pts)
        if number is not None:
            yield number, frame


def _pixels(frame: av.VideoFrame, channel: str) -> np.ndarray:
    if channel == "grey":
        deep = frame.format.name == "gray16le"
        return frame.to_ndarray(format="gray16le" if deep else "gray")
    return frame.to_ndarray(format="rgb24")[..., ("red", "green", "blue").index(channel)]
