"""Whether results are the same to the last bit, of tensors and arrays of any layout."""

from __future__ import annotations

import pytest
import torch

from ganbench.contracts.repeatability import fingerprint, identical


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.bfloat16, torch.bool])
def test_the_layout_of_a_tensor_does_not_matter(dtype):
    wide = torch.arange(50).reshape(2, 25).to(dtype)
    for view in (wide[:1, 1], wide[:, 1], wide.T[1:], wide[0, 1], wide[:0]):
        assert identical(view, view.clone(memory_format=torch.contiguous_format)), view.stride()


def test_a_tensor_of_one_entry_may_have_any_stride():
    drawn = torch.arange(25)[None, :]  # the keys of 25 steps of one run
    assert drawn[:, 3].stride() == (25,)
    assert fingerprint(drawn[:, 3]) == fingerprint(torch.tensor([3]))
    assert not identical(drawn[:, 3], drawn[:, 4])
