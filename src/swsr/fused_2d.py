"""The layers of `study_networks.Network2d` as a few kernels for GPUs, in Triton.

Libraries' convolutions are made for many channels: with 1, 12 and 56 they take ten times as long as
the GPU needs to read and write what lies between the layers. Here one kernel takes several layers,
so that 56 channels are never written: 25 points under a 5 x 5 kernel -> 56 -> 12 channels; 12 -> 12
channels, four times; 12 -> 56 channels -> what each point adds to the 9 x 9 points of output around
it, which another kernel sums. The way back computes the 56 channels anew.

Points are rows, of 12 channels each, whatever the frame: a tile is `TILE` of them. Products are in
TF32, as cuDNN's are by default. Sums over points for gradients of weights are one for each program,
summed in their order: equal results each time.
"""

import warnings
from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.autograd import Function

TILE, WARPS = 64, 4
"""Points that a program takes at once, and its warps: what was fastest on an H100."""

PRECISION = "tf32"
"""Of products; `ieee` is float32."""

_MOST_VARIABLES = 4
"""Of which all points under a 5 x 5 kernel fit the memory that a program shares."""

_WIDE, _WIDE_ROOM = tl.constexpr(56), tl.constexpr(64)
_NARROW, _NARROW_ROOM = tl.constexpr(12), tl.constexpr(16)
_FIVE, _FIVE_TAPS = tl.constexpr(5), tl.constexpr(25)
_THREE, _THREE_TAPS = tl.constexpr(3), tl.constexpr(9)
_NINE, _NINE_TAPS = tl.constexpr(9), tl.constexpr(81)
_UNDER = tl.constexpr(108)
"""Channels of all points under a 3 x 3 kernel; products need powers of two of everything."""
_UNDER_ROOM, _NINE_ROOM = tl.constexpr(128), tl.constexpr(128)

_SIZES = ["count", "lat", "lon", "lat_out", "lon_out"]
"""Arguments of which kernels are the same whatever their values."""


@triton.jit
def _under_5x5(given, points, inside, lat, lon, lat_out, lon_out, PAD, VARIABLES, ROOM):
    """Values of (n, variables, lat, lon) under the kernel at points of output: (TILE, ROOM)."""
    tap = tl.arange(0, ROOM)
    variable = tap // _FIVE_TAPS
    row = (points // lon_out % lat_out)[:, None] + (tap % _FIVE_TAPS // _FIVE - PAD)[None, :]
    column = (points % lon_out)[:, None] + (tap % _FIVE - PAD)[None, :]
    there = (row >= 0) & (row < lat) & (column >= 0) & (column < lon)
    there &= inside[:, None] & (variable < VARIABLES)[None, :]
    frame = (points // (lat_out * lon_out))[:, None] * VARIABLES + variable[None, :]
    return tl.load(given + (frame * lat + row) * lon + column, mask=there, other=0.0)


@triton.jit
def _matrix(at, rows, columns, NUM_ROWS, NUM_COLUMNS, BY_ROW, BY_COLUMN):
    """A matrix, zero beyond its rows and columns."""
    there = (rows < NUM_ROWS)[:, None] & (columns < NUM_COLUMNS)[None, :]
    place = at + rows[:, None] * BY_ROW + columns[None, :] * BY_COLUMN
    return tl.load(place, mask=there, other=0.0)


@triton.jit
def _put(at, values, rows, columns, NUM_ROWS, NUM_COLUMNS, BY_ROW, BY_COLUMN):
    """Write what `_matrix` would read."""
    there = (rows < NUM_ROWS)[:, None] & (columns < NUM_COLUMNS)[None, :]
    tl.store(at + rows[:, None] * BY_ROW + columns[None, :] * BY_COLUMN, values, mask=there)


@triton.jit
def _vector(at, numbers, NUM):
    """A vector, zero beyond its end."""
    return tl.load(at + numbers, mask=numbers < NUM, other=0.0)


@triton.jit(do_not_specialize=_SIZES)
def _first(
    given, w1, b1, w2, b2, found, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, VARIABLES: tl.constexpr, ROOM: tl.constexpr, TILE: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Layers 1 and 2: (n, variables, lat, lon) -> (count, 12)."""
    taps, wide = tl.arange(0, ROOM), tl.arange(0, _WIDE_ROOM)
    narrow = tl.arange(0, _NARROW_ROOM)
    num_taps: tl.constexpr = _FIVE_TAPS * VARIABLES
    to_wide = _matrix(w1, taps, wide, num_taps, _WIDE, 1, num_taps)
    to_narrow = _matrix(w2, wide, narrow, _WIDE, _NARROW, 1, _WIDE)
    wide_bias, narrow_bias = _vector(b1, wide, _WIDE), _vector(b2, narrow, _NARROW)
    for tile in range(tl.program_id(0), tl.cdiv(count, TILE), tl.num_programs(0)):
        points = tile * TILE + tl.arange(0, TILE)
        taken = _under_5x5(
            given, points, points < count, lat, lon, lat_out, lon_out, PAD, VARIABLES, ROOM
        )
        hidden = tl.dot(taken, to_wide, input_precision=PRECISION) + wide_bias[None, :]
        hidden = tl.maximum(hidden, 0.0)
        output = tl.dot(hidden, to_narrow, input_precision=PRECISION) + narrow_bias[None, :]
        _put(found, tl.maximum(output, 0.0), points, narrow, count, _NARROW, _NARROW, 1)


@triton.jit(do_not_specialize=_SIZES)
def _first_back(
    given, w1, b1, w2, from_above, of_w1, of_b1, of_w2, of_b2, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, VARIABLES: tl.constexpr, ROOM: tl.constexpr, TILE: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients of the parameters of layers 1 and 2, a part for each program."""
    taps, wide = tl.arange(0, ROOM), tl.arange(0, _WIDE_ROOM)
    narrow = tl.arange(0, _NARROW_ROOM)
    num_taps: tl.constexpr = _FIVE_TAPS * VARIABLES
    to_wide = _matrix(w1, taps, wide, num_taps, _WIDE, 1, num_taps)
    wide_bias = _vector(b1, wide, _WIDE)
    back = _matrix(w2, narrow, wide, _NARROW, _WIDE, _WIDE, 1)
    sum_w1 = tl.zeros((ROOM, _WIDE_ROOM), tl.float32)
    sum_w2 = tl.zeros((_WIDE_ROOM, _NARROW_ROOM), tl.float32)
    sum_b1, sum_b2 = tl.zeros((_WIDE_ROOM,), tl.float32), tl.zeros((_NARROW_ROOM,), tl.float32)
    program = tl.program_id(0)
    for tile in range(program, tl.cdiv(count, TILE), tl.num_programs(0)):
        points = tile * TILE + tl.arange(0, TILE)
        taken = _under_5x5(
            given, points, points < count, lat, lon, lat_out, lon_out, PAD, VARIABLES, ROOM
        )
        hidden = tl.dot(taken, to_wide, input_precision=PRECISION) + wide_bias[None, :]
        hidden = tl.maximum(hidden, 0.0)
        above = _matrix(from_above, points, narrow, count, _NARROW, _NARROW, 1)
        sum_w2 += tl.dot(tl.trans(hidden), above, input_precision=PRECISION)
        sum_b2 += tl.sum(above, 0)
        of_hidden = tl.dot(above, back, input_precision=PRECISION)
        of_hidden = tl.where(hidden > 0, of_hidden, 0.0)
        sum_w1 += tl.dot(tl.trans(taken), of_hidden, input_precision=PRECISION)
        sum_b1 += tl.sum(of_hidden, 0)
    _put(of_w1 + program * _WIDE * num_taps, sum_w1, taps, wide, num_taps, _WIDE, 1, num_taps)
    _put(of_w2 + program * _NARROW * _WIDE, sum_w2, wide, narrow, _WIDE, _NARROW, 1, _WIDE)
    tl.store(of_b1 + program * _WIDE + wide, sum_b1, mask=wide < _WIDE)
    tl.store(of_b2 + program * _NARROW + narrow, sum_b2, mask=narrow < _NARROW)


@triton.jit
def _under_3x3(given, frame, row, column, inside, channel, lat, lon):
    """Channels of (n, lat, lon, 12) at points of which some lie beyond the edges: (TILE, 128)."""
    there = (row >= 0) & (row < lat) & (column >= 0) & (column < lon) & inside
    place = ((frame[:, None] * lat + row) * lon + column) * _NARROW + channel[None, :]
    return tl.load(given + place, mask=there, other=0.0)


@triton.jit(do_not_specialize=_SIZES)
def _middle(
    given, w, b, found, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """A layer of 3 x 3 points: (n, lat, lon, 12) -> (count, 12)."""
    under, narrow = tl.arange(0, _UNDER_ROOM), tl.arange(0, _NARROW_ROOM)
    tap, channel = under // _NARROW, under % _NARROW
    weights = tl.load(
        w + narrow[None, :] * _UNDER + (channel * _THREE_TAPS + tap)[:, None],
        mask=(under < _UNDER)[:, None] & (narrow < _NARROW)[None, :], other=0.0,
    )  # fmt: skip
    bias = _vector(b, narrow, _NARROW)
    for tile in range(tl.program_id(0), tl.cdiv(count, TILE), tl.num_programs(0)):
        points = tile * TILE + tl.arange(0, TILE)
        row = (points // lon_out % lat_out)[:, None] + (tap // _THREE - PAD)[None, :]
        column = (points % lon_out)[:, None] + (tap % _THREE - PAD)[None, :]
        inside = (points < count)[:, None] & (under < _UNDER)[None, :]
        frame = points // (lat_out * lon_out)
        taken = _under_3x3(given, frame, row, column, inside, channel, lat, lon)
        output = tl.dot(taken, weights, input_precision=PRECISION) + bias[None, :]
        _put(found, tl.maximum(output, 0.0), points, narrow, count, _NARROW, _NARROW, 1)


@triton.jit(do_not_specialize=_SIZES)
def _middle_back(
    given, w, from_above, below, of_w, of_b, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients of such a layer's input, `count` points, and of its parameters."""
    under, narrow = tl.arange(0, _UNDER_ROOM), tl.arange(0, _NARROW_ROOM)
    tap, channel = under // _NARROW, under % _NARROW
    weights = tl.load(
        w + (channel * _UNDER + tap)[:, None] + narrow[None, :] * _THREE_TAPS,
        mask=(under < _UNDER)[:, None] & (narrow < _NARROW)[None, :], other=0.0,
    )  # fmt: skip
    sum_w = tl.zeros((_NARROW_ROOM, _UNDER_ROOM), tl.float32)
    sum_b = tl.zeros((_UNDER_ROOM,), tl.float32)
    program = tl.program_id(0)
    for tile in range(program, tl.cdiv(count, TILE), tl.num_programs(0)):
        points = tile * TILE + tl.arange(0, TILE)
        row = (points // lon % lat)[:, None] - (tap // _THREE - PAD)[None, :]
        column = (points % lon)[:, None] - (tap % _THREE - PAD)[None, :]
        inside = (points < count)[:, None] & (under < _UNDER)[None, :]
        frame = points // (lat * lon)
        above = _under_3x3(from_above, frame, row, column, inside, channel, lat_out, lon_out)
        taken = _matrix(given, points, narrow, count, _NARROW, _NARROW, 1)
        sum_w += tl.dot(tl.trans(taken), above, input_precision=PRECISION)
        sum_b += tl.sum(above, 0)
        of_taken = tl.dot(above, weights, input_precision=PRECISION)
        of_taken = tl.where(taken > 0, of_taken, 0.0)
        _put(below, of_taken, points, narrow, count, _NARROW, _NARROW, 1)
    place = (channel * _UNDER + tap)[None, :] + narrow[:, None] * _THREE_TAPS
    there = (under < _UNDER)[None, :] & (narrow < _NARROW)[:, None]
    tl.store(of_w + program * _NARROW * _UNDER + place, sum_w, mask=there)
    # Under this tap every point of output has passed once.
    passed = (under < _UNDER) & (tap == PAD * (_THREE + 1))
    tl.store(of_b + program * _NARROW + channel, sum_b, mask=passed)


@triton.jit(do_not_specialize=_SIZES)
def _last(
    given, w7, b7, w8, added, count,
    VARIABLES: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Layers 7 and 8: (count, 12) -> what points add to those around them, (variables, 81, count).

    Of the variable that is the program's second number.
    """
    narrow, wide = tl.arange(0, _NARROW_ROOM), tl.arange(0, _WIDE_ROOM)
    taps = tl.arange(0, _NINE_ROOM)
    variable = tl.program_id(1)
    to_wide = _matrix(w7, narrow, wide, _NARROW, _WIDE, 1, _NARROW)
    wide_bias = _vector(b7, wide, _WIDE)
    by_wide: tl.constexpr = _NINE_TAPS * VARIABLES
    to_taps = _matrix(w8 + variable * _NINE_TAPS, wide, taps, _WIDE, _NINE_TAPS, by_wide, 1)
    places = variable.to(tl.int64) * _NINE_TAPS + taps
    for tile in range(tl.program_id(0), tl.cdiv(count, TILE), tl.num_programs(0)):
        points = tile * TILE + tl.arange(0, TILE)
        taken = _matrix(given, points, narrow, count, _NARROW, _NARROW, 1)
        hidden = tl.dot(taken, to_wide, input_precision=PRECISION) + wide_bias[None, :]
        output = tl.dot(tl.maximum(hidden, 0.0), to_taps, input_precision=PRECISION)
        there = (points < count)[:, None] & (taps < _NINE_TAPS)[None, :]
        tl.store(added + places[None, :] * count + points[:, None], output, mask=there)


@triton.jit(do_not_specialize=_SIZES)
def _sum_up(
    added, bias, found, count, lat, lon,
    VARIABLES: tl.constexpr, SCALE: tl.constexpr, PADDING: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """(81 variables, n, lat, lon) -> (n, variables, SCALE lat, SCALE lon), `count` points."""
    points = tl.program_id(0) * TILE + tl.arange(0, TILE)
    x, y = points % (SCALE * lon), points // (SCALE * lon) % (SCALE * lat)
    frame = points // (SCALE * lon * SCALE * lat)
    variable, frame = frame % VARIABLES, frame // VARIABLES
    num_points = count // (VARIABLES * SCALE * SCALE)
    total = tl.load(bias + variable, mask=points < count, other=0.0)
    reach: tl.constexpr = (_NINE + SCALE - 1) // SCALE
    for up in tl.static_range(reach):
        for left in tl.static_range(reach):
            row, column = (y + PADDING) // SCALE - up, (x + PADDING) // SCALE - left
            tap_lat, tap_lon = (
                (y + PADDING) % SCALE + up * SCALE,
                (x + PADDING) % SCALE + left * SCALE,
            )
            there = (row >= 0) & (row < lat) & (column >= 0) & (column < lon) & (points < count)
            there &= (tap_lat < _NINE) & (tap_lon < _NINE)
            tap = (variable * _NINE_TAPS + tap_lat * _NINE + tap_lon).to(tl.int64)
            place = tap * num_points + (frame * lat + row) * lon + column
            total += tl.load(added + place, mask=there, other=0.0)
    tl.store(found + points, total, mask=points < count)


@triton.jit(do_not_specialize=_SIZES)
def _last_back(
    given, w7, b7, w8, from_above, below, of_w7, of_b7, of_w8, count, lat, lon,
    VARIABLES: tl.constexpr, SCALE: tl.constexpr, PADDING: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Gradients of layer 7's input and of the parameters of layers 7 and 8.

    Those by way of the variable that is the program's second number.
    """
    narrow, wide = tl.arange(0, _NARROW_ROOM), tl.arange(0, _WIDE_ROOM)
    taps = tl.arange(0, _NINE_ROOM)
    program, variable = tl.program_id(0), tl.program_id(1)
    to_wide = _matrix(w7, narrow, wide, _NARROW, _WIDE, 1, _NARROW)
    wide_bias = _vector(b7, wide, _WIDE)
    by_wide: tl.constexpr = _NINE_TAPS * VARIABLES
    back = _matrix(w8 + variable * _NINE_TAPS, taps, wide, _NINE_TAPS, _WIDE, 1, by_wide)
    sum_w7 = tl.zeros((_NARROW_ROOM, _WIDE_ROOM), tl.float32)
    sum_w8 = tl.zeros((_WIDE_ROOM, _NINE_ROOM), tl.float32)
    sum_b7 = tl.zeros((_WIDE_ROOM,), tl.float32)
    below += variable.to(tl.int64) * count * _NARROW
    for tile in range(program, tl.cdiv(count, TILE), tl.num_programs(0)):
        points = tile * TILE + tl.arange(0, TILE)
        taken = _matrix(given, points, narrow, count, _NARROW, _NARROW, 1)
        hidden = tl.dot(taken, to_wide, input_precision=PRECISION) + wide_bias[None, :]
        hidden = tl.maximum(hidden, 0.0)
        y = (points // lon % lat)[:, None] * SCALE + (taps // _NINE - PADDING)[None, :]
        x = (points % lon)[:, None] * SCALE + (taps % _NINE - PADDING)[None, :]
        there = (y >= 0) & (y < SCALE * lat) & (x >= 0) & (x < SCALE * lon)
        there &= (points < count)[:, None] & (taps < _NINE_TAPS)[None, :]
        frame = (points // (lat * lon))[:, None] * VARIABLES + variable
        place = (frame * SCALE * lat + y) * SCALE * lon + x
        above = tl.load(from_above + place, mask=there, other=0.0)
        sum_w8 += tl.dot(tl.trans(hidden), above, input_precision=PRECISION)
        of_hidden = tl.dot(above, back, input_precision=PRECISION)
        of_hidden = tl.where(hidden > 0, of_hidden, 0.0)
        sum_w7 += tl.dot(tl.trans(taken), of_hidden, input_precision=PRECISION)
        sum_b7 += tl.sum(of_hidden, 0)
        of_taken = tl.dot(of_hidden, tl.trans(to_wide), input_precision=PRECISION)
        of_taken = tl.where(taken > 0, of_taken, 0.0)
        _put(below, of_taken, points, narrow, count, _NARROW, _NARROW, 1)
    part = variable * tl.num_programs(0) + program
    _put(of_w7 + part * _WIDE * _NARROW, sum_w7, narrow, wide, _NARROW, _WIDE, 1, _NARROW)
    tl.store(of_b7 + part * _WIDE + wide, sum_b7, mask=wide < _WIDE)
    of_w8 += program * _WIDE * by_wide + variable * _NINE_TAPS
    _put(of_w8, sum_w8, wide, taps, _WIDE, _NINE_TAPS, by_wide, 1)


def fits(given: Tensor) -> bool:
    """Whether the kernels can take this input of a network: no gradient of it, few variables."""
    few = given.shape[1] <= _MOST_VARIABLES
    return few and given.is_cuda and not given.requires_grad and _works(given.device)


@cache
def _works(device: torch.device) -> bool:
    """Whether this GPU has products in TF32, and Triton all that it compiles kernels with."""
    if torch.cuda.get_device_capability(device) < (8, 0):
        return False
    try:
        # The first call may come from inference; a way back is needed sooner or later.
        with torch.inference_mode(mode=False), torch.enable_grad():
            _try_out(device)
    except Exception as error:  # of compilers, loaders, file systems
        warnings.warn(f"no Triton kernels, slower layers instead: {error}", stacklevel=2)
        return False
    return True


def _try_out(device: torch.device) -> None:
    layers = nn.Sequential(
        nn.Conv2d(1, 56, 5), nn.Conv2d(56, 12, 1), *(nn.Conv2d(12, 12, 3) for _ in range(4)),
        nn.Conv2d(12, 56, 1), nn.ConvTranspose2d(56, 1, 9, 2, 4, 1),
    ).to(device)  # fmt: skip
    compute(torch.zeros(1, 1, 16, 16, device=device), layers).sum().backward()


def compute(given: Tensor, layers: nn.Sequential) -> Tensor:
    """The layers of a `Network2d`, and their gradients.

    Parameters
    ----------
    given
        (n, variables, lat, lon), float32, on a GPU.
    layers
        The first of 5 x 5 points, four of 3 x 3 and the last of 9 x 9, with those between; they
        pad to keep their size, or nothing.

    Returns
    -------
    (n, variables, scale * lat, scale * lon), of points that are left without padding
    """
    kernels = [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    weights = [part for layer in kernels for part in (layer.weight, layer.bias)]
    pads, last = bool(kernels[0].padding[0]), kernels[-1]
    found: Tensor = _Layers.apply(  # type: ignore[no-untyped-call]
        given.contiguous(), pads, last.stride[0], last.padding[0], *weights
    )
    return found


class _Layers(Function):
    """What lies between layers is kept for the way back with 12 channels, after their ReLU."""

    @staticmethod
    def forward(
        ctx: Any, given: Tensor, pads: bool, scale: int, padding: int, *weights: Tensor
    ) -> Tensor:
        variables, (w7, b7, w8, b8) = given.shape[1], weights[-4:]
        kept = [_run_first(given, weights[:4], pads)]
        for w, b in zip(weights[4:-4:2], weights[5:-4:2], strict=True):
            kept.append(_run_middle(kept[-1], w, b, pads))
        n, lat, lon, _ = kept[-1].shape
        count = n * lat * lon
        added = given.new_empty((variables, 81, count))
        _last[(*_programs(given, count), variables)](
            kept[-1], w7, b7, w8, added, count, variables, TILE, PRECISION, num_warps=WARPS
        )
        found = given.new_empty((n, variables, scale * lat, scale * lon))
        grid = (triton.cdiv(found.numel(), 256),)
        _sum_up[grid](added, b8, found, found.numel(), lat, lon, variables, scale, padding, 256)
        ctx.save_for_backward(given, *kept, *weights)
        ctx.pads, ctx.scale, ctx.padding, ctx.num_kept = pads, scale, padding, len(kept)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        given, *saved = ctx.saved_tensors
        kept, weights = saved[: ctx.num_kept], saved[ctx.num_kept :]
        found = [gradient.sum((0, 2, 3))]
        above, parts = _run_last_back(
            kept[-1], weights[-4:-1], gradient.contiguous(), ctx.scale, ctx.padding
        )
        found = [*parts, *found]
        for number in reversed(range(len(kept) - 1)):
            above, parts = _run_middle_back(kept[number], weights[4 + 2 * number], above, ctx.pads)
            found = [*parts, *found]
        found = [*_run_first_back(given, weights[:4], above, ctx.pads), *found]
        return None, None, None, None, *found


def _programs(given: Tensor, count: int) -> tuple[int]:
    """As many as run at once, or one for each tile of `count` points."""
    at_once = 1
    if given.is_cuda:
        at_once = 2 * torch.cuda.get_device_properties(given.device).multi_processor_count
    return (min(at_once, triton.cdiv(count, TILE)),)


def _parts(programs: tuple[int], *like: Tensor) -> list[Tensor]:
    """Room for the sums of each program."""
    return [tensor.new_empty((*programs, *tensor.shape)) for tensor in like]


def _run_first(given: Tensor, weights: tuple[Tensor, ...], pads: bool) -> Tensor:
    n, variables, lat, lon = given.shape
    lost = 0 if pads else 4
    found = given.new_empty((n, lat - lost, lon - lost, 12))
    count, room = found.numel() // 12, triton.next_power_of_2(25 * variables)
    _first[_programs(given, count)](
        given, *weights, found, count, lat, lon, lat - lost, lon - lost,
        2 if pads else 0, variables, room, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return found


def _run_first_back(
    given: Tensor, weights: list[Tensor], above: Tensor, pads: bool
) -> list[Tensor]:
    variables, lat, lon = given.shape[1:]
    count, room = above.numel() // 12, triton.next_power_of_2(25 * variables)
    programs = _programs(given, count)
    parts = _parts(programs, *weights)
    _first_back[programs](
        given, *weights[:3], above, *parts, count, lat, lon, *above.shape[1:3],
        2 if pads else 0, variables, room, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return [part.sum(0) for part in parts]


def _run_middle(given: Tensor, w: Tensor, b: Tensor, pads: bool) -> Tensor:
    n, lat, lon, _ = given.shape
    lost = 0 if pads else 2
    found = given.new_empty((n, lat - lost, lon - lost, 12))
    count = found.numel() // 12
    _middle[_programs(given, count)](
        given, w, b, found, count, lat, lon, lat - lost, lon - lost,
        1 if pads else 0, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return found


def _run_middle_back(
    given: Tensor, w: Tensor, above: Tensor, pads: bool
) -> tuple[Tensor, list[Tensor]]:
    below, count = torch.empty_like(given), given.numel() // 12
    programs = _programs(given, count)
    parts = _parts(programs, w, w[:, 0, 0, 0])
    _middle_back[programs](
        given, w, above, below, *parts, count, *given.shape[1:3], *above.shape[1:3],
        1 if pads else 0, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    return below, [part.sum(0) for part in parts]


def _run_last_back(
    given: Tensor, weights: list[Tensor], above: Tensor, scale: int, padding: int
) -> tuple[Tensor, list[Tensor]]:
    count, variables = given.numel() // 12, above.shape[1]
    (programs,) = _programs(given, count)
    below = given.new_empty((variables, *given.shape))
    of_w7, of_b7 = _parts((variables * programs,), *weights[:2])
    (of_w8,) = _parts((programs,), weights[2])
    _last_back[programs, variables](
        given, *weights, above, below, of_w7, of_b7, of_w8, count, *given.shape[1:3],
        variables, scale, padding, TILE, PRECISION, num_warps=WARPS,
    )  # fmt: skip
    parts = [part.sum(0) for part in (of_w7, of_b7, of_w8)]
    return below.sum(0) if variables > 1 else below[0], parts
