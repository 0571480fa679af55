"""Objectives, one file each: what the two players minimise, as functions of the discriminator's logits.

A member defines a frozen dataclass `Objective` with

- `discriminator(real, fake)`: the discriminator's loss from its logits on real and on generated examples;
- `generator(fake)`: the generator's loss from the discriminator's logits on generated examples;
- `output(logits)`: what the discriminator says of an example, as it is recorded: its probability of being real, or the
  critic's score where the objective has no probability.

Logits have shape (..., batch); losses are means over the last axis, so members stay apart.
"""
