"""Regularizers, one file each: what is added to the discriminator's loss.

A member defines a frozen dataclass `Regularizer` with

- `penalty(discriminator, real, fake) -> Tensor | None`: the penalty of every member, shape (K,); None for none.
  `discriminator` maps examples (K, batch, *shape) to logits (K, batch); members never mix in it, so one gradient of
  the sum of all logits gives every member's own.
"""
