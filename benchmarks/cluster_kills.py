"""Two nodes of Ray bring deliveries in while one of them is killed at a random moment: are tables the local pool's?

``python benchmarks/cluster_kills.py [--delivery FOLDER --sources ccsmtl nih_cxr14] [--kills 5] [--keep]``: each source
is ingested and its reports read by the local pool, by two nodes undisturbed, and by two nodes of which one is killed
(SIGKILL to all of its processes) when a drawn share of the files is done, and replaced, as whatever watches over nodes
would. Data versions are compared, and seconds with those undisturbed. Without ``--delivery`` the demo's phantom is
drawn. Exit status 1 where a table differs. A cluster stays up for all of it, so no time of starting one counts; that
of the node that replaces one does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import DEMO_KEY, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.reports.extract import extract_mentions
from radia_pipeline.reports.ingest import ingest_reports
from radia_pipeline.sources.registry import source
from radia_pipeline_tests.processes.clusters import LocalCluster, local_cluster

RESULTS = Path(__file__).parent / "results" / "cluster_kills.json"
TABLES = ("images", "quarantine", "duplicates", "reports", "report_mentions", "report_attributes")
PATIENTS = {"ccsmtl": 120, "nih_cxr14": 120}
KEYS = Pseudonymizer(DEMO_KEY)
LOCAL = "local"


class Killer:
    """Kills a node once, when a share of the files is done, and starts another."""

    def __init__(self, cluster: LocalCluster, node: Any, share: float) -> None:
        self.cluster, self.node, self.share, self.has_killed = cluster, node, share, False

    def __call__(self, done: int, total: int) -> None:
        """Hear how many files of a delivery are done."""
        if not self.has_killed and done >= self.share * total:
            self.has_killed = True
            self.cluster.kill(self.node)
            self.node = self.cluster.add()


def brought_in(name: str, delivery: Path, address: str, hear: Any = lambda *_: None) -> dict[str, Any]:
    """Bring one source's delivery into a lake of its own: data versions, seconds, counts, and what nodes did."""
    told: list[str] = []
    adapter = source(name)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        KEYS.bind(lake)
        begun = time.monotonic()
        result = ingest_images(
            adapter,
            delivery,
            lake,
            KEYS,
            ocr="off",
            workers=1 if address == LOCAL else None,
            pool_address=address,
            on_progress=hear,
            tell=told.append,
        )
        films_s = time.monotonic() - begun
        if adapter.reports(delivery) is not None:
            ingest_reports(adapter, delivery, lake, KEYS)
            extract_mentions(name, lake, pool_address=address, tell=told.append)
        versions = {table: lake.version(table, name) for table in TABLES if lake.exists(table, name)}
    counts = {
        "files": result.found,
        "ingested": result.ingested,
        "quarantined": result.quarantined,
        "duplicates": result.duplicates,
    }
    assert result.examined == result.found == sum(counts.values()) - result.found, counts
    return {"films_s": round(films_s, 1), **counts, "versions": versions, "told": told}


def tried(name: str, delivery: Path, cluster: LocalCluster, node: Any, kills: int, rng: random.Random) -> Any:
    """One source by all three; returns what came of it, and the node that is there now."""
    alone = brought_in(name, delivery, LOCAL)
    whole = [brought_in(name, delivery, cluster.address) for _ in range(2)]
    undisturbed_s = min(one["films_s"] for one in whole)
    found: dict[str, Any] = {
        "files": alone["files"],
        "ingested": alone["ingested"],
        "tables": len(alone["versions"]),
        "local, one worker, s": alone["films_s"],
        "two nodes, s": [one["films_s"] for one in whole],
        "undisturbed as local": all(one["versions"] == alone["versions"] for one in whole),
        "kills": [],
    }
    for _ in range(kills):
        killer = Killer(cluster, node, rng.uniform(0.05, 0.95))
        got = brought_in(name, delivery, cluster.address, killer)
        node = killer.node
        one = {
            "after share": round(killer.share, 2),
            "killed": killer.has_killed,
            "s": got["films_s"],
            "ratio": round(got["films_s"] / undisturbed_s, 2),
            "as local": got["versions"] == alone["versions"],
        }
        found["kills"].append(one)
        sys.stderr.write(f"{name}: {json.dumps(one)}\n")
    return found, node


def main() -> int:
    """Try every source, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--delivery", type=Path, help="folder of deliveries (default: the demo's phantom)")
    parser.add_argument("--sources", nargs="+", default=list(PATIENTS))
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as-name", default="phantom", help="the name under which it is kept")
    parser.add_argument("--keep", action="store_true", help="write results/cluster_kills.json")
    options = parser.parse_args()
    rng, told = random.Random(options.seed), {}
    with tempfile.TemporaryDirectory() as folder:
        root = options.delivery or Path(folder) / "deliveries"
        if options.delivery is None:
            write_phantom(root, patients=PATIENTS, size_px=320)
        with local_cluster(Path(folder) / "left_out", processors=1) as cluster:
            node = cluster.add()
            for name in options.sources:
                told[name], node = tried(name, source(name).locate(root), cluster, node, options.kills, rng)
    load = round(os.getloadavg()[0], 1)
    print(json.dumps({options.as_name: told, "load_average": load}, indent=1))
    if options.keep:
        kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        kept[options.as_name] = {**told, "load_average": load}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    is_same = all(
        one["undisturbed as local"] and all(kill["killed"] and kill["as local"] for kill in one["kills"])
        for one in told.values()
    )
    return int(not is_same)


if __name__ == "__main__":
    sys.exit(main())
