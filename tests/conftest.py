"""Fixtures and what is said once for the whole run."""

import logging
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import debian
from chains import Chain, run_chain
from filelock import FileLock
from tiny import REPOSITORY, make_raw, make_stores, tiny_frames, train

import swsr
from swsr.__main__ import main


def pytest_sessionstart():
    """An environment that two checkouts share has only the code of the one installed last."""
    if Path(swsr.__file__).parents[1] != REPOSITORY / "src":
        pytest.exit(f"{swsr.__file__} would be tested: `pip install --no-deps -e {REPOSITORY}`", 2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """In several processes (`pytest -n 3`): what shares a cluster or a chain in one, long ones first.

    Before pytest-xdist's own hook, which reads the groups."""
    chained = {item.path for item in items if "chain" in item.fixturenames}

    def group(item) -> str:
        if item.get_closest_marker("cluster"):
            return "cluster"
        return "chain" if item.path in chained else f"{item.path.parent.name}/{item.path.name}"

    def order(item) -> int:
        first = {"cluster": 0, "chain": 1}.get(group(item), 3)
        return 2 if first == 3 and item.get_closest_marker("chain") else first

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=order)


def pytest_collection_finish(session):
    """Groups that pytest-xdist did not see would start two clusters, which end each other's jobs."""
    if getattr(session.config.option, "loadgroup", False):
        assert all("@" in item.nodeid for item in session.items), "tests are in no groups"


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    """Manifests (low, high) of 30 tiny frames of 24 x 48 points, scale 2."""
    return make_stores(tmp_path_factory.mktemp("stores"), tiny_frames())


@pytest.fixture(scope="session")
def raw(stores):
    """Manifest of the interpolated frames of `stores`."""
    return make_raw(*stores)


@pytest.fixture(scope="session")
def networks(stores, raw, tmp_path_factory):
    """A 2D and a 3D network of one epoch on `stores`."""
    folder = tmp_path_factory.mktemp("networks")
    for stage in ("train_2d", "train_3d"):
        done = train(stores, folder / stage, stage=stage, epochs=1)
        assert done.returncode == 0, done.stderr
    return [folder / stage / "network.safetensors" for stage in ("train_2d", "train_3d")]


@pytest.fixture(scope="session")
def chain(tmp_path_factory, worker_id):
    """The finished chain of studies/tiny.yaml, run here; tests must leave it as it is.

    Once for all processes of a run of the tests: the first that needs it makes it."""
    configfile = REPOSITORY / "studies" / "tiny.yaml"
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    finished = Chain(shared / "chain", configfile)
    with FileLock(shared / "chain.lock"):
        if not finished.folder.exists():
            finished.folder.mkdir()
            run_chain(finished.folder, configfile)
            return finished
    assert (finished.folder / "results" / "tiny" / "report").exists(), "another process failed"
    return finished


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def installed_browser():
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def browser():
    if not installed_browser() and debian.can_install():
        with suppress(RuntimeError):
            debian.install("chromium")
    found = installed_browser()
    if not found:
        pytest.skip("THE PAGE WAS OPENED IN NO BROWSER: no Chromium, and none could be installed")
    return found


@pytest.fixture(scope="session")
def browse(browser):
    """What a browser makes of a page with something added to it, and what its console says."""

    def run(page, folder, more=""):
        changed = folder / "page.html"
        changed.write_text(page.read_text().replace("</body>", f"{more}</body>"))
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--disable-background-networking", f"--user-data-dir={folder}/profile",
             "--virtual-time-budget=3000", "--dump-dom", changed.as_uri()],
            capture_output=True, text=True, timeout=900, check=True,
        )  # fmt: skip
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return run


@pytest.fixture
def fails(capsys):
    """Run a stage that must fail with one line on stderr, which holds a sentence."""

    def run(sentence, *arguments):
        capsys.readouterr()
        assert main(list(map(str, arguments))) == 1
        logging.shutdown()
        lines = capsys.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert sentence in lines[0]

    return run
