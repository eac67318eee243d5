"""The paper's three penalties on the implicit density, and adversarial training; one value a sample.

Add the mean of a penalty to the cross-entropy. A penalty perturbs x, and in training mode a batch norm has to
choose the statistics that normalise x+v (`batch_norm=`):

- `"joint"`: x and all its perturbed copies are one batch with common statistics.
- `"of_x"`: the statistics of x, through which gradients flow, normalise the perturbed copies too.
- `"separate"`: each perturbed batch has its own, as in the authors' code.

The running statistics are updated once, from x, whichever is chosen; in evaluation mode all three coincide.
In `"joint"` the returned logits of x are those normalised by the common statistics.

Warning:
    The paper's literal constants (the defaults) can stop a network from learning: eq. 4 with lambda = 1e-3
    and mu = 1e-4 left a small ResNet-9 on MNIST near chance in a first trial. `presets.PRESETS` has settings
    that were validated.
"""

from companion.losses.adversarial_training import AdversarialTraining
from companion.losses.anti_score_matching import AntiScoreMatching
from companion.losses.base import BATCH_NORMS, CLAMPS, NORMS, SQUARES, Penalty, Terms
from companion.losses.gradient_norm import GradientNorm
from companion.losses.score_matching import ScoreMatching

__all__ = [
    "BATCH_NORMS",
    "CLAMPS",
    "NORMS",
    "SQUARES",
    "AdversarialTraining",
    "AntiScoreMatching",
    "GradientNorm",
    "Penalty",
    "ScoreMatching",
    "Terms",
]
