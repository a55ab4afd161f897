"""Kernels in Triton of which `fused_2d` makes the layers of FSRCNN, and their gradients.

Points are rows, of 12 channels each, whatever the frame: a tile is `TILE` of them. Sums over points
for gradients of weights are one for each program.
"""

import triton
import triton.language as tl

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
def _rounded(values, PRECISION: tl.constexpr):
    """To what tensor cores read of them: they would cut off the rest, and all products shrink."""
    if PRECISION == "tf32":
        values = tl.inline_asm_elementwise(
            "cvt.rna.tf32.f32 $0, $1;", "=r,r", [values], tl.float32, True, 1
        )
    return values


@triton.jit
def _dot(left, right, PRECISION: tl.constexpr):
    """A product of matrices, in float32 or TF32."""
    left, right = _rounded(left, PRECISION), _rounded(right, PRECISION)
    return tl.dot(left, right, input_precision=PRECISION)


@triton.jit
def _relu(values):
    """As torch's, which lets through what is not a number."""
    return tl.maximum(values, 0.0, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _layer(given, weights, bias, PRECISION: tl.constexpr):
    """A layer of 1 x 1 points, or of those that were taken under a kernel, and its ReLU."""
    return _relu(_dot(given, weights, PRECISION) + bias[None, :])


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
def first(
    given, w1, b1, w2, b2, found, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, VARIABLES: tl.constexpr, ROOM: tl.constexpr, TILE: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:  # fmt: skip
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
        hidden = _layer(taken, to_wide, wide_bias, PRECISION)
        output = _layer(hidden, to_narrow, narrow_bias, PRECISION)
        _put(found, output, points, narrow, count, _NARROW, _NARROW, 1)


@triton.jit(do_not_specialize=_SIZES)
def first_back(
    given, w1, b1, w2, from_above, of_w1, of_b1, of_w2, of_b2, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, VARIABLES: tl.constexpr, ROOM: tl.constexpr, TILE: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:  # fmt: skip
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
        hidden = _layer(taken, to_wide, wide_bias, PRECISION)
        above = _matrix(from_above, points, narrow, count, _NARROW, _NARROW, 1)
        sum_w2 += _dot(tl.trans(hidden), above, PRECISION)
        sum_b2 += tl.sum(above, 0)
        of_hidden = _dot(above, back, PRECISION)
        of_hidden = tl.where(hidden <= 0, 0.0, of_hidden)
        sum_w1 += _dot(tl.trans(taken), of_hidden, PRECISION)
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
def middle(
    given, w, b, found, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
) -> None:  # fmt: skip
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
        output = _layer(taken, weights, bias, PRECISION)
        _put(found, output, points, narrow, count, _NARROW, _NARROW, 1)


@triton.jit(do_not_specialize=_SIZES)
def middle_back(
    given, w, from_above, below, of_w, of_b, count, lat, lon, lat_out, lon_out,
    PAD: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
) -> None:  # fmt: skip
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
        sum_w += _dot(tl.trans(taken), above, PRECISION)
        sum_b += tl.sum(above, 0)
        of_taken = _dot(above, weights, PRECISION)
        of_taken = tl.where(taken <= 0, 0.0, of_taken)
        _put(below, of_taken, points, narrow, count, _NARROW, _NARROW, 1)
    place = (channel * _UNDER + tap)[None, :] + narrow[:, None] * _THREE_TAPS
    there = (under < _UNDER)[None, :] & (narrow < _NARROW)[:, None]
    tl.store(of_w + program * _NARROW * _UNDER + place, sum_w, mask=there)
    # Under this tap every point of output has passed once.
    passed = (under < _UNDER) & (tap == PAD * (_THREE + 1))
    tl.store(of_b + program * _NARROW + channel, sum_b, mask=passed)


@triton.jit(do_not_specialize=_SIZES)
def last(
    given, w7, b7, w8, added, count,
    VARIABLES: tl.constexpr, TILE: tl.constexpr, PRECISION: tl.constexpr,
) -> None:  # fmt: skip
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
        hidden = _layer(taken, to_wide, wide_bias, PRECISION)
        output = _dot(hidden, to_taps, PRECISION)
        there = (points < count)[:, None] & (taps < _NINE_TAPS)[None, :]
        tl.store(added + places[None, :] * count + points[:, None], output, mask=there)


@triton.jit(do_not_specialize=_SIZES)
def sum_up(
    added, bias, found, count, lat, lon,
    VARIABLES: tl.constexpr, SCALE: tl.constexpr, PADDING: tl.constexpr, TILE: tl.constexpr,
) -> None:  # fmt: skip
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
def last_back(
    given, w7, b7, w8, from_above, below, of_w7, of_b7, of_w8, count, lat, lon,
    VARIABLES: tl.constexpr, SCALE: tl.constexpr, PADDING: tl.constexpr,
    TILE: tl.constexpr, PRECISION: tl.constexpr,
) -> None:  # fmt: skip
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
        hidden = _layer(taken, to_wide, wide_bias, PRECISION)
        y = (points // lon % lat)[:, None] * SCALE + (taps // _NINE - PADDING)[None, :]
        x = (points % lon)[:, None] * SCALE + (taps % _NINE - PADDING)[None, :]
        there = (y >= 0) & (y < SCALE * lat) & (x >= 0) & (x < SCALE * lon)
        there &= (points < count)[:, None] & (taps < _NINE_TAPS)[None, :]
        frame = (points // (lat * lon))[:, None] * VARIABLES + variable
        place = (frame * SCALE * lat + y) * SCALE * lon + x
        above = tl.load(from_above + place, mask=there, other=0.0)
        sum_w8 += _dot(tl.trans(hidden), above, PRECISION)
        of_hidden = _dot(above, back, PRECISION)
        of_hidden = tl.where(hidden <= 0, 0.0, of_hidden)
        sum_w7 += _dot(tl.trans(taken), of_hidden, PRECISION)
        sum_b7 += tl.sum(of_hidden, 0)
        of_taken = _dot(of_hidden, tl.trans(to_wide), PRECISION)
        of_taken = tl.where(taken <= 0, 0.0, of_taken)
        _put(below, of_taken, points, narrow, count, _NARROW, _NARROW, 1)
    part = variable * tl.num_programs(0) + program
    _put(of_w7 + part * _WIDE * _NARROW, sum_w7, narrow, wide, _NARROW, _WIDE, 1, _NARROW)
    tl.store(of_b7 + part * _WIDE + wide, sum_b7, mask=wide < _WIDE)
    of_w8 += program * _WIDE * by_wide + variable * _NINE_TAPS
    _put(of_w8, sum_w8, wide, taps, _WIDE, _NINE_TAPS, by_wide, 1)
