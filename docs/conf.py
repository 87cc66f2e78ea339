"""Sphinx's settings: `make docs` builds docs/_build/html."""

from gaechannel import __version__

project = "gaechannel"
author = "the gaechannel maintainers"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {"Headers": "Headers"}
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# Every attribute is described in its class's docstring.
napoleon_attr_annotations = False

html_theme = "alabaster"
html_theme_options = {
    "description": "Messages over Google's BrowserChannel protocol",
    "fixed_sidebar": True,
    "page_width": "1060px",
    "sidebar_width": "230px",
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_copy_source = False
html_show_sourcelink = False
