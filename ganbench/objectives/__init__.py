"""Objectives, one file each: what the two players minimise, as functions of the discriminator's logits.

The losses are L_D = E_real[real(a)] + E_fake[fake(a)] and L_G = E_fake[generator(a)], with a the logit D(x) of an
example. A member defines a frozen dataclass `Objective` with these three functions and

- `output(logits)`: what the discriminator says of an example, as it is recorded: its probability of being real, or the
  critic's score where the objective has no probability.

Where that is no probability, it says `probability: ClassVar[bool] = False`, and nobody reads it as one.

All four are elementwise functions of the logits alone, and keep shape and precision.
The game takes the expectations, over a batch or by quadrature.
"""
