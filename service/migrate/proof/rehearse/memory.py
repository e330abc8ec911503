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
    # Whether it was deleted, and must not be there any more.
    is_gone: bool = False

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
    # Resources that the load itself made, and those of them that it deletes.
    _created: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    _removed: set[str] = field(default_factory=set)
    # The links of each operation and version, with the resources that they connect.
    _linked: dict[tuple[str, str], dict[str, tuple[str, ...]]] = field(default_factory=lambda: defaultdict(dict))
    # A link may have two paths, of which each would overwrite the other: the one that is used.
    _paths_of_links: dict[frozenset[str], str] = field(default_factory=dict)
    # The resources that a request writes, by the path of the request.
    _held: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, holder: str, parameters: dict[str, str], writer: str = "") -> str:
        """Know a resource and return its path; rows that were there before are divided among the versions."""
        path = filled(holder, parameters)
        if path not in self._items[holder]:
            # The database may give an id again.
            self._removed.discard(path)
            if path in self.written and self.written[path].is_gone:
                del self.written[path]
            if writer:
                self._created[holder, writer].append(path)
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
        # What two resources have in common is a link.
        if holder not in api.creates or not (item := self._free(self._writable[holder, version])):
            return ""
        return self._hold(filled(path, self._items[holder][item][0]), item)

    def to_delete(self, version: str, holder: str) -> str:
        """A resource that this version made and that has no link; no request reads it from now on."""
        item = self._free(self._created[holder, version])
        if not item or any(item in items for links in self._linked.values() for items in links.values()):
            return ""
        self._removed.add(item)
        for known in (self._created, self._writable):
            known[holder, version].remove(item)
        del self._items[holder][item]
        return self._hold(item, item)

    def deleted(self, version: str, operation: str, path: str) -> None:
        """The resource must be gone, and with it what is below it."""
        for each in [each for each in self.written if each.startswith(f"{path}/")]:
            del self.written[each]
        if path in self._removed:
            self.written[path] = Written(version=version, operation=operation, is_gone=True)

    def is_removed(self, path: str) -> bool:
        """Whether the resource, or one that it is below, was deleted or is being deleted."""
        parts = path.split("/")
        return any("/".join(parts[:count]) in self._removed for count in range(2, len(parts) + 1))

    def to_link(self, version: str, api: Api, path: str) -> str:
        """The path of a link between two resources that this version may write; give it back after."""
        parameters, items = dict[str, str](), list[str]()
        for found in _PARAMETER.finditer(path):
            holder = api.holder(path[: found.end()])
            item = self._free(self._writable[holder, version])
            if not item:
                return ""
            parameters[found[1]] = list(self._items[holder][item][0].values())[-1]
            items.append(item)
        link = filled(path, parameters)
        if self._paths_of_links.setdefault(frozenset(items), link) != link:
            return ""
        return self._hold(link, *items)

    def linked(self, version: str, path: str, link: str) -> None:
        """The link of `to_link` was made."""
        self._linked[path, version][link] = self._held[link]

    def to_unlink(self, version: str, path: str) -> str:
        """The path of a link that this version made; give it back after."""
        links = self._linked[path, version]
        free = [each for each, items in links.items() if not self._are_held(items)]
        if not free:
            return ""
        link = self.random.choice(free)
        return self._hold(link, *links[link])

    def unlinked(self, version: str, operation: str, path: str, link: str) -> None:
        """The link must be gone."""
        self._linked[path, version].pop(link, None)
        self.written[link] = Written(version=version, operation=operation, is_gone=True)

    def give_back(self, path: str) -> None:
        self._held.pop(path, None)

    def _free(self, items: list[str]) -> str:
        """One that no request writes, if there is one among a few."""
        for _ in range(4 if items else 0):
            if not self._are_held((item := self.random.choice(items),)):
                return item
        return ""

    def _are_held(self, items: tuple[str, ...]) -> bool:
        return any(each in held for held in self._held.values() for each in items)

    def _hold(self, path: str, *items: str) -> str:
        self._held[path] = items
        return path


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
