"""What the command line refuses before anything runs."""

from pathlib import Path

import pytest

from swsr.commands import STAGES, TOOLS, parse

EXTRACT = ["extract", "--settings", "a.json", "--files", "b.nc", "--output", "c.json"]


@pytest.mark.parametrize(
    ("flag", "given", "least"),
    [
        ("--ranks", "0", 1),
        ("--threads", "-1", 1),
        ("--threads", "two", 1),
        ("--window-points", "0", 1),
        ("--window-points", "1.5", 1),
        ("--cache-mb", "-1", 0),
    ],
)
def test_numbers_that_make_no_sense_are_refused(capsys, flag, given, least):
    with pytest.raises(SystemExit, match="2"):
        parse([*EXTRACT, flag, given], "")
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"argument {flag}: {given!r}: give a whole number, {least} or more")


def test_least_numbers_are_taken():
    flags = {"--ranks": 1, "--threads": 1, "--window-points": 1, "--cache-mb": 0}
    given = [str(part) for pair in flags.items() for part in pair]
    found = parse([*EXTRACT, *given], "")["flags"]
    assert {flag: found[flag[2:].replace("-", "_")] for flag in flags} == flags


def test_every_argument_has_a_help_text():
    stages = {(stage, name): kind for stage in STAGES for name, kind in STAGES[stage][1].items()}
    tools = {(tool, name): kind for tool in TOOLS for name, kind in TOOLS[tool][2].items()}
    assert not [argument for argument, kind in (stages | tools).items() if not kind.get("help")]


def test_pairs_are_told_apart():
    compared = ["compare", "--evaluations", "a=b/c", "d=e=f", "--training", "x=y", "--output", "z"]
    found = parse(compared, "")
    assert found["evaluations"] == {"a": Path("b/c"), "d": Path("e=f")}


def test_a_word_that_is_no_pair_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        parse(["compare", "--evaluations", "a", "--training", "x=y", "--output", "z"], "")
    assert "--evaluations: 'a' is not of the form name=value" in capsys.readouterr().err
