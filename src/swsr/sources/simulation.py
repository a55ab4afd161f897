"""A spherical shallow-water simulation by dinosaur (NeuralGCM's dynamical core, on JAX).

Initial state: the barotropic jet of Galewsky, Scott and Polvani (2004, Tellus A 56, 429-440), in
both hemispheres, in balance, plus bumps of the height whose number and places the seed draws. The
jets break up within a week into eddies that go on for weeks.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from dinosaur import (
    coordinate_systems,
    layer_coordinates,
    scales,
    shallow_water,
    shallow_water_states,
    spherical_harmonic,
    time_integration,
    units,
)

from swsr.settings import Simulate

_UNIT = scales.units
_SPECS = units.SimUnits.from_si()
_VARIABLES = {
    "vorticity": ("s-1", "atmosphere_relative_vorticity", "relative vorticity"),
    "divergence": ("s-1", "divergence_of_wind", "divergence"),
    "depth": ("m", None, "depth of the fluid"),
    "u": ("m s-1", "eastward_wind", "eastward velocity"),
    "v": ("m s-1", "northward_wind", "northward velocity"),
}


def simulate_frames(settings: Simulate, seed: int) -> xr.Dataset:
    """Run the simulation and return its frames after the spin-up.

    Returns
    -------
    xarray.Dataset
        Dims (time, lat, lon), lat from south to north on Gaussian latitudes; vorticity and
        divergence in s-1, depth in m, u and v in m s-1, float32; time in hours since the start.

    Raises
    ------
    ValueError
        When the run blows up, with the frame from which values are not finite.
    """
    model = _Model.build(settings)
    initial = _initial_state(model.coords, _jet_speed(settings, seed), seed)
    frames = jax.device_get(jax.jit(model.run)(initial))
    if not np.isfinite(frames["vorticity"]).all():
        frame = int(np.argmin(np.isfinite(frames["vorticity"]).all(axis=(1, 2))))
        raise ValueError(
            f"simulate: the run with seed {seed} blows up before frame {frame}: "
            "use a smaller simulate.time_step_minutes"
        )
    return _dataset(frames, model.coords.horizontal, settings)


@dataclass(frozen=True)
class _Model:
    coords: coordinate_systems.CoordinateSystem
    step: Any
    num_frames: int
    steps_per_frame: int
    spinup_steps: int

    @classmethod
    def build(cls, settings: Simulate) -> "_Model":
        harmonics = spherical_harmonic.FastSphericalHarmonics
        grid = getattr(spherical_harmonic.Grid, settings.grid)(
            spherical_harmonics_impl=lambda *args, **kwargs: harmonics(
                *args, fourier_method="fft", stacked_fourier_transforms=False, **kwargs
            ),
            radius=_SPECS.radius,
        )
        coords = coordinate_systems.CoordinateSystem(grid, layer_coordinates.LayerCoordinates(1))
        dt = _SPECS.nondimensionalize(settings.time_step_minutes * _UNIT.minute)
        tau = _SPECS.nondimensionalize(settings.diffusion_hours * _UNIT.hour)
        equations = shallow_water.ShallowWaterEquations(
            coords, _SPECS, jnp.zeros(grid.modal_shape), np.array([_mean_potential()])
        )
        step = time_integration.step_with_filters(
            time_integration.imex_rk_sil3(equations, dt),
            [time_integration.horizontal_diffusion_step_filter(grid, dt, tau, order=4)],
        )
        return cls(
            coords,
            step,
            settings.num_frames,
            round(settings.interval_minutes / settings.time_step_minutes),
            round(settings.spinup_days * 24 * 60 / settings.time_step_minutes),
        )

    def run(self, state: shallow_water.State) -> dict[str, jax.Array]:
        """Frames (time, lon, lat) of each variable, non-dimensional."""
        if self.spinup_steps:
            state = time_integration.repeated(self.step, self.spinup_steps)(state)
        trajectory = time_integration.trajectory_from_step(
            self.step,
            self.num_frames,
            self.steps_per_frame,
            start_with_input=True,
            post_process_fn=self._on_grid,
        )
        return trajectory(state)[1]

    def _on_grid(self, state: shallow_water.State) -> dict[str, jax.Array]:
        grid = self.coords.horizontal
        u, v = spherical_harmonic.vor_div_to_uv_nodal(grid, state.vorticity, state.divergence)
        nodal = shallow_water.state_to_nodal(state, grid)
        fields = {
            "vorticity": nodal.vorticity,
            "divergence": nodal.divergence,
            "depth": (nodal.potential + _mean_potential()) / _SPECS.g,
            "u": u,
            "v": v,
        }
        return {name: field[0] for name, field in fields.items()}


def _mean_potential() -> float:
    height = shallow_water_states.get_default_parameters().mean_height
    return float(_SPECS.nondimensionalize(height) * _SPECS.g)


def _jet_speed(settings: Simulate, seed: int) -> float:
    """Of the jets of this seed in m/s: anywhere in jet_speed_m_s -+ jet_spread_m_s."""
    # A generator of its own, so that the bumps of a seed do not depend on the spread.
    deviation = np.random.default_rng([seed, 1]).uniform(-1, 1)
    return settings.jet_speed_m_s + settings.jet_spread_m_s * deviation


def _initial_state(
    coords: coordinate_systems.CoordinateSystem, jet_speed_m_s: float, seed: int
) -> shallow_water.State:
    longitude, sin_lat = coords.horizontal.nodal_mesh
    latitude = np.arcsin(sin_lat)
    jet = shallow_water_states.get_default_parameters()._replace(
        jet_max_velocity=np.array(jet_speed_m_s) * _UNIT.m / _UNIT.s
    )
    scaled = jax.tree.map(_SPECS.nondimensionalize, jet)
    zonal = sum(
        shallow_water_states.get_zonal_velocity(side * latitude, scaled) for side in (1, -1)
    )
    steady = shallow_water_states.multi_layer(jnp.asarray(zonal)[None], np.ones(1), coords)
    height = sum(
        shallow_water_states.get_height(longitude, latitude, bump)
        for bump in _bumps(scaled, np.random.default_rng(seed))
    )
    bumps = coords.horizontal.to_modal(jnp.asarray(height) * _SPECS.g)
    return shallow_water.State(steady.vorticity, steady.divergence, steady.potential + bumps)


def _bumps(jet: Any, random: np.random.Generator) -> list[Any]:
    return [
        jet._replace(
            bump_lon_location=random.uniform(0, 2 * np.pi),
            bump_lat_location=side * random.uniform(0.6, 1.0),
            bump_height_scale=jet.bump_height_scale * random.uniform(0.5, 1.5),
        )
        for side in (1, -1)
        for _ in range(random.integers(1, 5))
    ]


def _dataset(
    frames: dict[str, np.ndarray], grid: spherical_harmonic.Grid, settings: Simulate
) -> xr.Dataset:
    dimension = {"s-1": 1 / _UNIT.s, "m": _UNIT.m, "m s-1": _UNIT.m / _UNIT.s}
    dataset = xr.Dataset(
        coords={
            "time": settings.spinup_days * 24
            + np.arange(settings.num_frames) * settings.interval_minutes / 60,
            "lat": np.degrees(grid.latitudes),
            "lon": np.degrees(grid.longitudes),
        }
    )
    dataset["time"].attrs = {
        "standard_name": "time", "units": "hours since 2000-01-01", "calendar": "standard",
    }  # fmt: skip
    dataset["lat"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
    dataset["lon"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
    for name, (unit, standard_name, long_name) in _VARIABLES.items():
        values = _SPECS.dimensionalize(frames[name], dimension[unit]).magnitude
        attributes = {"units": unit, "long_name": long_name}
        if standard_name:
            attributes["standard_name"] = standard_name
        dataset[name] = (("time", "lon", "lat"), np.asarray(values, "float32"), attributes)
    return dataset.transpose("time", "lat", "lon")
