"""Statements as drivers take them: spelled once by SQLAlchemy, then sent past it.

What SQLAlchemy does anew at each execution takes several times as long as the database's own work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import sqlalchemy as sa
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["Statement"]

_NOTHING: dict[str, Any] = {}


class Statement:
    """A statement of one kind of database, with what its values and its rows have to go through."""

    def __init__(self, statement: sa.Select[Any] | sa.UpdateBase, dialect: sa.Dialect) -> None:
        """Spell a statement for a dialect, whose parameters have to be positional."""
        compiled: Any = statement.compile(dialect=dialect)
        self.text: str = compiled.string
        self._parameters: list[tuple[str, Callable[[Any], Any] | None]] = []
        self._constants: dict[str, Any] = {}
        for name in compiled.positiontup:
            bind = compiled.binds[name]
            self._parameters.append((name, bind.type.dialect_impl(dialect).bind_processor(dialect)))
            if not bind.required:
                self._constants[name] = bind.value
        self._dialect = dialect
        columns = list(statement.exported_columns)
        self._names = [str(column.key) for column in columns]
        self._types = [column.type.dialect_impl(dialect) for column in columns]
        self._converters: list[tuple[int, Callable[[Any], Any]]] | None = None

    def execute(self, cursor: DBAPICursor, values: Mapping[str, Any] = _NOTHING) -> int:
        """Send it; return how many rows it wrote."""
        cursor.execute(self.text, self._bound(values))
        return cursor.rowcount

    def execute_all(self, cursor: DBAPICursor, rows: Iterable[Mapping[str, Any]]) -> None:
        """Send it once with each row of values."""
        cursor.executemany(self.text, [self._bound(values) for values in rows])

    def fetch(self, cursor: DBAPICursor, values: Mapping[str, Any] = _NOTHING) -> list[Sequence[Any]]:
        """Send it; return the rows that it finds."""
        cursor.execute(self.text, self._bound(values))
        if self._converters is None:
            self._converters = self._converters_of(cursor)
        rows = cursor.fetchall()
        return [self._converted(row) for row in rows] if self._converters else list(rows)

    def fetch_named(self, cursor: DBAPICursor, values: Mapping[str, Any] = _NOTHING) -> list[dict[str, Any]]:
        """Send it; return the rows that it finds, each by the names of the columns."""
        return [dict(zip(self._names, row, strict=True)) for row in self.fetch(cursor, values)]

    def _bound(self, values: Mapping[str, Any]) -> list[Any]:
        if self._constants:
            values = {**self._constants, **values}
        return [
            values[name] if convert is None else convert(values[name]) for name, convert in self._parameters
        ]

    def _converters_of(self, cursor: DBAPICursor) -> list[tuple[int, Callable[[Any], Any]]]:
        """Return what has to be done to which columns; some drivers say only now what they give."""
        given = [column[1] for column in cursor.description or ()]
        converters = [
            type_.result_processor(self._dialect, code)
            for type_, code in zip(self._types, given, strict=True)
        ]
        return [(place, convert) for place, convert in enumerate(converters) if convert is not None]

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, convert in self._converters or ():
            values[place] = convert(values[place])
        return values
