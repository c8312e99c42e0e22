"""The service `repository`: Git, as far as releases need it."""

from hop_tasks.repository.objects import ObjectReader, object_reader
from hop_tasks.repository.origin import Origin, branch_refspec, deployment_refspec, require_same_tags
from hop_tasks.repository.refs import Refs
from hop_tasks.repository.repository import Head, Repository, head_ref, tag_ref
from hop_tasks.repository.walking import CommitFolders, read_blobs, read_folders

__all__ = [
    "CommitFolders",
    "Head",
    "ObjectReader",
    "Origin",
    "Refs",
    "Repository",
    "branch_refspec",
    "deployment_refspec",
    "head_ref",
    "object_reader",
    "read_blobs",
    "read_folders",
    "require_same_tags",
    "tag_ref",
]
