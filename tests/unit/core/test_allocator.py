"""What a process frees stays with it."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

from ganbench.core.allocator import keep_freed_memory

# Prints the pages that a process had to ask for while it made and dropped a block of 8 MiB twenty times over.
FAULTS = """
import ctypes, resource, sys
from ganbench.core.allocator import keep_freed_memory
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: all pages have one size
if sys.argv[1] == "kept":
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    block = bytearray(8 << 20)
    block[::4096] = bytes(len(block[::4096]))
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_used_again():
    once = (8 << 20) // resource.getpagesize()
    assert faults("kept") < 1.5 * once < faults("given back")


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert keep_freed_memory() is False
