"""Skips the pages that run curl where curl is missing."""

import shutil

collect_ignore = [] if shutil.which("curl") else ["test_api.py", "test_readme.py"]
