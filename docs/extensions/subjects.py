"""`.. subjects:: csrc/net`: each file below a folder with its subject: its first sentence."""

import ast
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).parents[2]


def first_words(path):
    """The first sentence of a C file's first comment or of a module's docstring; empty: there is none."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or ""
    else:
        found = re.match(r"/\*(.*?)\*/", text, re.DOTALL)
        said = re.sub(r"^ \* ?", "", found[1], flags=re.MULTILINE) if found else ""
    paragraph = " ".join(said.split("\n\n")[0].split())
    return re.split(r"(?<=[\w`)\]][.;]) (?=[A-Z`a-z])", paragraph)[0].removesuffix("::")


def subjects(folder):
    """[(name, subject), …] of all below a folder: of C a header's words, or a source's without a header."""
    files = sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in {".h", ".c", ".py"})
    found = {}
    for path in files:
        if path.suffix == ".c" and path.with_suffix(".h") in files:
            continue
        if path.suffix == ".py" and not path.stat().st_size:
            continue
        found[path.relative_to(ROOT / folder).as_posix()] = first_words(path)
    return sorted(found.items())


class Subjects(Directive):
    required_arguments = 1

    def run(self):
        listed = nodes.field_list()
        for name, subject in subjects(self.arguments[0]):
            said = nodes.paragraph()
            for place, piece in enumerate(re.split(r"`+([^`]+)`+", subject)):
                said += nodes.literal(text=piece) if place % 2 else nodes.Text(piece)
            title = nodes.field_name("", "", nodes.literal(text=re.sub(r"\.[chp]y?$", "", name)))
            listed += nodes.field("", title, nodes.field_body("", said))
        return [listed]


def setup(app):
    app.add_directive("subjects", Subjects)
    return {"parallel_read_safe": True}
