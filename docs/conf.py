"""Configuration of Sphinx.

Build with ``python -m sphinx -W --keep-going -b html docs FOLDER`` (extra ``docs``). Nothing is
fetched from the network; formulas are set by MathJax in the reader's browser.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE / "_ext"))

import siren_py  # noqa: E402

project = "siren_py"
author = "The siren_py authors"
copyright = author
version = release = siren_py.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "plain_docstrings",
]

source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "gallery", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
html_static_path = ["_static"]
default_role = "py:obj"
nitpicky = False

# ----- API reference: one page per name, made from the docstrings --------------------------------

autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
# Named as in the code: what they stand for would fill the page.
autodoc_type_aliases = {
    name: name
    for name in ("ArrayLike", "BoolArray", "FloatArray", "IntArray", "PathLike", "RNGLike")
}
python_maximum_signature_line_length = 88
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# ----- Markdown ----------------------------------------------------------------------------------

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3
# The report of validation/ is included as it is; it begins below the title of the page.
suppress_warnings = ["myst.header", "config.cache"]

# ----- gallery -----------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/plot_",
    "image_scrapers": ("gallery_pages.scraper",),
    "reset_modules": (),
    "capture_repr": ("__str__",),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 0,
    "remove_config_comments": True,
    "subsection_order": [
        f"gallery/{name}" for name in ("detectors", "fluxes", "decays", "figures")
    ],
    "within_subsection_order": "FileNameSortKey",
    "copyfile_regex": r".*\.rst",
}
warnings.filterwarnings("ignore", category=DeprecationWarning, module="sphinx_gallery")

# ----- HTML --------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = f"siren_py {version}"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
html_show_sourcelink = False
html_copy_source = False
html_css_files = ["siren_py.css"]
