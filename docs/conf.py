"""Sphinx's settings: `make docs` builds docs/_build/html."""

import sys
import zlib
from pathlib import Path

from sphinx.ext.napoleon import GoogleDocstring

from gaechannel import __version__

# An attribute's docstring is a sentence: what stands before a colon in it is not its type.
GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end

project = "gaechannel"
author = "the gaechannel maintainers"
release = version = __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "command_options",
    "subjects",
]
exclude_patterns = ["_build"]

maximum_signature_line_length = 80  # of a longer one each argument has its own line
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True  # `time.time`, not what its repr says
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Where names of others lead. A build reads no network: the names that are used stand in docs/inventories.
_HERE = Path(__file__).parent


def _inventory(project, version=""):
    """Write Sphinx's inventory of a list of names; return its path."""
    lines = (_HERE / "inventories" / f"{project}.txt").read_text(encoding="utf-8").splitlines()
    entries = [line.split() for line in lines if line and not line.startswith("#")]
    body = "".join(f"{name} py:{role} 1 {page} -\n" for name, role, page in entries)
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: {version}\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    file = _HERE / "_build" / "inventories" / f"{project}.inv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(head.encode() + zlib.compress(body.encode()))
    return str(file)


intersphinx_mapping = {
    "python": ("https://docs.python.org/3", _inventory("python")),
    "aiohttp": ("https://docs.aiohttp.org/en/stable", _inventory("aiohttp")),
}

# Types in signatures that nobody looks up here: of others, where no inventory has them, and private ones.
nitpick_ignore_regex = [("py:class", r"(?!gaechannel\.((aio|server)\.)?[A-Z]\w*$).*")]

# `make links` asks the others.
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost)\b", r"https?://[\w.-]*\bexample(\.\w+)?\b"]
linkcheck_timeout = 20

html_theme = "furo"
html_title = f"gaechannel {__version__}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#1b5f8a", "color-brand-content": "#1b5f8a"},
    "dark_css_variables": {"color-brand-primary": "#7cc0ee", "color-brand-content": "#7cc0ee"},
}

# What is copied is what is typed: no prompts, no output.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
