"""The service `repository`: Git, as far as releases need it."""

from hop_tasks.repository.adoption import adopted_release
from hop_tasks.repository.git_folder import GitFolder
from hop_tasks.repository.objects import ObjectReader, object_reader
from hop_tasks.repository.origin import Origin, branch_refspec, deployment_refspec, require_same_tags
from hop_tasks.repository.refs import Refs
from hop_tasks.repository.repository import Repository, head_ref, tag_ref
from hop_tasks.repository.survey import Survey, surveying
from hop_tasks.repository.walking import CommitFolders, read_blobs, read_folders
from hop_tasks.repository.work_tree import Head, WorkTree

__all__ = [
    "CommitFolders",
    "GitFolder",
    "Head",
    "ObjectReader",
    "Origin",
    "Refs",
    "Repository",
    "Survey",
    "WorkTree",
    "adopted_release",
    "branch_refspec",
    "deployment_refspec",
    "head_ref",
    "object_reader",
    "read_blobs",
    "read_folders",
    "require_same_tags",
    "surveying",
    "tag_ref",
]
