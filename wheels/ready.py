"""Whether the tree is what a release's tag says it is, before anything is built: ready.py TAG

Each thing that is missing is told on a line of its own.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# What an index shows beside the package; the names are those that it knows.
URLS = ("Repository", "Documentation", "Changelog", "Issues")


def missing(tag):
    """What keeps the tree from being released under a tag."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    if tag != f"v{version}":
        yield f"the tag is {tag}, and pyproject.toml says {version}"
    changelog = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    (newest,) = re.findall(r"\A.+\n=+\n+(.+)\n-+\n", changelog)
    if not re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", newest):
        yield f'CHANGELOG.rst begins with "{newest}", not with {version} and its date'
    urls = project.get("urls", {})
    if lacking := [name for name in URLS if not urls.get(name, "").startswith("https://")]:
        yield f"pyproject.toml has no address under [project.urls] for {', '.join(lacking)}"


def main(tag):
    found = list(missing(tag))
    for line in found:
        print(f"gaechannel: not ready: {line}", file=sys.stderr)
    return 1 if found else 0


sys.exit(main(*sys.argv[1:]))
