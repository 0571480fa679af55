"""Architectures, one file each: pairs of networks.

A member defines a frozen dataclass `Architecture` whose fields are its options, with

- `latent_size`: the generator's input is a batch of that many standard normal numbers, (batch, latent_size);
- `supports(data: DataSpec) -> str | None`: None, or why it cannot do such examples and what it could;
- `generator(data: DataSpec) -> nn.Module`: (batch, latent_size) to (batch, *data.shape);
- `discriminator(data: DataSpec) -> nn.Module`: (batch, *data.shape) to logits of shape (batch,).

The modules are ordinary ones, for one run; `ganbench check` tries what is said here. They may normalise by the
statistics of the batch, but are functions of their inputs: they keep no state from one call to the next, in buffers
(`BatchNorm2d(..., track_running_stats=False)`), attributes or global values, and draw no random numbers (no dropout).
A run draws all of its numbers from its own streams; initial parameters come from PyTorch's global one, which is seeded
for them. Every parameter is float32, asks for a gradient and gets one. Outputs have the inputs' precision, float32 or
float64. So that members can be computed together, nothing branches on values: no `.item()`, `torch.where` for `if`.
"""
