"""What the command line refuses before anything runs."""

import pytest

from swsr.commands import parse

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
