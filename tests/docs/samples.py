"""Where the real data is that the README imports, if it is here."""

from tests.project.files import ROOT

DATA = ROOT.parent / "shared" / "data"
