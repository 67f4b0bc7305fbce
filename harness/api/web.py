"""Make pages without scripts of anyone else's, for a whole class on every CPU.

A student's report is ready as `report_page`; `templates` and `page` make others in the same style and under the same
security policy.
"""

from harness.parallel import mapped
from harness.web import page, report_page, templates

__all__ = [
    "mapped",
    "page",
    "report_page",
    "templates",
]
