"""Leaves out what needs a browser where there is none."""

from tests.http.browser import CHROMIUM

collect_ignore = [] if CHROMIUM else ["test_docs_in_chromium.py"]
