"""Eigenvalues of matrices, also of matrices known only by products with vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganbench.core.random_streams import stream_seed

Product = Callable[[Tensor], Tensor]
"""The product of a matrix with a vector of every member, (K, P) -> (K, P)."""


def eigenvalues(matrix: Tensor) -> Tensor:
    """Eigenvalues of matrices (K, P, P), complex (K, P); NaN for a matrix that is not finite."""
    exact = matrix.detach().to("cpu", torch.complex128 if matrix.is_complex() else torch.float64)
    values = torch.full(exact.shape[:2], complex(np.nan, np.nan), dtype=torch.complex128)
    sound = exact.isfinite().all(2).all(1)
    if sound.any():
        values[sound] = torch.linalg.eigvals(exact[sound])
    return values.to(matrix.device)


def arnoldi(apply: Product, start: Tensor, count: int) -> Tensor:
    """Ritz values of matrices that are known by products only, in a Krylov space per member (Arnoldi 1951),
    orthogonalised twice. The outer eigenvalues converge first.

    A space that closes early, as it must after P products, contains exact eigenvalues.

    Args:
        apply: v -> M v, (K, P) both.
        start: start vectors, (K, P), not zero.
        count: number of products.

    Returns:
        Complex values, (K, count). Entries beyond the size of a closed space are NaN, and so is the whole row of a
        member whose products are not finite.
    """
    members, width = start.shape
    basis = start.new_zeros(members, count + 1, width)
    basis[:, 0] = start / start.norm(dim=1, keepdim=True)
    hessenberg = start.new_zeros(members, count + 1, count).double()
    for j in range(min(count, width)):
        w = apply(basis[:, j].clone())
        scale = w.norm(dim=1)
        for _ in range(2):  # a single pass loses orthogonality to rounding, which makes spurious copies of eigenvalues
            overlap = torch.einsum("kjp,kp->kj", basis[:, : j + 1], w)
            w = w - torch.einsum("kj,kjp->kp", overlap, basis[:, : j + 1])
            hessenberg[:, : j + 1, j] += overlap.double()
        rest = w.norm(dim=1)
        closed = rest <= 100 * torch.finfo(w.dtype).eps * scale
        hessenberg[:, j + 1, j] = torch.where(closed, 0.0, rest).double()
        basis[:, j + 1] = torch.where(closed[:, None], 0.0, w / torch.where(closed, 1.0, rest)[:, None])
    values = torch.full((members, count), complex(np.nan, np.nan), dtype=torch.complex128)
    for k, h in enumerate(hessenberg.cpu()):
        ends = torch.nonzero(torch.diagonal(h, offset=-1) == 0).flatten()
        order = int(ends[0]) + 1 if len(ends) else min(count, width)
        values[k, :order] = eigenvalues(h[None, :order, :order])[0]
    return values.to(start.device)


def random_signs(name: str, count: int, width: int, like: Tensor) -> Tensor:
    """Fixed vectors of random signs, for Hutchinson's estimates and as start vectors.

    Args:
        name: name of their random stream.
        count: number of vectors.
        width: number of entries of a vector.
        like: a tensor of their device and precision.

    Returns:
        Vectors (count, 1, width), the same at every call.
    """
    generator = torch.Generator().manual_seed(stream_seed(0, f"diagnostic-{name}"))
    signs = torch.randint(0, 2, (count, 1, width), generator=generator) * 2 - 1
    return signs.to(like.device, like.dtype)
