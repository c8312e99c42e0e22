"""What hop costs, beside bare psql and other tools: `python -m tests.benchmarks`, or `nox -s bench`."""
