# Copyright 2026 The event_perception authors
# SPDX-License-Identifier: Apache-2.0
"""A self-contained HTML page: headings, text, tables and figures, nothing loaded from elsewhere."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

STYLE = """
:root { --ink: #1d2430; --soft: #5b6675; --line: #d9dee5; --paper: #ffffff; --tint: #f5f7f9; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 1080px; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p { margin: .4rem 0; max-width: 78ch; } .note { color: var(--soft); }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } td.group { color: var(--soft); padding-top: .8rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 1.1rem; }
.wide { grid-template-columns: 1fr; }
.halves { grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); }
figure { margin: 0; background: var(--tint); border: 1px solid var(--line); border-radius: 6px; padding: .6rem; }
figure img, figure svg { width: 100%; height: auto; display: block; image-rendering: auto; }
figcaption { color: var(--soft); font-size: .87rem; padding-top: .45rem; }
"""


class HtmlPage:
    """Collects the parts of a page in order.

    Args:
        title: Heading and window title.
        subtitle: One line under it.
    """

    def __init__(self, title: str, subtitle: str = '') -> None:
        self._title = title
        self._parts = [f'<h1>{escape(title)}</h1>', f'<p class="note">{escape(subtitle)}</p>']

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(f'<h2>{escape(text)}</h2>')

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._parts.append(f'<p>{escape(text)}</p>')

    def table(self, values: Mapping[str, Any]) -> None:
        """Add names and values; a nested mapping becomes a group."""
        self._parts.append(f'<table>{"".join(_rows(values))}</table>')

    def grid(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add a table with a header row."""
        head = ''.join(f'<th>{escape(name)}</th>' for name in header)
        body = ''.join(f'<tr>{"".join(f"<td>{_text(cell)}</td>" for cell in row)}</tr>' for row in rows)
        self._parts.append(f'<table><tr>{head}</tr>{body}</table>')

    def figures(self, figures: Sequence[tuple[bytes | str, str]], *, size: str = '') -> None:
        """Add pictures side by side: PNG bytes or SVG text, each with its caption; 'wide' one a row, 'halves' two."""
        cells = ''.join(
            f'<figure>{_picture(p)}<figcaption>{escape(c)}</figcaption></figure>' for p, c in figures
        )
        self._parts.append(f'<div class="figures {size}">{cells}</div>')

    def write(self, path: Path) -> None:
        """Write the page."""
        body = '\n'.join(self._parts)
        path.write_text(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(self._title)}</title>'
            f'<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n',
            encoding='utf-8',
        )


def _picture(picture: bytes | str) -> str:
    if isinstance(picture, str):
        return picture
    return f'<img alt="" src="data:image/png;base64,{b64encode(picture).decode()}">'


def _rows(values: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += [f'<tr><td class="group" colspan="2">{escape(name)}</td></tr>', *_rows(value)]
        else:
            rows.append(f'<tr><th>{escape(name)}</th><td>{_text(value)}</td></tr>')
    return rows


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f'{value:.4g}'
    if isinstance(value, (list, tuple)):
        return ', '.join(_text(element) for element in value) or '-'
    return '-' if value is None else escape(str(value))
