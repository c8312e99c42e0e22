"""The service `snapshots`: databases that hop makes beside a development database, recognised by a mark.

A database is made under a name with a random part and gets its own name only when it is whole and marked, so that a
kill at any moment leaves nothing that could be taken for a good one. Every function takes a connection in autocommit
to the maintenance database; the caller holds the lock.
"""

from hop_tasks.snapshots.discarding import discard_database, drop_discarded, find_discarded, marked_as
from hop_tasks.snapshots.dump_folders import (
    Dump,
    clear_half_done,
    dumps_place,
    find_dumps,
    is_whole,
    remove_dumps,
    set_aside,
)
from hop_tasks.snapshots.dumps import has_large_objects, hold_tables, load_dump, write_dump
from hop_tasks.snapshots.kinds import (
    AT,
    BEFORE_APPLY,
    BEGUN,
    COMMIT,
    DISCARDED,
    REPLACED,
    SNAPSHOT,
    SPARE,
    UNDECIDED,
    WORK,
    way_out,
)
from hop_tasks.snapshots.replaced import (
    find_kept,
    find_undecided,
    is_kept,
    keep_before_apply,
    put_in_place,
    replace_database,
)
from hop_tasks.snapshots.spares import (
    drop_spares,
    end_maker,
    find_spares,
    fits,
    make_spare,
    maker_of,
    making_application,
    making_key,
    making_spares,
    take_spare,
)
from hop_tasks.snapshots.surroundings import Surroundings, look_around
from hop_tasks.snapshots.working import (
    clone_for_work,
    create_for_work,
    find_snapshots,
    keep_as_snapshot,
    remove_leftovers,
)

__all__ = [
    "AT",
    "BEFORE_APPLY",
    "BEGUN",
    "COMMIT",
    "DISCARDED",
    "REPLACED",
    "SNAPSHOT",
    "SPARE",
    "UNDECIDED",
    "WORK",
    "Dump",
    "Surroundings",
    "clear_half_done",
    "clone_for_work",
    "create_for_work",
    "discard_database",
    "drop_discarded",
    "drop_spares",
    "dumps_place",
    "end_maker",
    "find_discarded",
    "find_dumps",
    "find_kept",
    "find_snapshots",
    "find_spares",
    "find_undecided",
    "fits",
    "has_large_objects",
    "hold_tables",
    "is_kept",
    "is_whole",
    "keep_as_snapshot",
    "keep_before_apply",
    "load_dump",
    "look_around",
    "make_spare",
    "maker_of",
    "making_application",
    "making_key",
    "making_spares",
    "marked_as",
    "put_in_place",
    "remove_dumps",
    "remove_leftovers",
    "replace_database",
    "set_aside",
    "take_spare",
    "way_out",
    "write_dump",
]
