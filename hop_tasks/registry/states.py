"""The states that attempts and steps of releases are in, as the registry has them."""

PLANNED = "planned"
RUNNING = "running"
DONE = "done"
FAILED = "failed"
INTERRUPTED = "interrupted"
