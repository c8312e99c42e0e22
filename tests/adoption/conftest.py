"""Fixtures for the tests of adoption."""

from tests.adoption.tools import install

__all__ = ["install"]
