import re

from tests.project.files import ROOT, read


def test_every_test_that_the_page_names_is_there() -> None:
    file, missing, named = "", [], 0
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", read("docs/security.md")):
        # `::test_…` alone is in the file named before it.
        file = path or file
        named += 1
        if f"def {test}(" not in (ROOT / file).read_text():
            missing.append(f"{file}::{test}")
    assert missing == []
    assert named > 30
