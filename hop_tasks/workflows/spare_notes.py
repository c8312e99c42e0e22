"""Why there is no spare: noted by the process in the background, told by the next command, once."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hop_tasks.project import STATE_FOLDER, make_state_folder

NOTE = "no-spare.json"


@dataclass(frozen=True)
class SpareNote:
    """The note of the project in the folder `root`; where its file cannot be written there is none."""

    root: Path

    @property
    def _path(self) -> Path:
        return self.root / STATE_FOLDER / NOTE

    def read(self) -> str | None:
        """Why there is no spare; None if nothing speaks against one."""
        return self._read()[0]

    def tell(self) -> str | None:
        """The same, but None if it was told before."""
        reason, told = self._read()
        if reason is None or told:
            return None
        self._write(reason, told=True)
        return reason

    def write(self, reason: str) -> None:
        """Note why there is no spare; the same kind of reason again, with other numbers in it, is not told again."""
        before, told = self._read()
        self._write(reason, told=told and before is not None)

    def clear(self) -> None:
        """Nothing speaks against a spare any more."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> tuple[str | None, bool]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(self._path.read_text("utf-8"))
            return str(data["reason"]), bool(data["told"])
        return None, False

    def _write(self, reason: str, *, told: bool) -> None:
        with suppress(OSError):
            make_state_folder(self.root)
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps({"reason": reason, "told": told}), "utf-8")
            new.replace(self._path)
