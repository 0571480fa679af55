"""Architectures, one file each: pairs of networks.

A member defines a frozen dataclass `Architecture` whose fields are its options, with

- `latent_size`: the generator's input is a batch of that many standard normal numbers, (batch, latent_size);
- `supports(data: DataSpec) -> str | None`: None, or why it cannot do such examples and what it could;
- `generator(data: DataSpec) -> nn.Module`: (batch, latent_size) to (batch, *data.shape);
- `discriminator(data: DataSpec) -> nn.Module`: (batch, *data.shape) to logits of shape (batch,).

The modules are ordinary ones, for one run. They may normalise by the statistics of the batch, but keep no state from
one call to the next (`BatchNorm2d(..., track_running_stats=False)`) and draw no random numbers (no dropout): a run
draws all of its numbers from its own streams.
"""
