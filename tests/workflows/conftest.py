"""Fixtures for the tests of the workflows."""

from tests.workflows.shelf import shelf

__all__ = ["shelf"]
