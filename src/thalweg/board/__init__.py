"""TensorBoard: what a folder of logs holds, and summaries for some of its pages.

from thalweg import board

writer.add_summary(board.hparams({"rate": 0.1, "optimizer": "adam"}))
board.pr_curve("cats", labels, predictions)      # an operation, as those of tf.summary are
writer.add_summary(board.costs(tf.profile(loss)))
print(board.logs("logs"))
"""

from thalweg.board.costs import costs
from thalweg.board.hparams import hparams, hparams_end
from thalweg.board.logs import Logs, Run, logs
from thalweg.board.pr_curve import pr_curve
from thalweg.graph import calls as _calls

__all__ = ["Logs", "Run", "costs", "hparams", "hparams_end", "logs", "pr_curve"]

_calls.explain_errors(globals(), ["costs", "hparams", "hparams_end", "pr_curve"])
