"""Parts of the report: maps, tables, provenance."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from swsr.chain_record import describe_software, read_records, summarise
from swsr.drawing import charts
from swsr.drawing.maps import Colours, View, as_uri
from swsr.drawing.plots import time_text
from swsr.geometry import Geometry
from swsr.grids import Grid
from swsr.page import read_tables, read_text

LAT, LON = np.linspace(-88.5, 88.5, 60), np.arange(120) * 3.0
GLOBE = Grid(LAT, LON, "degrees_north", Geometry("pole", "periodic"))
BLUE_TO_RED = Colours("RdBu_r", -1, 1)


def is_red(pixel):
    return pixel[0] > 1.5 * pixel[2]


def is_blue(pixel):
    return pixel[2] > 1.5 * pixel[0]


def test_map_has_north_up_and_longitude_180_in_the_middle():
    northern = np.where(LAT[:, None] > 5, 1.0, -1.0) * np.ones(120)
    pixels = np.asarray(View.of(GLOBE, 200).picture(northern, LAT, LON, BLUE_TO_RED))
    assert pixels.shape == (100, 200, 3)
    assert is_red(pixels[20, 104])
    assert is_blue(pixels[80, 104])
    east_of_180 = np.where(LON > 180, 1.0, -1.0) * np.ones((60, 1))
    pixels = np.asarray(View.of(GLOBE, 200).picture(east_of_180, LAT, LON, BLUE_TO_RED))
    assert is_blue(pixels[45, 60])
    assert is_red(pixels[45, 140])
    assert (pixels[0, 0] == 255).all()  # beside the globe


def test_mollweide_keeps_areas():
    """Half of the sphere lies within 30 degrees of the equator."""
    view = View.of(GLOBE, 600)
    on_globe = ~np.isnan(view.lat)
    assert on_globe.mean() == pytest.approx(np.pi / 4, abs=0.01)  # an ellipse in its rectangle
    assert (np.abs(view.lat[on_globe]) < 30).mean() == pytest.approx(0.5, abs=0.01)


def test_points_that_a_result_lacks_are_grey():
    view = View.of(GLOBE, 200)
    pixels = np.asarray(view.picture(np.ones((40, 100)), LAT[10:-10], LON[10:-10], BLUE_TO_RED))
    assert (pixels[3, 100] == 190).all()
    assert is_red(pixels[50, 105])


def test_a_globe_looks_the_same_from_whatever_longitude_it_is_counted():
    values = np.cos(np.radians(LON)) * np.cos(np.radians(LAT))[:, None]
    turned = Grid(LAT, LON - 180, "degrees_north", Geometry("pole", "periodic"))
    whole = View.of(GLOBE, 200).picture(values[2:-2], LAT[2:-2], LON, BLUE_TO_RED)
    cut = View.of(turned, 200).picture(
        np.roll(values, 60, axis=1)[2:-2, 2:-2], LAT[2:-2], LON[2:-2] - 180, BLUE_TO_RED
    )
    same = (np.asarray(whole) == np.asarray(cut)).all(axis=-1)
    assert same.mean() > 0.95  # all but the meridians that the second lacks


def test_lead_times_are_told_and_shown_in_their_order():
    leads = pd.to_timedelta([0, 48, 240], "h")
    field = xr.DataArray(0.0, coords={"time": leads[2].to_timedelta64()})
    assert time_text(field) == "time 10 days 00:00:00"
    values = pd.DataFrame({"series": "a", "time": leads.astype(str), "method": "bicubic"})
    assert list(charts._positions(values, values, ["a"])) == [0, 1, 2]


def test_plane_is_shown_as_it_is():
    plane = Grid(np.arange(10.0), np.arange(20.0), "km", Geometry("edge", "edge"))
    field = np.zeros((10, 20))
    field[9, 0] = 1
    pixels = np.asarray(View.of(plane, 200).picture(field, plane.lat, plane.lon, BLUE_TO_RED))
    assert is_red(pixels[0, 0])
    assert not is_red(pixels[-1, -1])


def test_a_stretched_plane_shows_points_where_they_are():
    lon = np.arange(20.0) ** 2
    plane = Grid(np.arange(10.0), lon, "km", Geometry("edge", "edge"))
    field = np.zeros((10, 20))
    field[:, 10] = 1
    pixels = np.asarray(View.of(plane, 362).picture(field, plane.lat, plane.lon, BLUE_TO_RED))
    red = [column for column in range(362) if is_red(pixels[4, column])]
    assert red[0] == pytest.approx((81 + 100) / 2, abs=1.5)
    assert red[-1] == pytest.approx((100 + 121) / 2, abs=1.5)


def test_a_tall_strip_fits_into_a_picture():
    strip = Grid(np.arange(512.0), np.arange(20.0), "km", Geometry("edge", "edge"))
    field = np.arange(512.0)[:, None] * np.ones(20)
    picture = View.of(strip, 760).picture(field, strip.lat, strip.lon, BLUE_TO_RED)
    assert picture.height == pytest.approx(4 * 760, abs=20)
    assert picture.width == pytest.approx(4 * 760 * 19 / 511, abs=1)
    assert as_uri(picture)


def test_colours_are_even_about_zero_only_where_there_are_both_signs():
    assert Colours.of(np.linspace(-1, 3, 5000)).low == pytest.approx(-3, rel=0.01)
    depth = Colours.of(np.linspace(9000, 10000, 5000))
    assert (depth.name, round(depth.low)) == ("viridis", 9001)


def test_pictures_are_held_in_the_page():
    uri = as_uri(Image.new("RGB", (8, 4), "red"))
    data = base64.b64decode(uri.removeprefix("data:image/webp;base64,"))
    assert Image.open(io.BytesIO(data)).size == (8, 4)


def test_charts_of_equal_figures_are_equal():
    values = pd.DataFrame(
        {"series": ["a", "a", "b"], "time": [0, 1, 0], "method": "bicubic", "value": [1.0, 2, 3]}
    )
    made = [charts.time_chart(values, "PSNR (dB)") for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].startswith("data:image/svg+xml;base64,")


def test_tables_are_read_with_their_titles():
    text = "## First\n\n| a | b |\n| - | -: |\n| x | 1 (!) |\n\n- one\n- two\n\n| c |\n| - |\n"
    first, second = read_tables(text)
    assert (first.title, first.header, first.rows) == ("First", ["a", "b"], [["x", "1 (!)"]])
    assert (second.title, second.header, second.rows) == ("", ["c"], [])
    assert read_text(text) == ["one", "two"]


def record(stage, seconds, **others):
    return {
        "command": ["swsr", stage], "seconds": seconds, "ranks": 1, "nodes": 1, "host": "n1",
        "started": f"2000-01-01T00:00:{int(seconds):02}", "version": "1", "commit": "c",
        "python": "3.11", "packages": {"numpy": "2", "horovod": None},
    } | others  # fmt: skip


def test_chain_adds_up_seconds_and_node_hours(tmp_path):
    records = [
        record("extract", 10, startup_seconds=2.5, ranks=2),
        record("extract", 20, taken_over_from="results/other"),
        record("train_2d", 30, nodes=4, ranks=8, host="n2", commit="d"),
    ]  # fmt: skip
    for index, each in enumerate(records):
        (tmp_path / f"{index}.provenance.json").write_text(json.dumps(each))
    (tmp_path / "damaged.provenance.json").write_text("{")
    found = read_records(tmp_path)
    table = summarise(found).set_index("stage")
    assert list(table.index) == ["extract", "train_2d", "all"]
    assert table.loc["extract", ["results", "taken over", "seconds"]].tolist() == [2, 1, 30]
    assert table.loc["extract", "start-up"] == table.loc["all", "start-up"] == 2.5
    assert table["ranks"].tolist() == [2, 8, 8]
    assert table.loc["train_2d", "node-hours"] == pytest.approx(120 / 3600)
    assert table.loc["all", "node-hours"] == pytest.approx(150 / 3600)
    assert table.loc["all", "hosts"] == "n1, n2"
    assert describe_software(found) == {
        "swsr": "1", "commit": "c, d", "Python": "3.11", "numpy": "2",
    }  # fmt: skip
