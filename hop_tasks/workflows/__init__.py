"""The verbs as plain functions: no Invoke, no printing, results as frozen dataclasses."""
