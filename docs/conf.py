"""The documentation site: ``make docs``.

It needs no network to be built or read: formulas are MathML, which browsers show by themselves, and fonts are
those of the machine.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "cryoseg"
author = "the cryoseg authors"
project_copyright = author
release = version_of("cryoseg")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "command_tables",
    "mathml",
    "notebooks",
]
exclude_patterns = ["_ext"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# A title is written as its page needs it: the model card begins below that of its page.
suppress_warnings = ["myst.header"]

# Dashes of options stay two.
smartquotes = False
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
napoleon_google_docstring = False
default_role = "code"
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"cryoseg {release}"
html_static_path = ["_static"]
html_css_files = ["cryoseg.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_show_sphinx = False
# Only commands are copied, without what a terminal shows before and after them.
copybutton_selector = "div.highlight-sh pre, div.highlight-python pre, div.highlight-yaml pre"
