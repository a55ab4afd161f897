"""Compressed frames from several ranks are those of one."""

from tiny import make_stores, mpirun, run_swsr, stage_settings, tiny_frames

from swsr.zarr_io import read_manifest

CHOICES = {"scale": 2, "codec": "h264", "quality": 30}


def test_two_ranks_write_the_same_store_and_say_how_many_bits(tmp_path):
    """Their shares of chunks of 3 frames end inside a clip of 8."""
    low, high = make_stores(tmp_path, tiny_frames(), chunk_frames=3, **CHOICES)
    settings = stage_settings(tmp_path, "downscale", downscale=CHOICES)
    output = tmp_path / "ranks" / "seed_0.json"
    done = run_swsr(
        "downscale", "--settings", settings, "--high", high, "--output", output,
        "--communication", "mpi", "--ranks", 2, "--threads", 1, launcher=mpirun(2),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("bits per point") == 1
    assert read_manifest(output) == read_manifest(low)
