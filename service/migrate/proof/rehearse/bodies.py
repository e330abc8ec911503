"""Request bodies from JSON schemas, with texts that no other request sends."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from service.migrate.proof.rehearse.openapi import resolve

_DEEPEST = 6
_MOMENT = datetime(2020, 1, 1, tzinfo=UTC)


class Unfit(Exception):
    """No value for a schema is known here."""


@dataclass(kw_only=True)
class Bodies:
    """Makes bodies for the schemas of one document; `fixed` has values for fields by name."""

    document: Any
    random: Random
    fixed: Mapping[str, Any]
    mark: str
    _serial: int = field(default=0, init=False)

    def make(self, schema: Any) -> Any:
        """A value of the schema; optional fields are sent at random.

        Raises:
            Unfit: a required field has a pattern that no known text matches.
        """
        self._serial += 1
        return self._value(schema, "", 0)

    def _value(self, schema: Any, name: str, depth: int) -> Any:
        schema = resolve(self.document, schema)
        if name in self.fixed:
            return self.fixed[name]
        for several in ("anyOf", "oneOf"):
            if options := schema.get(several):
                return self._one_of(options, name, depth)
        if "allOf" in schema:
            return self._object(_merged(self.document, schema), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice([each for each in schema["enum"] if each is not None])
        return self._of_kind(schema, depth)

    def _of_kind(self, schema: Any, depth: int) -> Any:
        kinds = schema.get("type", "object" if "properties" in schema else "string")
        kind = next((each for each in kinds if each != "null"), "null") if isinstance(kinds, list) else kinds
        makers: dict[str, Callable[[], Any]] = {
            "object": partial(self._object, schema, depth),
            "array": partial(self._array, schema, depth),
            "boolean": lambda: self.random.random() < 0.5,
            "integer": partial(self._integer, schema),
            "number": lambda: float(self._integer(schema)),
            "string": partial(self._text, schema),
        }
        return makers[kind]() if kind in makers else None

    def _array(self, schema: Any, depth: int) -> list[Any]:
        if depth >= _DEEPEST:
            return []
        count = max(schema.get("minItems", 0), min(self.random.randrange(3), schema.get("maxItems", 2)))
        # Items are different, for arrays that say uniqueItems.
        return [self._item(schema.get("items", {}), depth) for _ in range(count)]

    def _item(self, schema: Any, depth: int) -> Any:
        self._serial += 1
        return self._value(schema, "", depth + 1)

    def _one_of(self, options: list[Any], name: str, depth: int) -> Any:
        for option in options:
            if resolve(self.document, option).get("type") == "null":
                continue
            try:
                return self._value(option, name, depth)
            except Unfit:
                continue
        return None

    def _object(self, schema: Any, depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        made = {}
        for name, each in schema.get("properties", {}).items():
            if resolve(self.document, each).get("readOnly"):
                continue
            is_required = name in required or name in self.fixed
            # A reference to another resource needs an id that exists: it is sent only if it must be.
            if not is_required and (depth >= _DEEPEST or (name.endswith("_id") and _is_integer(self.document, each))):
                continue
            if is_required or self.random.random() < 0.5:
                try:
                    made[name] = self._value(each, name, depth + 1)
                except Unfit:
                    if is_required:
                        raise
        if not made and schema.get("additionalProperties") is not False and "properties" not in schema:
            made["rehearsal"] = f"{self.mark}{self._serial}"
        return made

    def _integer(self, schema: Any) -> int:
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        most = schema.get("maximum", schema.get("exclusiveMaximum", 10_001) - 1)
        step = int(schema.get("multipleOf", 1)) or 1
        number = self.random.randint(int(least), max(int(least), min(int(most), int(least) + 10_000)))
        return min(-(-number // step) * step, int(most) // step * step)

    def _text(self, schema: Any) -> str:
        number = f"{self.mark}{self._serial}"
        moment = _MOMENT + timedelta(seconds=self._serial)
        formats = {
            "date-time": moment.isoformat().replace("+00:00", "Z"),
            "date": f"{moment + timedelta(days=self._serial % 1000):%Y-%m-%d}",
            "time": f"{moment:%H:%M:%S}",
            "email": f"{number}@example.org",
            "uuid": str(UUID(int=self.random.getrandbits(128), version=4)),
            "uri": f"https://example.org/{number}",
            "duration": f"PT{self._serial % 1000}S",
        }
        known = formats.get(schema.get("format", ""))
        candidates = (
            [known]
            if known
            else [number, f"{number}@example.org", *formats.values(), *map(str, schema.get("examples", ()))]
        )
        for text in candidates:
            if _fits(schema, text):
                return text
            longer = text.ljust(schema.get("minLength", 0), "x")
            if _fits(schema, longer):
                return longer
        raise Unfit(schema.get("pattern", "a text"))


def _fits(schema: Any, text: str) -> bool:
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text)):
        return False
    try:
        return "pattern" not in schema or re.search(schema["pattern"], text) is not None
    except re.error:
        # ECMAScript's own syntax: the service will say whether the text is right.
        return True


def _is_integer(document: Any, schema: Any) -> bool:
    kinds = resolve(document, schema).get("type", ())
    nested = [_is_integer(document, each) for each in resolve(document, schema).get("anyOf", ())]
    return kinds == "integer" or "integer" in kinds or any(nested)


def _merged(document: Any, schema: Any) -> Any:
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    required = list(schema.get("required", ()))
    for each in schema["allOf"]:
        part = resolve(document, each)
        part = _merged(document, part) if "allOf" in part else part
        properties |= part.get("properties", {})
        required += part.get("required", ())
    return {**schema, "properties": properties, "required": required}
