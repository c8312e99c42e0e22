"""dbmate, a compiled program: files of SQL, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from tests.benchmarks.measuring import Command
from tests.benchmarks.peers import Environment
from tests.benchmarks.server import Server
from tests.benchmarks.subjects.base import Patch, Plain

# It refuses a file without a way down.
TEXT = "-- migrate:up\n{sql}-- migrate:down\n"


@dataclass(frozen=True)
class Dbmate(Plain):
    """`dbmate migrate`, without the dump of the schema."""

    server: Server
    environment: Environment
    name: str = "dbmate"

    def prepare(self, folder: Path, patches: Sequence[Patch]) -> None:
        migrations = folder / "migrations"
        migrations.mkdir(parents=True)
        for patch in patches:
            (migrations / f"{patch.digits}_release.sql").write_text(TEXT.format(sql=patch.sql), "utf-8")

    def upgrade(self, folder: Path, database: str, *, done: int) -> Command:
        words = (self.environment.program("dbmate"), "--no-dump-schema", "--migrations-dir", "migrations", "migrate")
        variables = {**self.server.variables(database), "DATABASE_URL": self._url(database)}
        return Command(words, folder, variables)

    def _url(self, database: str) -> str:
        # It takes neither host nor port from libpq's variables.
        keywords = dict(self.server.keywords)
        account = quote(keywords.pop("user", ""), safe="")
        if password := keywords.pop("password", ""):
            account += f":{quote(password, safe='')}"
        host, port = keywords.pop("host", "localhost"), keywords.pop("port", "5432")
        keywords.setdefault("sslmode", "disable")
        if host.startswith("/"):
            keywords["socket"] = host
            host = ""
        return f"postgres://{account}@{host}:{port}/{database}?{urlencode(keywords)}"
