"""Settings of the documentation's site, which ``make docs`` builds. Nothing in it is fetched from elsewhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent
sys.path.insert(0, str(CHECKOUT))
# Airflow, which the docstrings are imported with, makes files in its home
os.environ.setdefault("AIRFLOW_HOME", str(CHECKOUT / ".airflow"))

from ds_provider import __version__  # noqa: E402

project = "airflow-provider-demarches-simplifiees"
author = "The authors of airflow-provider-demarches-simplifiees"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "scripts.docs.extension", "scripts.docs.languages"]
exclude_patterns = ["_static"]

myst_enable_extensions = ["colon_fence", "deflist"]
# links such as page.md#a-heading
myst_heading_anchors = 4

autodoc_typehints = "none"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
nitpicky = True
# Airflow's classes are documented elsewhere, and those of the engine below the hooks nowhere: they are no interface
nitpick_ignore_regex = [("py:.*", r"(airflow|ds_provider\.api)(\..*)?")]

html_theme = "furo"
html_title = "Démarches simplifiées for Airflow"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#000091", "color-brand-content": "#000091"},
    "dark_css_variables": {"color-brand-primary": "#8585f6", "color-brand-content": "#8585f6"},
    "footer_icons": [],
}
pygments_style = "friendly"
pygments_dark_style = "monokai"
