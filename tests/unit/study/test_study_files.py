"""Studies by the paths of their files, and by their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ganbench.core.errors import GanbenchError
from ganbench.study.study_files import find_study


def test_a_study_is_found_by_its_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in {"a": "study: one", "b/c": "study: two", "b/d": "study: two", "e": "no: study", "f": "["}.items():
        path = tmp_path / "config" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert find_study("one") == Path("config/a.yaml")
    assert find_study("config/e.yaml") == Path("config/e.yaml")
    with pytest.raises(GanbenchError, match="unknown study 'config'"):
        find_study("config")
    os.mkfifo("pipe.yaml")  # such as <(...) of a shell
    assert find_study("pipe.yaml") == Path("pipe.yaml")
    with pytest.raises(GanbenchError, match=r"unknown study 'ones'\. Did you mean 'one'\? Valid: one, two\."):
        find_study("ones")
    with pytest.raises(GanbenchError, match=r"'two' is the name in config/b/c\.yaml and config/b/d\.yaml; give"):
        find_study("two")
    with pytest.raises(GanbenchError, match=r"there is no study file .*config/g\.yaml\."):
        find_study("config/g.yaml")
