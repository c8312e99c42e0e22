"""The corpus of the tests of the package, on the first server alone."""

from tests.package.conftest import awkward_database, nasty_database, nasty_texts, server

__all__ = ["awkward_database", "nasty_database", "nasty_texts", "server"]
