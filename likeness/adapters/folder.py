"""Folders of adapter files: when they change, and loading each file once per process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from .. import host
from ..weights.catalogue import catalogue
from ..weights.chosen import find_chosen
from ..weights.find import MissingModel, explain_missing
from ..weights.read import read_weights

#: What is loaded: a dataclass with a `file`, which identifies what it came from, such as an Adapter.
T = TypeVar("T")


class AdapterFolder(Generic[T]):
    """Files of the host's model folders; a name in several is the first's.

    published: the catalogue's key of the file that there ought to be. parse: (a file's content, its metadata,
    its name) to what is loaded; raises ValueError for another file.
    """

    def __init__(
        self,
        folders: tuple[str, ...],
        published: str,
        parse: Callable[[Mapping[str, Any], Mapping[str, str], str], T],
    ) -> None:
        self.folders, self.published, self.parse = folders, published, parse
        #: By path, size and time of change: shared while any workflow holds them.
        self._loaded: WeakValueDictionary[str, T] = WeakValueDictionary()

    def fingerprint(self, file: str | None) -> str:
        """Changes when the file does, so that the host runs the loader again."""
        return host.files.fingerprint(self._folder_of(file), file)

    def load(self, file: str) -> T:
        """What is in this file, of the folders. Raises MissingModel, or ValueError for another file."""
        path, key = self._find(file), self.fingerprint(file)
        found = self._loaded.get(key)
        if found is None:
            parsed: Any = self.parse(*read_weights(path), os.path.basename(path))
            found = self._loaded[key] = replace(parsed, file=key)
        return found

    def _find(self, file: str) -> str:
        if len(self.folders) == 1:
            return find_chosen(self.folders[0], file, self.published)
        path = host.files.find_model(self._folder_of(file), file)
        if path is None:
            places = [Path(place) for name in self.folders for place in host.files.model_folders(name)]
            raise MissingModel(f"{file} is not there. {explain_missing(catalogue()[self.published], places)}")
        return path

    def _folder_of(self, file: str | None) -> str:
        there = (folder for folder in self.folders if file and host.files.find_model(folder, file))
        return next(there, self.folders[0])
