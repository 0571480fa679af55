"""ganbench: reproducible studies of how stably GANs train, and of how they fail."""

__version__ = "0.1.0"
