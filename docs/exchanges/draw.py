"""Draws the exchanges beside it: python docs/exchanges/draw.py writes an .svg for each .txt.

A drawing's text has a line for each thing that happens, from above to below:

    parties: a | b          who takes part, from left to right; the first line
    a -> b: words           what goes from one to the other
    a -x b: words           what is lost on its way
    at a: words             what happens there
    --- words               what holds from here on

Blank lines, and those that begin with #, are left out.
"""

import re
from html import escape
from itertools import pairwise
from pathlib import Path
from unicodedata import east_asian_width

HERE = Path(__file__).parent
FONT = 12.5  # pixels
CHARACTER = FONT * 0.602  # the width of one, in the usual monospaced fonts
LINE = 34  # from one arrow to the next
MARGIN = 16

#: In the reader's light or dark, whatever shows it.
STYLE = """\
svg{color-scheme:light dark}
text{font:12.5px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2933}
.who{font-weight:700}.when{font-style:italic;fill:#52606d}
.back{fill:#ffffff}.box{fill:#e8f0f7;stroke:#1b5f8a}.life{stroke:#b8c4ce;stroke-dasharray:3 4}
.way{stroke:#1b5f8a;stroke-width:1.6;fill:none}.tip{fill:#1b5f8a}
.lost{stroke:#b3261e;stroke-width:1.6;fill:none}.cut{fill:#b3261e}
@media (prefers-color-scheme:dark){text{fill:#e4e7eb}.when{fill:#9aa5b1}.back{fill:#15191d}
.box{fill:#1d3345;stroke:#7cc0ee}.life{stroke:#4b5862}.way{stroke:#7cc0ee}.tip{fill:#7cc0ee}
.lost{stroke:#ff8a80}.cut{fill:#ff8a80}}"""


def width(text):
    """How wide a text is, in pixels."""
    return CHARACTER * sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def parse(text):
    """The parties, and the steps: ("way" | "lost", from, to, words), ("at", who, who, words), ("when", …)."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    parties = [name.strip() for name in lines[0].removeprefix("parties:").split("|")]
    steps = []
    for line in lines[1:]:
        if line.startswith("---"):
            steps.append(("when", 0, len(parties) - 1, line[3:].strip()))
        elif found := re.fullmatch(r"at ([^:]+): (.*)", line):
            steps.append(("at", parties.index(found[1]), parties.index(found[1]), found[2]))
        elif found := re.fullmatch(r"(.+?) -([>x]) (.+?): (.*)", line):
            kind = "way" if found[2] == ">" else "lost"
            steps.append((kind, parties.index(found[1]), parties.index(found[3]), found[4]))
        else:
            raise ValueError(f"not a step: {line}")
    return parties, steps


def places(parties, steps):
    """Where each party's line stands: far enough apart for the words between them."""
    gaps = [max(120, (width(a) + width(b)) / 2 + 50) for a, b in pairwise(parties)]
    for kind, one, other, words in steps:
        if kind in ("way", "lost"):
            first, last = sorted((one, other))
            missing = width(words) + 34 - sum(gaps[first:last])
            for gap in range(first, last):
                gaps[gap] += max(0, missing) / (last - first)
    edge = MARGIN + max(width(name) for name in parties) / 2 + 10
    found = [edge]
    for gap in gaps:
        found.append(found[-1] + gap)
    return [round(x) for x in found], round(found[-1] + edge)


def drawing(text, title):
    """The SVG of a drawing's text."""
    parties, steps = parse(text)
    at, wide = places(parties, steps)
    out = []
    y = 64
    for kind, one, other, words in steps:
        if kind == "when":
            out.append(
                f'<rect class="back" x="0" y="{y - 12}" width="{width(words) + 2 * MARGIN:.0f}" height="24"/>'
                f'<text class="when" x="{MARGIN}" y="{y + 4}">{escape(words)}</text>'
            )
        elif kind == "at":
            long = width(words)
            x = min(max(at[one], MARGIN + long / 2 + 6), wide - MARGIN - long / 2 - 6)
            out.append(
                f'<rect class="box" x="{x - long / 2 - 7:.0f}" y="{y - 11}" width="{long + 14:.0f}"'
                f' height="22" rx="4"/>'
                f'<text x="{x:.0f}" y="{y + 4}" text-anchor="middle">{escape(words)}</text>'
            )
        else:
            begin, end = at[one], at[other]
            ahead = 1 if end > begin else -1
            middle = (begin + end) / 2
            out.append(f'<text x="{middle:.0f}" y="{y - 2}" text-anchor="middle">{escape(words)}</text>')
            line = y + 6
            if kind == "way":
                out.append(f'<path class="way" d="M{begin} {line}H{end - 7 * ahead}"/>')
                out.append(f'<path class="tip" d="M{end} {line}l{-9 * ahead} -4.5v9z"/>')
            else:
                stop = round(begin + (end - begin) * 0.62)
                out.append(f'<path class="lost" d="M{begin} {line}H{stop}"/>')
                out.append(f'<path class="lost" d="M{stop - 5} {line - 5}l10 10m0 -10l-10 10"/>')
        y += LINE
    high = y + 4
    heads = "".join(
        f'<path class="life" d="M{x} 38V{high - 10}"/>'
        f'<rect class="box" x="{x - width(name) / 2 - 10:.0f}" y="12" width="{width(name) + 20:.0f}"'
        f' height="26" rx="5"/>'
        f'<text class="who" x="{x}" y="29" text-anchor="middle">{escape(name)}</text>'
        for x, name in zip(at, parties, strict=True)
    )
    return picture(title, wide, high, [heads, *out])


def picture(title, wide, high, parts):
    """The SVG of what is drawn; both sides in pixels."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}"'
        f' role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect class="back" width="{wide}" height="{high}" rx="8"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def draw(file, drawing=drawing):
    """The SVG of a file; its first comment is the title."""
    text = file.read_text(encoding="utf-8")
    return drawing(text, text.splitlines()[0].removeprefix("#").strip())


def draw_all(folder, drawing=drawing):
    """Write the .svg of each .txt in a folder."""
    for source in sorted(folder.glob("*.txt")):
        source.with_suffix(".svg").write_text(draw(source, drawing), encoding="utf-8")


if __name__ == "__main__":
    draw_all(HERE)
