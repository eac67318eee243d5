"""One thread for PyTorch: the tests' tensors are small, and beside a browser a second thread only waits."""

import torch

torch.set_num_threads(1)
