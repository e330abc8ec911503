"""JUnit XML, which most CI systems show as tests: a test case for each revision."""

import re
import xml.etree.ElementTree as ET

from service.migrate.proof.lint.formats.sentences import summary
from service.migrate.proof.lint.lint import Result

# Characters that XML 1.0 does not allow, even escaped.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def written(result: Result) -> str:
    """A suite with a case for each revision; each finding is a failure of its case."""
    failed = {each.revision for each in result.findings}
    figures = {"tests": str(len(result.revisions)), "failures": str(len(failed)), "errors": "0", "skipped": "0"}
    root = ET.Element("testsuites", figures)
    suite = ET.SubElement(root, "testsuite", {"name": "lint", **figures})
    for revision in result.revisions:
        case = ET.SubElement(
            suite, "testcase", {"name": _text(revision.id), "classname": "lint", "file": _text(revision.file)}
        )
        own = [each for each in result.findings if each.revision == revision.id]
        if not own:
            continue
        # The schemas of most readers allow one failure in a case.
        failure = ET.SubElement(case, "failure", {"message": _text(own[0].what), "type": own[0].rule})
        failure.text = _text(
            "\n".join(f"{each.file}:{each.line}: {each.level}[{each.rule}]: {summary(each)}" for each in own)
        )
    ET.indent(root)
    return str(ET.tostring(root, encoding="unicode", xml_declaration=True))


def _text(value: str) -> str:
    return _ILLEGAL.sub("\ufffd", value)
