"""Trained networks as plain PyTorch modules: in a notebook, and in a folder that needs no study and no results.

    from ganbench import export
    generator = export.generator("my-study.yaml", "digits-dcgan-n100-lr0.0002-s0")  # nn.Module, in evaluation mode
    folder = export.write("my-study.yaml", "digits-dcgan-n100-lr0.0002-s0", step=2500)
    generator = export.load(folder)  # the same module

Mistakes raise `ganbench.core.errors.GanbenchError`, which names the cause, the value received and what would be valid.
"""

from ganbench.pipeline.network_folder import load, write
from ganbench.pipeline.snapshots import discriminator, generator

__all__ = ["discriminator", "generator", "load", "write"]
