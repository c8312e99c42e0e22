"""Fixtures for the tests of the registry."""

from tests.workflows.shelf import shelf

__all__ = ["shelf"]
