"""Formats of files with weights: how an array is written in each, and read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

NAME = "weight"  # of the array in a file


@dataclass(frozen=True)
class FileFormat:
    """A format of files.

    Attributes:
        title: its name in words.
        write: writes an array into a new file.
        read: reads the array of a file, all of it into memory; raises any exception for a file that is damaged.
    """

    title: str
    write: Callable[[Path, np.ndarray], Any]
    read: Callable[[Path], np.ndarray]


def _write_npy(path: Path, values: np.ndarray) -> None:
    with path.open("wb") as file:  # NumPy would append its own suffix to a path
        np.save(file, values)


def _write_npz(path: Path, values: np.ndarray) -> None:
    with path.open("wb") as file:
        np.savez(file, **{NAME: values})


def _read_npz(path: Path) -> np.ndarray:
    with path.open("rb") as file, np.load(file) as arrays:  # NumPy leaves a damaged file open that it opened itself
        return arrays[NAME]


def _write_hdf5(path: Path, values: np.ndarray, **filters: Any) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset(NAME, data=values, **filters)


def _read_hdf5(path: Path) -> np.ndarray:
    import h5py

    with h5py.File(path, "r") as file:
        return file[NAME][...]


def _write_result(path: Path, values: np.ndarray) -> None:
    from ganbench.core import result_files

    with result_files.create_file(path, "weights") as file:
        result_files.write_tree(file, {NAME: values})


def _read_result(path: Path) -> np.ndarray:
    from ganbench.core import result_files

    with result_files.open_file(path, "weights") as file:
        return result_files.read_tree(file)[NAME]


def _write_pt(path: Path, values: np.ndarray) -> None:
    torch.save(torch.from_numpy(values), path)


def _read_pt(path: Path) -> np.ndarray:
    return torch.load(path, weights_only=True).numpy()


def _write_safetensors(path: Path, values: np.ndarray) -> None:
    from safetensors.numpy import save_file

    save_file({NAME: values}, path)


def _read_safetensors(path: Path) -> np.ndarray:
    from safetensors.numpy import load_file

    return load_file(path)[NAME]


FORMATS = {
    "npy": FileFormat("npy", _write_npy, np.load),
    "npz": FileFormat("npz", _write_npz, _read_npz),
    "pt": FileFormat("pt", _write_pt, _read_pt),
    "safetensors": FileFormat("safetensors", _write_safetensors, _read_safetensors),
    "hdf5": FileFormat("HDF5", _write_hdf5, _read_hdf5),
    "hdf5_gzip": FileFormat("HDF5 with gzip", partial(_write_hdf5, compression="gzip"), _read_hdf5),
    "hdf5_fletcher32": FileFormat("HDF5 with Fletcher-32", partial(_write_hdf5, fletcher32=True), _read_hdf5),
    "result": FileFormat("result file", _write_result, _read_result),
}
"""By name. Filters of HDF5 are those of h5py at its defaults; a result file is `ganbench.core.result_files`, HDF5 with
CRC-32 of every block of rows."""
