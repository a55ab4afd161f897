"""Values in other units."""

import numpy as np
import pytest
import xarray as xr

from swsr.sources.units import convert, convert_like


def of_units(units=None, values=(1.0, 2.0)):
    attributes = {} if units is None else {"units": units}
    return xr.Dataset({"a": ("x", np.array(values), attributes), "b": ("x", np.zeros(2))})


@pytest.mark.parametrize(
    ("given", "wanted", "values"),
    [
        ("s**-1", "s-1", [1, 2]),
        ("1/day", "s-1", [1 / 86400, 2 / 86400]),
        ("degC", "K", [274.15, 275.15]),
        ("1e-5 s-1", "s-1", [1e-5, 2e-5]),
        ("s-1", "1e-5 s-1", [1e5, 2e5]),
        ("degC", "2 K", [137.075, 137.575]),
        (None, "1", [1, 2]),
        ("a unit of ours", "a unit of ours", [1, 2]),
    ],
)
def test_values_in_the_units_that_others_have(given, wanted, values):
    frames = of_units(given)
    found = convert_like(frames, {"a": wanted, "absent": "m"}, "here", "there")
    np.testing.assert_allclose(found["a"], values, rtol=1e-12)
    assert found["a"].attrs.get("units", "1") == wanted
    xr.testing.assert_identical(frames, of_units(given))
    assert found["b"].attrs == {}


@pytest.mark.parametrize(
    ("given", "wanted"), [("m", "s-1"), (None, "%"), ("1", "dB"), ("a unit of ours", "m")]
)
def test_another_quantity_is_refused(given, wanted):
    sentence = f"here: a is in {given or '1'!r}, but in {wanted!r} in there"
    with pytest.raises(ValueError, match=sentence):
        convert_like(of_units(given), {"a": wanted}, "here", "there")


def test_a_variable_without_units_gets_those_that_the_user_names():
    found = convert(of_units(), {"a": "m"}, "here")
    np.testing.assert_array_equal(found["a"], [1, 2])
    assert found["a"].attrs == {"units": "m"}
