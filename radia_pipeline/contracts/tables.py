"""Table contracts: ``data_contracts/<table>.yaml`` (ODCS v3.1) -> columns, key, schema. Rules run in ``checks``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import pyarrow as pa

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, UnknownName

_ARROW_TYPES = {
    "string": pa.string(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True)
class Column:
    """One column as the contract describes it. ``made_from``: columns of other tables, as (table, column)."""

    name: str
    type: pa.DataType
    description: str
    classification: str
    is_required: bool
    key_position: int | None
    valid_values: tuple[Any, ...] | None
    minimum: float | None
    maximum: float | None
    pattern: str | None
    made_from: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RowRule:
    """A condition in DuckDB SQL that every row must fulfil."""

    name: str
    description: str
    condition: str


@dataclass(frozen=True)
class Contract:
    """What one table promises."""

    table: str
    version: str
    domain: str
    description: str
    partitioned_by: str | None
    columns: Mapping[str, Column]
    row_rules: tuple[RowRule, ...]

    @cached_property
    def schema(self) -> pa.Schema:
        """The pyarrow schema, columns in the contract's order."""
        return pa.schema([pa.field(c.name, c.type, nullable=not c.is_required) for c in self.columns.values()])

    @cached_property
    def key(self) -> tuple[str, ...]:
        """Columns whose values together name one row."""
        keyed = [
            (column.key_position, column.name) for column in self.columns.values() if column.key_position is not None
        ]
        return tuple(name for _, name in sorted(keyed))

    @cached_property
    def open_columns(self) -> tuple[str, ...]:
        """Columns that may be shown: all but those that the contract calls restricted."""
        return tuple(column.name for column in self.columns.values() if column.classification != "restricted")

    @cached_property
    def speaks_vocabulary(self) -> bool:
        """Whether rows name classes of the vocabulary, so that they mean something else under another version."""
        return not {"class", *vocabulary().classes}.isdisjoint(self.columns)

    @property
    def partitioned(self) -> bool:
        """Whether there is one file for each source (or recipe)."""
        return self.partitioned_by is not None


def arrow_type(text: str) -> pa.DataType:
    """Parse a physical type such as ``int8``, ``list<string>`` or ``list<struct<class:string,x_px:float64>>``."""
    if text in _ARROW_TYPES:
        return _ARROW_TYPES[text]
    if text.startswith("list<") and text.endswith(">"):
        return pa.list_(arrow_type(text[5:-1]))
    if text.startswith("struct<") and text.endswith(">"):
        fields = [field.split(":", 1) for field in text[7:-1].split(",")]
        return pa.struct([pa.field(name, arrow_type(kind)) for name, kind in fields])
    raise BadTable(f"Unknown physical type {text!r}", accepted=", ".join(_ARROW_TYPES) + ", list<…>, struct<…>")


def _column(entry: Mapping[str, Any]) -> Column:
    options = entry.get("logicalTypeOptions") or {}
    valid = [
        rule["arguments"]["validValues"] for rule in entry.get("quality") or [] if rule["metric"] == "invalidValues"
    ]
    return Column(
        name=entry["name"],
        type=arrow_type(entry["physicalType"]),
        description=entry["description"],
        classification=entry["classification"],
        is_required=bool(entry.get("required", False)),
        key_position=entry["primaryKeyPosition"] if entry.get("primaryKey") else None,
        valid_values=tuple(valid[0]) if valid else None,
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        pattern=options.get("pattern"),
        made_from=tuple(tuple(source.split(".", 1)) for source in entry.get("transformSourceObjects") or ()),
    )


def parse_contract(content: Mapping[str, Any], name: str) -> Contract:
    """Build a contract from one ODCS mapping; raises BadTable naming the field that is missing."""
    try:
        table = content["schema"][0]
        properties = {item["property"]: item["value"] for item in table.get("customProperties") or []}
        columns = [_column(entry) for entry in table["properties"]]
        rules = tuple(
            RowRule(rule["name"], rule["description"], rule["implementation"]) for rule in table.get("quality") or []
        )
        return Contract(
            table=content["id"],
            version=str(content["version"]),
            domain=content["domain"],
            description=content["description"]["purpose"],
            partitioned_by=properties.get("partitionedBy"),
            columns={column.name: column for column in columns},
            row_rules=rules,
        )
    except (KeyError, TypeError, IndexError) as error:
        raise BadTable(f"Contract {name} lacks the field {error}", accepted="a contract in ODCS v3.1") from None


@cache
def contract_names() -> tuple[str, ...]:
    """Return the ids of all table contracts, sorted."""
    return tuple(sorted(path.stem for path in contracts_root().glob("*.yaml") if "schema" in read_yaml(path)))


@cache
def contract(table: str) -> Contract:
    """Return the contract of a table; raises UnknownName with the names that exist."""
    if table not in contract_names():
        raise UnknownName(f"Unknown table {table!r}", accepted=", ".join(contract_names()))
    return parse_contract(read_yaml(contracts_root() / f"{table}.yaml"), table)


def conform(table: str, data: Any) -> pa.Table:
    """Bring rows into a table's schema: columns in order, types cast without loss.

    ``data``: pyarrow Table, pandas DataFrame or a sequence of mappings. A nullable column may be absent, becoming null;
    an unknown column, an absent required column or a lossy cast raises BadTable.
    """
    terms = contract(table)
    if not isinstance(data, pa.Table):
        data = _to_arrow(data, terms.schema)
    if unknown := [name for name in data.column_names if name not in terms.columns]:
        raise BadTable(f"Table {table} got unknown columns {', '.join(unknown)}", accepted=", ".join(terms.columns))
    arrays = []
    for column in terms.columns.values():
        if column.name not in data.column_names:
            if column.is_required:
                raise BadTable(f"Table {table} lacks the column {column.name}", accepted=", ".join(terms.columns))
            arrays.append(pa.chunked_array([pa.nulls(data.num_rows, column.type)]))
            continue
        try:
            arrays.append(data.column(column.name).cast(column.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            got = data.column(column.name).type
            raise BadTable(f"Column {column.name} of {table} came as {got}", accepted=str(column.type)) from None
    return pa.table(arrays, schema=terms.schema)


def _to_arrow(data: Any, schema: pa.Schema) -> pa.Table:
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        return pa.Table.from_pandas(data, preserve_index=False)
    if isinstance(data, Iterable):
        rows = list(data)
        names = {name for row in rows for name in row}
        known = pa.schema([field.with_nullable(True) for field in schema if field.name in names or not rows])
        extra = sorted(names - set(schema.names))
        fields = list(known) + [pa.field(name, pa.null()) for name in extra]
        return pa.Table.from_pylist(
            [{k: v for k, v in row.items() if k not in extra} for row in rows], pa.schema(fields)
        )
    raise BadTable(f"Rows came as {type(data).__name__}", accepted="pyarrow Table, pandas DataFrame, list of mappings")


def empty(table: str) -> pa.Table:
    """Return a table without rows in the contract's schema."""
    return contract(table).schema.empty_table()
