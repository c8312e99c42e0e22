"""The service `scripts`: which patch files a release has, and running them."""

from hop_tasks.scripts.files import (
    PatchFile,
    ReleaseScripts,
    is_patch_file,
    order_files,
    patch_folders,
    read_folder,
)
from hop_tasks.scripts.leaving_out import without_statements
from hop_tasks.scripts.runner import CheckedScripts, FileRun, check_scripts, run_scripts

__all__ = [
    "CheckedScripts",
    "FileRun",
    "PatchFile",
    "ReleaseScripts",
    "check_scripts",
    "is_patch_file",
    "order_files",
    "patch_folders",
    "read_folder",
    "run_scripts",
    "without_statements",
]
