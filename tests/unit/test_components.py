"""What variables are, and what becomes of them in a mirror."""

import numpy as np
import pytest
import xarray as xr

from swsr.components import is_component, is_vorticity, mirror_signs, rename_along


def variable(name="any", **attributes):
    return xr.DataArray(
        np.zeros((1, 2, 3)), dims=("time", "lat", "lon"), name=name, attrs=attributes
    )


@pytest.mark.parametrize(
    ("name", "attributes", "signs"),
    [
        ("depth", {}, (1, 1)),
        ("divergence", {}, (1, 1)),
        ("u", {}, (1, -1)),
        ("V10", {}, (-1, 1)),
        ("10m_u_component_of_wind", {}, (1, -1)),
        ("ubar", {}, (1, -1)),
        ("vertical_velocity", {}, (1, 1)),
        ("eastward_wind", {}, (1, -1)),
        ("y_wind", {}, (-1, 1)),
        ("vwind", {}, (-1, 1)),
        ("UGRD", {}, (1, -1)),
        ("vgrd10m", {}, (-1, 1)),
        ("u_wind", {}, (1, -1)),
        ("v_velocity", {}, (-1, 1)),
        ("u_850", {}, (1, -1)),
        ("v850hPa", {}, (-1, 1)),
        ("vx", {}, (1, -1)),
        ("velocity_y", {}, (-1, 1)),
        ("zonal_wind", {}, (1, -1)),
        ("meridional_velocity", {}, (-1, 1)),
        ("zonal_mean_temperature", {}, (1, 1)),
        ("wind_speed", {}, (1, 1)),
        ("X", {"long_name": "V component of wind"}, (-1, 1)),
        ("X", {"long_name": "Eastward Near-Surface Wind"}, (1, -1)),
        ("u", {"long_name": "northward wind"}, (1, -1)),
        ("X", {"long_name": "10 metre U wind component"}, (1, -1)),
        ("tauy", {}, (-1, 1)),
        ("uv", {}, (1, 1)),
        ("u_0", {}, (1, 1)),  # the first of several components
        ("northward_distance", {}, (1, 1)),
        ("wspd", {"long_name": "wind speed from u and v components"}, (1, 1)),
        ("w", {"long_name": "kinetic energy of u and v components"}, (1, 1)),
        ("u", {"long_name": "deviation of zonal wind from its mean"}, (1, -1)),
        ("X", {"long_name": "deviation of vorticity"}, (-1, -1)),
        ("ustar", {}, (1, 1)),
        ("X", {"long_name": "variance of eastward wind"}, (1, 1)),
        ("X", {"standard_name": "square_of_eastward_wind"}, (1, 1)),
        ("X", {"long_name": "vorticity squared"}, (1, 1)),
        ("speed", {"standard_name": "eastward_wind"}, (1, -1)),
        ("speed", {"standard_name": "sea_water_y_velocity"}, (-1, 1)),
        ("stress", {"standard_name": "downward_x_stress_at_sea_water_surface"}, (1, -1)),
        ("flow", {"standard_name": "southward_wind"}, (-1, 1)),
        ("u", {"standard_name": "y_wind"}, (-1, 1)),
        ("q", {"standard_name": "humidity_component"}, (1, 1)),
        ("vorticity", {}, (-1, -1)),
        ("absolute_vorticity", {}, (-1, -1)),
        ("vor", {}, (-1, -1)),
        ("X", {"long_name": "Relative Vorticity"}, (-1, -1)),
        ("X", {"long_name": "stream function"}, (-1, -1)),
        ("vo", {"standard_name": "atmosphere_relative_vorticity"}, (-1, -1)),
        ("f", {"standard_name": "coriolis_parameter"}, (-1, -1)),
        ("F", {"long_name": "Coriolis sine latitude term"}, (-1, -1)),
        ("E", {"long_name": "Coriolis cosine latitude term"}, (1, 1)),
        ("vo", {"standard_name": "unknown"}, (-1, -1)),
        ("vo", {"standard_name": "northward_sea_water_velocity"}, (-1, 1)),
        ("chi", {"standard_name": "atmosphere_horizontal_streamfunction"}, (-1, -1)),
        ("zeta", {"units": "s-1"}, (-1, -1)),
        ("zeta", {"units": "meter", "long_name": "free-surface"}, (1, 1)),
        ("zeta", {"standard_name": "sea_surface_height_above_geoid"}, (1, 1)),
        ("velocity_0", {"component_along": "lon"}, (1, -1)),
        ("velocity_2", {"component_along": "height"}, (1, 1)),
        ("u", {"component_along": ""}, (1, 1)),
        ("stress_0_1", {"component_along": "lat lon"}, (-1, -1)),
        ("stress_0_0", {"component_along": "lat lat"}, (1, 1)),
        ("vorticity_0", {"component_along": "lat"}, (1, -1)),
        ("vorticity_2", {"component_along": "height"}, (-1, -1)),
    ],
    ids=str,
)
def test_sign_in_a_mirror_along_lat_and_lon(name, attributes, signs):
    given = variable(name, **attributes)
    assert mirror_signs(given) == signs
    # A pole is crossed by half a turn, which is both mirrors, and leaves what turns as it is.
    assert is_component(given) == (signs[0] * signs[1] == -1)


def test_the_image_of_a_flow_has_the_image_of_its_vorticity_and_divergence():
    random = np.random.default_rng(0)
    u, v = random.normal(size=(2, 12, 16))

    def derived(u, v):
        u_lat, u_lon = np.gradient(u)
        v_lat, v_lon = np.gradient(v)
        return {"vorticity": v_lon - u_lat, "divergence": u_lon + v_lat}

    names = ("u", "v", "vorticity", "divergence")
    signs = {name: mirror_signs(variable(name)) for name in names}
    for number, axis in enumerate((0, 1)):
        image = {
            name: signs[name][number] * np.flip(field, axis)
            for name, field in {"u": u, "v": v, **derived(u, v)}.items()
        }
        for name, field in derived(image["u"], image["v"]).items():
            np.testing.assert_allclose(image[name], field, atol=1e-12)


def test_only_what_turns_is_vorticity():
    assert is_vorticity(variable("potential_vorticity"))
    assert not is_vorticity(variable("voltage"))
    assert not is_vorticity(variable("f", standard_name="coriolis_parameter"))
    assert not is_vorticity(variable("vorticity_0", component_along="lat"))
    assert not is_vorticity(variable("vo", standard_name="northward_sea_water_velocity"))


def test_dims_of_components_are_renamed_with_the_dims():
    dataset = xr.Dataset(
        {"u_1": (("time", "x", "y"), np.zeros((1, 2, 3)), {"component_along": "x"}),
         "s": (("time", "x", "y"), np.zeros((1, 2, 3)))}
    )  # fmt: skip
    renamed = rename_along(dataset, {"x": "lon", "y": "lat"})
    assert set(renamed.dims) == {"time", "lon", "lat"}
    assert renamed["u_1"].attrs == {"component_along": "lon"}
    assert dataset["u_1"].attrs == {"component_along": "x"}
    assert renamed["s"].attrs == {}
