"""What can go wrong with a benchmark."""


class BenchmarkError(Exception):
    """Something cannot be measured."""


class WorkerError(BenchmarkError):
    """A worker raised an error, ended, or did not answer in time.

    Args:
        reason: on one line, for a table.
        details: what else there is to know, such as a trace.
    """

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(f"{reason}\n{details}" if details else reason)
        self.reason = reason
