"""The page of a finished chain in a real browser."""

import re
from html.parser import HTMLParser

import pytest

pytestmark = pytest.mark.chain


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
