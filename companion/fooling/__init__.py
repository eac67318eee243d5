r"""Classifiers with the same predictions and other gradients (section 2 and appendix A).

Adding one function :math:`g(x)` to every logit leaves softmax, loss and loss-gradient as they are and adds
:math:`\nabla_x g(x)` to every logit-gradient: each can be made any picture. The functions `linear_shift`,
`sine_shift`, `mean_logit_shift` and `learned_shift` make such a g.

The loss-gradient is fooled by a ripple (appendix A.1). With :math:`g(x) = \epsilon \sin(m \sum_d x_d)` and
:math:`\epsilon, m > 0` the appendix sets :math:`\tilde\ell_i = \ell_i + g` for every class i; then
:math:`|\tilde\ell_i - \ell_i| \le \epsilon` and :math:`|\nabla_x \tilde\ell_i - \nabla_x \ell_i|_1 \le m
\epsilon D`. No softmax classifier has such losses, since its probabilities :math:`e^{-\tilde\ell_i}` would
sum to :math:`e^{-g} \ne 1`. One that has nearly the same adds g to one class's logit only: `ripple_logit`.
"""

from companion.fooling.ripple import (
    ripple_gradient_bound,
    ripple_logit,
    ripple_logit_gradient_bound,
    ripple_loss,
    ripple_loss_bound,
)
from companion.fooling.shifts import (
    Shift,
    ShiftedLogits,
    learned_shift,
    linear_shift,
    mean_logit_shift,
    shift_logits,
    sine_shift,
)

__all__ = [
    "Shift",
    "ShiftedLogits",
    "learned_shift",
    "linear_shift",
    "mean_logit_shift",
    "ripple_gradient_bound",
    "ripple_logit",
    "ripple_logit_gradient_bound",
    "ripple_loss",
    "ripple_loss_bound",
    "shift_logits",
    "sine_shift",
]
