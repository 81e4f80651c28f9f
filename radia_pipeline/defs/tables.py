"""Turns a contract into an asset: spec, column schema, contract check, version, metadata. No step is named here."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from typing import Any

import dagster as dg

from radia_pipeline.contracts.checks import rules_of
from radia_pipeline.contracts.tables import Contract, contract
from radia_pipeline.defs.lineage import lineage_metadata
from radia_pipeline.defs.partitions import SOURCES
from radia_pipeline.defs.resources import Radia
from radia_pipeline.errors import ContractViolation, RadiaError
from radia_pipeline.lake.lake import WHOLE, Lake
from radia_pipeline.processes.failures import as_record, from_record

Step = Callable[[dg.AssetExecutionContext, Radia], Any]
Law = Callable[[Any], bool]
Note = Callable[[Any], tuple[bool, Mapping[str, Any]]]
"""Says of a result whether a person should look, with metadata; a warning, never a block."""

Facts = Callable[[Lake, str], Mapping[str, Any]]
"""Lake, partition → metadata of one published table."""

ASKED_FOR = "radia/asked_for"
"""Tag of assets that a person asks for: jobs and ``radia run`` leave them out."""
FOLLOWS = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_missing().ignore(dg.AssetSelection.assets("label_reviews"))
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
)
"""When an asset that follows what it is made from is made anew: never one that nobody has made yet its inputs."""
FAILURE = "failure"
"""Name in a failed step's metadata of the error's record."""

OWNERS = {
    "ingest": "team:data-stewards",
    "labels": "team:radiologists",
    "review": "team:radiologists",
    "cohort": "team:data-stewards",
    "training": "team:ml-engineers",
    "evaluation": "team:ml-engineers",
    "localisation": "team:ml-engineers",
    "detection": "team:ml-engineers",
    "monitoring": "team:data-stewards",
}


class MadeWhen(Enum):
    """When a table is made: with everything else; when a person asks for it, and never with everything else; or also
    anew when what it is made from has been, once the sensor for that is on."""

    WITH_THE_REST = auto()
    ASKED_FOR = auto()
    FOLLOWING = auto()


@dataclasses.dataclass(frozen=True)
class Publication:
    """What stands with a published table: the domain's result, named conditions on it, figures, and more metadata."""

    result: Any = None
    laws: Mapping[str, Law] = dataclasses.field(default_factory=dict)
    notes: Mapping[str, Note] = dataclasses.field(default_factory=dict)
    plots: Mapping[str, str] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def column_schema(terms: Contract) -> dg.TableSchema:
    """Return a contract's columns as Dagster shows them."""
    columns = [
        dg.TableColumn(
            name=column.name,
            type=str(column.type),
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=not column.is_required, unique=terms.key == (column.name,)),
            tags={"classification": "restricted"} if column.classification == "restricted" else {},
        )
        for column in terms.columns.values()
    ]
    return dg.TableSchema(columns=columns)


def table_spec(
    table: str,
    *,
    deps: tuple = (),
    kinds: tuple[str, ...] = (),
    key: dg.AssetKey | None = None,
    code_version: str | None = None,
    made: MadeWhen = MadeWhen.WITH_THE_REST,
) -> dg.AssetSpec:
    """Return the spec of a table's asset; key, group, description and columns come from its contract."""
    terms = contract(table)
    return dg.AssetSpec(
        key=key or dg.AssetKey(table),
        deps=list(deps),
        description=terms.description,
        group_name=terms.domain,
        kinds={"parquet", *kinds},
        owners=[OWNERS[terms.domain]],
        tags={ASKED_FOR: ""} if made is MadeWhen.ASKED_FOR else {},
        automation_condition=FOLLOWS if made is MadeWhen.FOLLOWING else None,
        metadata={"dagster/column_schema": column_schema(terms), "contract_version": terms.version},
        code_version=f"{terms.version}+{code_version}" if code_version else terms.version,
    )


def as_metadata(result: Any) -> dict[str, Any]:
    """Return a domain result's fields as Dagster metadata; mappings and lists become JSON, other objects stay out."""
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        result = dataclasses.asdict(result)
    fields = dict(result or {})
    metadata: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, bool | int | float | str | dg.MetadataValue):
            metadata[name] = value
        elif isinstance(value, Mapping) or (isinstance(value, list | tuple) and value):
            metadata[name] = dg.MetadataValue.json(_plain(value))
    return metadata


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def failure(error: RadiaError) -> dg.Failure:
    """Return the error as Dagster shows it: its own words, no retry (the same input would fail again).

    The metadata carry it whole: ``failed_with`` takes it out again.
    """
    record = {FAILURE: dg.MetadataValue.json(as_record(error))}
    return dg.Failure(description=f"{error.kind}: {error}", metadata=record, allow_retries=False)


def failed_with(event: dg.DagsterEvent) -> RadiaError | None:
    """Return the error of a failed step's event, whole; None where it was none of ours."""
    told = event.step_failure_data.user_failure_data
    said = told.metadata if told else {}
    return from_record(said[FAILURE].value) if FAILURE in said else None


def published(
    lake: Lake, table: str, partition: str, *, key: dg.AssetKey, deps: tuple, shown: Publication
) -> dg.MaterializeResult:
    """Describe a published table: rows, version, the domain's counts, its plots, its columns' origin and its checks."""
    rows = lake.read(table, partition, columns=list(contract(table).key[:1])).num_rows
    version = lake.version(table, partition)
    checks = [
        dg.AssetCheckResult(
            passed=True, check_name="contract", asset_key=key, metadata={"rules": len(rules_of(contract(table)))}
        )
    ]
    checks += [
        dg.AssetCheckResult(passed=bool(law(shown.result)), check_name=name, asset_key=key)
        for name, law in shown.laws.items()
    ]
    for name, note in shown.notes.items():
        passed, metadata = note(shown.result)
        checks.append(
            dg.AssetCheckResult(
                passed=passed,
                check_name=name,
                asset_key=key,
                metadata=dict(metadata),
                severity=dg.AssetCheckSeverity.WARN,
            )
        )
    figures = {name: dg.MetadataValue.md(f"![{name}]({image})") for name, image in shown.plots.items()}
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            "dagster/row_count": rows,
            "version": version,
            **as_metadata(shown.result),
            **figures,
            **shown.facts,
            **lineage_metadata(table, deps),
        },
        data_version=dg.DataVersion(version),
        check_results=checks,
    )


def table_assets(
    *tables: str,
    deps: tuple = (),
    kinds: tuple[str, ...] = (),
    laws: Mapping[str, Law] | None = None,
    notes: Mapping[str, Note] | None = None,
    note_words: Mapping[str, str] | None = None,
    code_version: str | None = None,
    plots: Callable[[Lake, str], Mapping[str, str]] | None = None,
    facts: Mapping[str, Facts] | None = None,
    partition: str | None = None,
    prefix: tuple[str, ...] = (),
    days: dg.PartitionsDefinition | None = None,
    pool: str | None = None,
    made: MadeWhen = MadeWhen.WITH_THE_REST,
    config: Mapping[str, dg.Field] | None = None,
) -> Callable[[Step], dg.AssetsDefinition]:
    """Make one step of the graph of a function that calls one domain function and returns its result.

    ``tables``: what the step publishes. ``laws``: named conditions on the result, shown as blocking checks of the first
    table; ``notes``: conditions that only warn, described by ``note_words``. ``code_version``: version of what decides
    the rows, beside the contract's. ``plots``: figures of the first table. ``facts``: metadata by table. ``partition``:
    fixed partition of tables that are not split by source (``predictions/<recipe>``), which then is the last part of
    the key. ``days``: of a step that is split by them, and made from all partitions of what it needs. ``config``:
    what a person may say to the step, which its context holds.
    """
    named_laws, named_notes = dict(laws or {}), dict(notes or {})
    is_split = partition is None and contract(tables[0]).partitioned
    keys = {table: dg.AssetKey([table, partition] if partition else [*prefix, table]) for table in tables}
    needed = tuple(dg.AssetDep(one, partition_mapping=dg.AllPartitionMapping()) for one in deps) if days else deps

    def decorate(step: Step) -> dg.AssetsDefinition:
        checks = [
            dg.AssetCheckSpec("contract", asset=keys[table], description="Every rule of the data contract.")
            for table in tables
        ]
        checks += [dg.AssetCheckSpec(name, asset=keys[tables[0]], blocking=True) for name in named_laws]
        said = note_words or {}
        checks += [dg.AssetCheckSpec(name, asset=keys[tables[0]], description=said.get(name)) for name in named_notes]

        @dg.multi_asset(
            name=step.__name__ if partition is None else f"{step.__name__}__{partition}",
            description=step.__doc__,
            specs=[
                table_spec(
                    table,
                    deps=needed,
                    kinds=kinds,
                    key=keys[table],
                    code_version=code_version,
                    made=made,
                )
                for table in tables
            ],
            config_schema=dict(config) if config else None,
            check_specs=checks,
            partitions_def=(days or SOURCES) if is_split else None,
            pool=pool,
        )
        def run(
            context: dg.AssetExecutionContext, radia: Radia
        ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
            try:
                result = step(context, radia)
            except ContractViolation as error:
                if error.table in keys:
                    yield dg.AssetCheckResult(
                        passed=False,
                        check_name="contract",
                        asset_key=keys[error.table],
                        metadata={"refusal": str(error)},
                    )
                raise failure(error) from None
            except RadiaError as error:
                raise failure(error) from None
            lake = radia.lake()
            where = partition or (context.partition_key if is_split else WHOLE)
            for position, table in enumerate(tables):
                more = facts[table](lake, where) if facts and table in facts else {}
                shown = Publication(facts=more)
                if position == 0:
                    shown = Publication(result, named_laws, named_notes, plots(lake, where) if plots else {}, more)
                yield published(lake, table, where, key=keys[table], deps=deps, shown=shown)

        return run

    return decorate
