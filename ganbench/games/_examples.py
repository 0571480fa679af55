"""Training examples of a game: where they are held, and how a batch of them is read."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ganbench.core.pixels import HALF, MEAN, STD, is_default

SHARE = 0.25  # of a GPU's memory that examples may take


class TrainingExamples:
    """All training examples of a data set, numbers or bytes, which become numbers once a batch is chosen.

    A tensor lies on the device of the game, and a batch is a choice of indices there. An array lies in main memory or
    in a file, and the batches of a chunk of steps are read from it together, before the first of these steps.

    Args:
        stored: (n, *shape), a tensor on `device` or an array; float or uint8.
        device: device of the game.
        dtype: precision of the numbers.
        mean, std: of the data set, by which networks see its numbers.
    """

    def __init__(
        self,
        stored: Tensor | np.ndarray,
        device: torch.device,
        dtype: torch.dtype,
        mean: float = MEAN,
        std: float = STD,
    ) -> None:
        self._stored, self.device, self.dtype = stored, device, dtype
        # A tensor, since a GPU divides by a Python number by multiplying with its reciprocal, which rounds otherwise.
        self._half = torch.tensor(HALF, device=device)
        self.mean, self.std = mean, std
        self._scale = torch.tensor((2 * HALF, mean, std), device=device)

    @classmethod
    def placed(
        cls,
        examples: np.ndarray,
        device: torch.device,
        dtype: torch.dtype,
        mean: float = MEAN,
        std: float = STD,
    ) -> TrainingExamples:
        """Examples on the device; examples of a file, and those too many for a GPU, stay where they are.

        Args:
            examples: (n, *shape), float32 or uint8; of a file as `numpy.memmap`.
            device, dtype, mean, std: as of the class.
        """
        total = torch.cuda.get_device_properties(device).total_memory if device.type == "cuda" else math.inf
        if isinstance(examples, np.memmap) or examples.nbytes > SHARE * total:
            return cls(examples, device, dtype, mean, std)
        on_device = torch.from_numpy(examples).to(device)
        held = on_device.to(dtype) if on_device.is_floating_point() else on_device
        return cls(held, device, dtype, mean, std)

    def __len__(self) -> int:
        return len(self._stored)

    def choose(self, order: Tensor) -> dict[str, Tensor]:
        """What a batch says of its real examples: their indices, or themselves as they are stored.

        Args:
            order: indices of the examples of a chunk of batches, (count, batch), on the CPU.

        Returns:
            Tensors (count, batch, ...) on the CPU, by name.
        """
        if isinstance(self._stored, Tensor):
            return {"order": order}
        rows, places = np.unique(order.numpy(), return_inverse=True)  # a file is read from its beginning to its end
        chosen = np.asarray(self._stored[rows])[places.reshape(order.shape)]
        return {"stored": torch.from_numpy(chosen)}

    def read(self, batch: dict[str, Tensor]) -> Tensor:
        """The real examples of a batch as numbers.

        Args:
            batch: what `choose` returned, (K, batch, ...), on the device.

        Returns:
            Examples, (K, batch, *shape).
        """
        chosen = self._stored[batch["order"]] if "order" in batch else batch["stored"]
        if is_default(self.mean, self.std):
            numbers = chosen if chosen.is_floating_point() else chosen.float().div_(self._half).sub_(1)
            return numbers.to(self.dtype)
        white, mean, std = self._scale
        # In single precision wherever the examples are held, so that their numbers are the same in any memory.
        shares = (chosen.float() + 1) / 2 if chosen.is_floating_point() else chosen.float() / white
        return shares.sub_(mean).div_(std).to(self.dtype)

    def double(self) -> TrainingExamples:
        """The same examples in double precision."""
        stored = self._stored
        if isinstance(stored, Tensor) and stored.is_floating_point():
            stored = stored.double()
        return TrainingExamples(stored, self.device, torch.float64, self.mean, self.std)
