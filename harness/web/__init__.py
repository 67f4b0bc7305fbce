"""Make HTML pages: a submission's report, and what other pages are made of.

`templates` and `page` make pages, `charts`, `scales` and `svg` the pictures in them.
"""

from harness.web.pages import page, templates
from harness.web.reports import report_page

__all__ = ["page", "report_page", "templates"]
