"""Pages made of templates: the report, one HTML file that needs nothing else, and model cards."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@dataclass(frozen=True)
class Table:
    """Header and rows of text; a title, if it has one."""

    title: str
    header: list[str]
    rows: list[list[str]]


def render(template: str, content: Mapping[str, Any]) -> str:
    """A page from a template of this package, whose names `content` gives; HTML is escaped."""
    environment = Environment(
        loader=PackageLoader("swsr", "."),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(content)


def read_tables(markdown: str) -> list[Table]:
    """The tables of a Markdown text; the heading before a table is its title."""
    tables: list[Table] = []
    title, rows = "", list[list[str]]()
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            tables.append(Table(title, rows[0], rows[2:]))
            title, rows = "", []
        if line.startswith("#"):
            title = line.lstrip("# ")
    return tables


def read_text(markdown: str) -> list[str]:
    """Lines of a Markdown text that are items of a list, without their marks."""
    return re.findall(r"^- (.*)$", markdown, re.MULTILINE)
