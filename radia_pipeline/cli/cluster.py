"""``radia cluster``: the machines that share a lake's work."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, json_option, lake_option, pool_option
from radia_pipeline.cli.output import print_result


@click.group()
def cluster() -> None:
    """See whether a Ray cluster can be used."""


@cluster.command()
@click.option("--data", type=FilePath(), help="Folder of deliveries that each node must see.")
@pool_option
@lake_option
@json_option
@click.pass_context
def check(
    ctx: click.Context, data: Path | None, pool_address: str | None, lake_root: Path | None, as_json: bool
) -> None:
    """Say what is missing on which node.

    Compared with this machine: versions of the package and of codecs, the pseudonym key's fingerprint, folders of lake
    and deliveries, authentication. Exit code 1 where a node would be refused, or where there is none.
    """
    from radia_pipeline.drawing.text import table
    from radia_pipeline.errors import BadInput
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.lake.settings import POOLS, read_settings
    from radia_pipeline.processes.cluster import examine
    from radia_pipeline.processes.where import where_of

    lake = Lake.open(lake_root, create=False)
    root = read_settings(lake.root).sources_root
    where = where_of(lake, pool_address, reads=[data] if data else [Path(root)] if root else [])
    if where.is_local:
        raise BadInput("The lake's pool is local: there is no cluster to look at", accepted=f"--pool: {POOLS}")
    found = examine(where)
    rows = [[one.node, str(one.workers), "; ".join(one.problems) or "fit"] for one in found]
    record = {"nodes": [vars(one) | {"problems": list(one.problems)} for one in found]}
    print_result(record, table(["node", "processes", "what is missing"], rows), as_json)
    ctx.exit(0 if found and not any(one.problems for one in found) else 1)
