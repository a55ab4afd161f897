"""The gate: what counts as better than interpolation."""

import pytest

from swsr.evaluation.gate import judge, split_key
from swsr.evaluation.tables import figure_label, figure_unit, gate_lines, physics_table

TEST = {
    "bicubic": {"psnr": 30.0, "rmse_u": 2.0, "mass": -0.01, "seam_u": 1.05, "flicker_u": 0.2},
    "network_2d": {"psnr": 40.0, "rmse_u": 3.0, "mass": 0.001, "seam_u": 0.5, "flicker_u": None},
}


def test_better_is_higher_lower_or_nearer_to_zero_as_the_figure_has_it():
    assert judge(TEST) == {
        "network_2d": {
            "psnr": "better", "rmse_u": "worse", "mass": "better", "seam_u": "equal",
            "flicker_u": "not available",
        }
    }  # fmt: skip


@pytest.mark.parametrize(("score", "verdict"), [(1.09, "equal"), (1.2, "worse")])
def test_only_an_edge_that_can_be_seen_is_worse(score, verdict):
    test = {"bicubic": {"poles_u": 0.7}, "network_2d": {"poles_u": score}}
    assert judge(test)["network_2d"]["poles_u"] == verdict


@pytest.mark.parametrize(
    ("key", "ours", "theirs", "verdict"),
    [
        ("mass", -4e-9, 2e-9, "equal"),
        ("mass", -4e-3, 2e-3, "worse"),
        ("rmse_u", 2e-9, 2.000001e-9, "equal"),
        ("rmse_u", 2e-9, 2.001e-9, "better"),
    ],
)
def test_rounding_is_no_difference(key, ours, theirs, verdict):
    assert (
        judge({"bicubic": {key: theirs}, "network_2d": {key: ours}})["network_2d"][key] == verdict
    )


def test_keys_are_told_from_their_variables():
    assert split_key("resolution_km_sea_height") == ("resolution_km", "sea_height")
    assert split_key("enstrophy_drift") == ("enstrophy_drift", None)
    assert split_key("mse") == ("mse", None)
    with pytest.raises(KeyError):
        split_key("unheard_of")
    assert figure_label("rmse_u") == "RMSE of u"
    assert figure_unit("rmse_u", {"u": "m s-1"}) == "m s-1"
    assert figure_unit("psnr", {"u": "m s-1"}) == "dB"


def test_what_is_worse_is_said_and_marked():
    verdicts = judge(TEST)
    assert gate_lines(verdicts) == (
        "- 2D network: better than interpolation on 2 of 4 figures; WORSE on RMSE of u; "
        "as good on seam of u; 1 not available\n"
    )
    rows = physics_table(TEST, verdicts, {"u": "m s-1"}).splitlines()
    cells = {row.split("|")[1].strip(): row.split("|")[4].strip() for row in rows if "|" in row}
    assert cells["RMSE of u"] == "3 (!)"
    assert cells["seam of u"] == "0.50 (=)"
    assert cells["flicker of u"] == "–"
    assert cells["PSNR"] == "40.00"
