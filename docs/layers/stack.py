"""Draws the towers beside it: python docs/layers/stack.py writes an .svg for each .txt.

A drawing's text names its towers from left to right, and under each its floors from the top down:

    tower: name
    what uses all that is below it
    what is below           and what that is about, behind two spaces or more
"""

import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "exchanges"))
from draw import MARGIN, draw_all, picture, width  # noqa: E402

HIGH = 44  # of a floor, in pixels
GAP = 8


def parse(text):
    """The towers: each its name, and its floors as (name, what it is about)."""
    towers = []
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("tower:"):
            towers.append((line.removeprefix("tower:").strip(), []))
        elif line and not line.startswith("#"):
            name, _, about = line.partition("  ")
            towers[-1][1].append((name.strip(), about.strip()))
    return towers


def drawing(text, title):
    """The SVG of a drawing's text."""
    towers = parse(text)
    out, x = [], MARGIN
    high = max(len(floors) for _, floors in towers) * (HIGH + GAP) + 84
    for name, floors in towers:
        wide = round(max(width(words) for floor in [(name, ""), *floors] for words in floor) + 28)
        middle = x + wide / 2
        out.append(f'<text class="who" x="{middle:g}" y="30" text-anchor="middle">{escape(name)}</text>')
        for number, (what, about) in enumerate(floors):
            y = 44 + number * (HIGH + GAP)
            out.append(f'<rect class="box" x="{x}" y="{y}" width="{wide}" height="{HIGH}" rx="4"/>')
            lines = [(what, y + (18 if about else 27), "")] + (
                [(about, y + 35, ' class="when"')] if about else []
            )
            out += [
                f'<text{kind} x="{middle:g}" y="{at}" text-anchor="middle">{escape(words)}</text>'
                for words, at, kind in lines
            ]
        out.append(f'<path class="way" d="M{middle:g} {high - 40}V{high - 26}"/>')
        x += wide + 28
    wide = x - 28 + MARGIN
    out.append(f'<path class="way" d="M{MARGIN} {high - 26}H{wide - MARGIN}"/>')
    out.append(f'<text x="{wide / 2:g}" y="{high - 9}" text-anchor="middle">the wire: HTTP</text>')
    return picture(title, wide, high, out)


if __name__ == "__main__":
    draw_all(HERE, drawing)
