"""Sphinx's settings: `make docs` builds docs/_build/html."""

from sphinx.ext.napoleon import GoogleDocstring

from gaechannel import __version__

# An attribute's docstring is a sentence: what stands before a colon in it is not its type.
GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end

project = "gaechannel"
author = "the gaechannel maintainers"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "alabaster"
html_static_path = ["_static"]
html_theme_options = {
    "description": "Messages over Google's BrowserChannel protocol",
    "fixed_sidebar": True,
    "page_width": "1180px",
    "sidebar_width": "230px",
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
