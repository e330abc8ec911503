"""Leaves out what runs curl where there is none, and what imports the real data where that is not at hand."""

import shutil

from tests.docs.samples import DATA

collect_ignore = [] if shutil.which("curl") else ["test_api.py", "test_readme.py"]
if not DATA.exists():
    collect_ignore.append("test_readme_samples.py")
