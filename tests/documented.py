"""Write what `inspect` prints for the files of the tests into docs/sources.md.

python tests/documented.py
"""

import contextlib
import io
import os
import re
import tempfile
from pathlib import Path

from source_files import MAKERS
from tiny import REPOSITORY

from swsr.__main__ import main

PAGE = REPOSITORY / "docs" / "sources.md"
_BLOCK = re.compile(r"<!-- (\w+) -->\n```yaml\n(.*?)```\n", re.DOTALL)


def documented() -> dict[str, str]:
    """Name of each maker in the page -> the block that stands after it."""
    return dict(_BLOCK.findall(PAGE.read_text()))


def printed(name: str, folder: Path) -> str:
    """What `inspect` prints in a folder with the files of a maker."""
    files = MAKERS[name](folder).files
    output = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(output):
            assert main(["inspect", *files]) == 0
    finally:
        os.chdir(before)
    return output.getvalue()


if __name__ == "__main__":
    text = PAGE.read_text()
    for maker in documented():
        with tempfile.TemporaryDirectory() as scratch:
            block = f"<!-- {maker} -->\n```yaml\n{printed(maker, Path(scratch))}```\n"
        text = re.sub(
            rf"<!-- {maker} -->\n```yaml\n.*?```\n", lambda _, b=block: b, text, flags=re.DOTALL
        )
    PAGE.write_text(text)
