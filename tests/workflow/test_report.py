"""The page of a finished chain in a real browser."""

import re
import shutil
import subprocess
from contextlib import suppress
from html.parser import HTMLParser

import debian
import pytest

pytestmark = pytest.mark.chain

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def installed_browser():
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")
def browser():
    if not installed_browser() and debian.can_install():
        with suppress(RuntimeError):
            debian.install("chromium")
    found = installed_browser()
    if not found:
        pytest.skip("THE PAGE WAS OPENED IN NO BROWSER: no Chromium, and none could be installed")
    return found


@pytest.fixture(scope="module")
def browse(browser):
    """What a browser makes of a page with something added to it, and what its console says."""

    def run(page, folder, more=""):
        changed = folder / "page.html"
        changed.write_text(page.read_text().replace("</body>", f"{more}</body>"))
        done = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--disable-background-networking", f"--user-data-dir={folder}/profile",
             "--virtual-time-budget=3000", "--dump-dom", changed.as_uri()],
            capture_output=True, text=True, timeout=300, check=True,
        )  # fmt: skip
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return run


@pytest.fixture(scope="module")
def page(chain):
    return chain.folder / "results" / "tiny" / "report" / "report.html"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def tags(page):
    parser = Tags()
    parser.feed(page.read_text())
    return parser.found


def test_page_is_small_and_holds_all_that_it_shows(page, tags):
    assert page.stat().st_size < 10e6
    sources = [attrs[key] for _, attrs in tags for key in ("src", "href") if key in attrs]
    assert len(sources) > 20
    assert all(source.startswith(("data:", "#")) for source in sources)
    policy = next(attrs["content"] for tag, attrs in tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")


def test_every_picture_has_words_and_every_link_a_target(tags):
    pictures = [attrs for tag, attrs in tags if tag == "img"]
    assert len(pictures) >= 15
    assert all(len(attrs.get("alt", "")) > 20 for attrs in pictures)
    places = {attrs["id"] for _, attrs in tags if "id" in attrs}
    links = {attrs["href"][1:] for tag, attrs in tags if tag == "a"}
    assert links
    assert links <= places


def test_page_answers_first_and_names_every_stage(page):
    text = page.read_text()
    assert re.search(r'class="answer[^>]*>(Yes|No)', text)
    for stage in ("simulate", "extract", "train_2d", "infer_3d", "evaluate"):
        assert f"<td>{stage}</td>" in text


def test_browser_has_no_errors_and_nothing_to_load(page, tmp_path, browse):
    """The page forbids all requests, and the browser's console tells of each that it stopped."""
    assert browse(page, tmp_path)[1] == []
    stopped = browse(page, tmp_path, '<img src="http://127.0.0.1:9/x.png">')[1]
    assert any("Content Security Policy" in line for line in stopped)


def test_film_and_slider_move(page, tmp_path, browse):
    move = """<script>
    for (const [name, value] of [["step", 2], ["cut", 80]]) {
      document.getElementById(name).value = value;
      document.getElementById(name).dispatchEvent(new Event("input"));
    }</script>"""
    still, moved = (browse(page, tmp_path, more)[0] for more in ("", move))
    times = [re.search(r'id="time"[^>]*>([^<]+)<', text)[1] for text in (still, moved)]
    assert times[0] < times[1]
    assert "--cut: 80%" in moved
    assert "--cut: 80%" not in still
