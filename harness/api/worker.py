"""Help code that runs beside student code: weights formats, and the functions that `Student.ask` sends there.

What such code returns is a claim, for a student's code ran in the same process; nothing may be judged there.
"""

from harness.submission.archives import zip_directory_bytes
from harness.submission.shards import shards_of
from harness.worker.checkpoints import load_checkpoint, load_pickle
from harness.worker.cpu_only import cpu_only
from harness.worker.failures import describe
from harness.worker.pickles import head_and_tail, unpickle_arrays

__all__ = [
    "cpu_only",
    "describe",
    "head_and_tail",
    "load_checkpoint",
    "load_pickle",
    "shards_of",
    "unpickle_arrays",
    "zip_directory_bytes",
]
