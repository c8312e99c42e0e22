"""The service `repository`: Git, as far as releases need it."""

from hop_tasks.repository.git_folder import GitFolder
from hop_tasks.repository.objects import ObjectReader, object_reader
from hop_tasks.repository.origin import Origin, branch_refspec, deployment_refspec, require_same_tags
from hop_tasks.repository.refs import Refs
from hop_tasks.repository.repository import Head, Repository, head_ref, tag_ref

__all__ = [
    "GitFolder",
    "Head",
    "ObjectReader",
    "Origin",
    "Refs",
    "Repository",
    "branch_refspec",
    "deployment_refspec",
    "head_ref",
    "object_reader",
    "require_same_tags",
    "tag_ref",
]
