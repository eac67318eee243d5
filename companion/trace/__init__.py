"""The trace of the input Hessian, exactly or estimated, sample by sample.

Each function here takes f, a function (B, ...) -> (B,) whose b-th value depends on the b-th row alone;
`logit` makes one from a classifier. f is bound to the rows of x: it is only ever called with x-shaped
batches, with the same rows in the same order, so that a (B,) target keeps its meaning.

| estimator | one sample costs | needs |
|---|---|---|
| `exact` | D Hessian-vector products | forward-mode differentiation |
| `hutchinson` | a Hessian-vector product: two backward passes | a double backward |
| `taylor` | a forward pass (eq. 8); `central` two | digits: float32 without TF32 or autocast |
"""

from companion.trace.exact import exact
from companion.trace.hutchinson import hutchinson
from companion.trace.logit import logit
from companion.trace.precision import full_precision
from companion.trace.summarise import TraceSummary, summarise
from companion.trace.taylor import taylor
from companion.trace.unbiased_square import unbiased_square

__all__ = [
    "TraceSummary",
    "exact",
    "full_precision",
    "hutchinson",
    "logit",
    "summarise",
    "taylor",
    "unbiased_square",
]
