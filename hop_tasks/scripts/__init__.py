"""The service `scripts`: which patch files a release has, and running them."""

from hop_tasks.scripts.files import (
    PatchFile,
    ReleaseScripts,
    is_patch_file,
    order_files,
    patch_folders,
    read_folder,
)
from hop_tasks.scripts.leaving_out import has_statements, without_outer_transaction, without_statements
from hop_tasks.scripts.nontransactional import Probe
from hop_tasks.scripts.outcomes import ROLLED_BACK, failing_with
from hop_tasks.scripts.passed_over import passed_over
from hop_tasks.scripts.probes import Outcome, clean_up_failure, look_after, look_before, verify
from hop_tasks.scripts.psql_files import run_psql
from hop_tasks.scripts.runner import (
    CheckedScripts,
    FileRun,
    TransactionRun,
    check_schema,
    check_scripts,
    names_as_in,
    run_statement,
    run_transaction,
)
from hop_tasks.scripts.steps import PsqlStep, StatementStep, Step, TransactionStep, failure_at

__all__ = [
    "ROLLED_BACK",
    "CheckedScripts",
    "FileRun",
    "Outcome",
    "PatchFile",
    "Probe",
    "PsqlStep",
    "ReleaseScripts",
    "StatementStep",
    "Step",
    "TransactionRun",
    "TransactionStep",
    "check_schema",
    "check_scripts",
    "clean_up_failure",
    "failing_with",
    "failure_at",
    "has_statements",
    "is_patch_file",
    "look_after",
    "look_before",
    "names_as_in",
    "order_files",
    "passed_over",
    "patch_folders",
    "read_folder",
    "run_psql",
    "run_statement",
    "run_transaction",
    "verify",
    "without_outer_transaction",
    "without_statements",
]
