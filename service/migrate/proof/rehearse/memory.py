"""The resources that a load knows, and the values of its acknowledged writes."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote
from zlib import crc32

from service.migrate.proof.rehearse.openapi import Api

_PARAMETER = re.compile(r"\{([^{}]+)\}")


@dataclass(kw_only=True)
class Written:
    """What one version last wrote at a path: the values that it was answered, and those before them."""

    version: str
    operation: str
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    etag: str = ""
    is_new: bool = True

    def acknowledge(self, sent: Any, answered: Any, *, replaces: bool) -> None:
        """Expect what was sent, as the answer shows it; a field that the answer leaves out is not expected."""
        told = sent if answered is None else {name: answered[name] for name in sent if name in answered}
        self.before = self.values
        self.values = dict(told) if replaces else {**self.values, **told}
        self.is_new = True

    def doubt(self, sent: Any, *, replaces: bool) -> None:
        """Expect nothing of the fields of a write whose outcome is unknown."""
        self.values = {} if replaces else {name: each for name, each in self.values.items() if name not in sent}


@dataclass(kw_only=True)
class Memory:
    """Resources by the path of their holder, each with the one version that may write it."""

    random: Random
    versions: tuple[str, ...]
    written: dict[str, Written] = field(default_factory=dict)
    # The path of each resource, its parameters and its writer.
    _items: dict[str, dict[str, tuple[dict[str, str], str]]] = field(default_factory=lambda: defaultdict(dict))
    _writable: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    _busy: set[str] = field(default_factory=set)

    def add(self, holder: str, parameters: dict[str, str], writer: str = "") -> str:
        """Know a resource and return its path; rows that were there before are divided among the versions."""
        path = filled(holder, parameters)
        if path not in self._items[holder]:
            writer = writer or self.versions[crc32(path.encode()) % len(self.versions)]
            self._items[holder][path] = (parameters, writer)
            self._writable[holder, writer].append(path)
        return path

    def paths(self) -> list[tuple[str, str]]:
        """The holder and the path of each resource."""
        return [(holder, path) for holder, items in self._items.items() for path in items]

    def to_read(self, api: Api, path: str) -> str:
        """The path with ids of known resources, or an empty text if none is known."""
        parameters: dict[str, str] = {}
        for found in _PARAMETER.finditer(path):
            items = self._items.get(api.holder(path[: found.end()]))
            if not items:
                return ""
            # A resource below another brings the ids of both.
            chosen, _ = self.random.choice(list(items.values()))
            parameters[found[1]] = list(chosen.values())[-1]
            if len(chosen) > 1:
                parameters |= chosen
        return filled(path, parameters)

    def to_write(self, version: str, api: Api, path: str) -> str:
        """As `to_read`, of a resource that this version may write and no other request writes; give it back after."""
        if "{" not in path:
            return ""
        holder = path[: path.rindex("}") + 1]
        # What two resources have in common has two paths, of which each would overwrite the other.
        if holder not in api.creates or not (free := self._writable[holder, version]):
            return ""
        for _ in range(4):
            item = self.random.choice(free)
            found = filled(path, self._items[holder][item][0])
            if found not in self._busy:
                self._busy.add(found)
                return found
        return ""

    def give_back(self, path: str) -> None:
        self._busy.discard(path)


def filled(path: str, parameters: dict[str, str]) -> str:
    """The path with its parameters."""
    return _PARAMETER.sub(lambda found: quote(parameters[found[1]], safe=""), path)


def parameters_of(holder: str, path: str, document: Any) -> dict[str, str] | None:
    """The ids of a new resource, from its Location or from its document; `None` if neither has them."""
    names = _PARAMETER.findall(holder)
    pattern = re.escape(holder)
    for name in names:
        pattern = pattern.replace(re.escape(f"{{{name}}}"), "([^/?#]+)")
    if found := re.search(f"{pattern}$", path):
        return dict(zip(names, found.groups(), strict=True))
    value = id_of(names[-1], document)
    return {names[-1]: value} if value and len(names) == 1 else None


def id_of(name: str, document: Any) -> str:
    """The id in a document, under the parameter's name or as `id`; an empty text if there is none."""
    if not isinstance(document, dict):
        return ""
    value = document.get(name, document.get("id"))
    return str(value) if isinstance(value, (str, int)) else ""
