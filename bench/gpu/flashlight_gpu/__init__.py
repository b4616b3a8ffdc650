# SPDX-License-Identifier: Apache-2.0
"""Checks, timings and hardware facts of emitted kernels. Needs Python 3.9 only; PyTorch or NumPy where tensors are made."""
