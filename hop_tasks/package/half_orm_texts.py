"""What the files of a package for half_orm say."""

from __future__ import annotations

from hop_tasks.package.generators import COMMAND
from hop_tasks.package.seals import BEGIN_KEPT, END_KEPT, GENERATED_MARK, KEPT_MARK, ONCE_MARK

BEGIN = BEGIN_KEPT.decode()
END = END_KEPT.decode()

_DYNAMIC = "  # type: ignore[misc, no-untyped-call, unused-ignore]"
"""No type checker knows a class that is made at run time."""

_QUIET = """\
# fmt: off
# isort: skip_file
# ruff: noqa
"""

PACKAGE = f'''"""{KEPT_MARK}

The classes of the database's relations, in a folder for each schema. half_orm connects by the file of this package's
name in the folder HALFORM_CONF_DIR. Change the database with a patch file and make this again with: {COMMAND}
"""

{_QUIET}
from half_orm.model import Model
from half_orm.sql_adapter import SQL_ADAPTER

from . import sql_adapter

SQL_ADAPTER.update(sql_adapter.SQL_ADAPTER)
MODEL = Model(__name__, scope=__name__)  # type: ignore[arg-type, unused-ignore]

{BEGIN}
'''

SCHEMA = f'''"""{GENERATED_MARK}

Make it again with: {COMMAND}
"""

{_QUIET}
__all__ = %s
'''

RELATION = f'''"""{KEPT_MARK}

Change the database with a patch file and make this module again with: {COMMAND}
What stands between two markers, or below the last one, stays as it is.
"""

{_QUIET}
import typing

{{import_register}}from {{dots}} import MODEL

fields_aliases: dict[str, str] = {{aliases}}


def _reverse(words: str) -> str:
    """half_orm's name of a foreign key of another relation to this one."""
    database = MODEL._dbname.replace('"', "").replace(".", "_").replace(":", "_")
    return f"_reverse_fkey_{{{{database}}}}_{{{{words}}}}"

{BEGIN}

{END}


{{register}}class {{class_name}}(MODEL.get_relation_class({{relation}}, fields_aliases=fields_aliases)):{_DYNAMIC}
    {{docstring}}

    Fkeys: dict[str, typing.Any] = {{{{
{{fkeys}}    }}}}
    {BEGIN}

    {END}
    def __init__(
        self,
{{parameters}}        **kwargs: typing.Any,
    ) -> None:
        given = {{given}}
        super().__init__(**{{{{name: value for name, value in given.items() if value is not None}}}}, **kwargs)
        {BEGIN}
'''

RELATION_TEST = f'''"""{ONCE_MARK}"""

from {{dots}}base_test import BaseTest

from .{{module}} import {{class_name}}


class Test(BaseTest):
    """What the relation has to do."""

    def test_is_a_relation(self) -> None:
        self.assertTrue(issubclass({{class_name}}, self.Relation))
'''

BASE_TEST = f'''"""{ONCE_MARK}

What the tests of all relations have in common.
"""

from unittest import TestCase

from half_orm.relation import Relation


class BaseTest(TestCase):
    """A test that knows what a relation is."""

    Relation = Relation
'''

SQL_ADAPTER = f'''"""{ONCE_MARK}

Python's types for types of the database that half_orm does not know, such as {{{{"citext": str}}}}.
"""

import typing

SQL_ADAPTER: dict[str, typing.Any] = {{{{}}}}
'''.replace("{{", "{").replace("}}", "}")
