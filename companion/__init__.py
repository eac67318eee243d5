"""Logits as log-densities: gradients, Hessian traces, losses and metrics for any classifier in PyTorch."""
