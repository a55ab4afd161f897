"""Run the embedded shallow-water simulation and write it as a model would: CF NetCDF."""

from pathlib import Path

from swsr.atomic import atomic_path
from swsr.run import Run
from swsr.settings import Simulate, read_stage_settings
from swsr.sources.simulation import simulate_frames


def simulate(settings: Path, seed: int, output: Path, run: Run) -> None:
    """Write the frames of one seed to the NetCDF file `output`."""
    choices = read_stage_settings(settings, Simulate)
    frames = simulate_frames(choices, seed)
    frames.attrs = {
        "Conventions": "CF-1.10",
        "title": f"Shallow-water simulation of two unstable jets, {choices.grid}, seed {seed}",
        "source": "dinosaur, spectral semi-implicit shallow water on the sphere",
    }
    with atomic_path(output) as temporary:
        frames.to_netcdf(temporary, engine="netcdf4")
    speed = float(abs(frames["u"]).max())
    run.say(
        f"{choices.num_frames} frames of {frames.sizes['lat']} x {frames.sizes['lon']} points, "
        f"every {choices.interval_minutes:g} minutes, seed {seed}; fastest wind {speed:.0f} m/s"
    )
