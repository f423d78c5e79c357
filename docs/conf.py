"""How Sphinx builds these pages; every code cell runs at build time."""

import formula_torch

project = "formula_torch"
author = "The formula_torch developers"
copyright = author
version = release = formula_torch.__version__
language = "en-GB"

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build", "jupyter_execute"]

myst_heading_anchors = 2
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

# Types stand in the docstrings; users build no result by hand, so constructors are not shown.
autodoc_typehints = "none"
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "alabaster"
html_theme_options = {
    "description": "Regression from R-style formulas, solved by torch",
    "page_width": "1080px",
    "sidebar_width": "210px",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html", "relations.html"]}
