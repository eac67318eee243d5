r"""Who can be fooled, and the cure: which maps move when a function is added to every logit.

Adding one function :math:`g(x)` to all logits changes no probability (section 2). `audit` adds some, and
measures which attributions, of which outputs, notice. `centred` and `shift_invariant` make classifiers with
the same probabilities whose outputs no such function reaches.
"""

from companion.audit.cures import CentredLogits, LogProbabilities, centred, shift_invariant
from companion.audit.findings import MOVED, Findings, Movement, Unchanged
from companion.audit.measure import audit
from companion.audit.outputs import OUTPUTS, Explained
from companion.audit.report import Report
from companion.audit.shifts import painter
from companion.audit.split import LogitParts, split_gradient, split_logits

__all__ = [
    "MOVED",
    "OUTPUTS",
    "CentredLogits",
    "Explained",
    "Findings",
    "LogProbabilities",
    "LogitParts",
    "Movement",
    "Report",
    "Unchanged",
    "audit",
    "centred",
    "painter",
    "shift_invariant",
    "split_gradient",
    "split_logits",
]
