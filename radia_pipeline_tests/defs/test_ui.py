"""``radia ui`` as a steward meets it: pages answer and are nobody else's, what dies comes back, and everything ends."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import dagster as dg
import psutil
import pytest
from click.testing import CliRunner

from radia_pipeline.cli.ui import ui
from radia_pipeline.defs.move_history import set_database
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.ui import CODE_SERVER, DAEMON, DAGSTER, REVIEW, card_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.servers.supervisor import read_card
from radia_pipeline_tests.defs.killing import FIRST, RECIPE, SECOND, Ward, make_lake, warded, whole, window
from radia_pipeline_tests.defs.opened import Opened, opened, wait_for
from radia_pipeline_tests.review.page.browser import chromium
from radia_pipeline_tests.tracking.cluster import PASSWORD, programs, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PAGES = ("Dagster", "MLflow")
ASSETS = "{ assetNodes { assetKey { path } opNames jobNames hasMaterializePermission } }"
DELETE = 'mutation { deletePipelineRun(runId: "RUN") { __typename } }'
CREATE = "/api/2.0/mlflow/experiments/create"
END_WITHIN_S, STOP_WITHIN_S, ORPHAN_WITHIN_S = 15.0, 30.0, 20.0
"""What the documentation promises of the end of all, of a stopped training, and of one whose worker is gone."""
PATIENCE_S = 600.0
HOSTILE = """<!doctype html><title>hostile</title><script>
window.done = (async () => {
  const told = [];
  const BY_GET = DAGSTER + '/graphql?query=' + encodeURIComponent(DELETE);
  const note = (what, job) => job.then(r => told.push([what, r.type, r.status]), () => told.push([what, 'refused', 0]));
  const jobs = [];
  for (const mode of ['cors', 'no-cors']) {
    jobs.push(note('get', fetch(BY_GET, {mode, credentials: 'include'})));
    jobs.push(note('post', fetch(DAGSTER + '/graphql', {method: 'POST', mode, credentials: 'include',
      headers: {'Content-Type': 'text/plain'}, body: JSON.stringify({query: DELETE})})));
    jobs.push(note('mlflow', fetch(MLFLOW + CREATE, {method: 'POST', mode, credentials: 'include',
      headers: {'Content-Type': 'text/plain'}, body: JSON.stringify({name: 'hostile'})})));
  }
  jobs.push(new Promise(end => { const image = new Image(); image.onload = image.onerror = end;
    image.src = BY_GET; }));
  jobs.push(new Promise(end => { const socket = new WebSocket(DAGSTER.replace('http', 'ws') + '/graphql', 'graphql-ws');
    socket.onopen = () => { told.push(['socket', 'opened', 0]); end(); }; socket.onerror = () => end(); }));
  await Promise.all(jobs);
  return told;
})();
</script>"""


@pytest.fixture(scope="module")
def ward(tmp_path_factory) -> Iterator[Ward]:
    """Return an open lake with deliveries and something to train on; on Postgres where that is installed."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
        patch.setenv("PGPASSWORD", PASSWORD)
        lake, restart = make_lake(tmp_path_factory.mktemp("steward"), patients=6, trained=1500, detector="smoke"), None
        if programs():
            cluster = stack.enter_context(running())
            set_database(lake, cluster.make("radia"))
            restart = cluster.crash
        yield stack.enter_context(warded(lake, kill_database=restart, patience_s=PATIENCE_S))


@pytest.fixture
def pages(ward) -> Opened:
    """Return the open pages of the lake."""
    return ward.pages


def ask(
    pages: Opened, name: str, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, str]:
    """Send a request as curl does, with the token; returns status and text. ``headers`` replace those of the page."""
    address, token = pages.address(name)
    own = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, own | {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


def a_run(pages: Opened) -> str:
    """Make a run that somebody might want to delete."""
    with instance_of(pages.lake) as instance:
        return dg.materialize([_dummy], instance=instance).run_id


@dg.asset
def _dummy():
    """Nothing."""


def stands(pages: Opened, run: str) -> bool:
    """Whether a run is still known."""
    with instance_of(pages.lake) as instance:
        return instance.get_run_by_id(run) is not None


def experiments(pages: Opened) -> set[str]:
    """Return the names of MLflow's experiments."""
    _, text = ask(pages, "MLflow", "/api/2.0/mlflow/experiments/search?max_results=50")
    return {one["name"] for one in json.loads(text).get("experiments", ())}


def test_both_pages_answer_and_show_the_graph(pages):
    keys = {"/".join(node["assetKey"]["path"]) for node in pages.ask(ASSETS)["assetNodes"]}
    assert {"images", "labels", "splits", "classifiers/smoke_linear", "detector"} <= keys
    assert [ask(pages, name, "/")[0] for name in PAGES] == [200, 200]


def test_nobody_else_may_write(pages):
    run = a_run(pages)
    delete = DELETE.replace("RUN", run)
    body = json.dumps({"query": delete})
    assert ask(pages, "Dagster", f"/graphql?query={quote(delete)}")[0] == 403
    assert ask(pages, "Dagster", f"/graphql?query={quote(delete)}", "HEAD")[0] == 403
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Authorization": "Bearer guess"}):
        assert ask(pages, "Dagster", "/graphql", "POST", body, **headers)[0] == 403
        assert ask(pages, "MLflow", CREATE, "POST", '{"name": "hostile"}', **headers)[0] == 403
    assert stands(pages, run) and "hostile" not in experiments(pages)
    assert ask(pages, "Dagster", "/graphql", "POST", body)[0] == 200
    assert not stands(pages, run)


def test_only_the_owner_may_read_where_the_pages_are(pages):
    assert stat.S_IMODE(card_of(pages.lake).stat().st_mode) == 0o600


def test_own_pages_work_and_a_page_of_another_origin_can_do_nothing(pages):
    run = a_run(pages)
    with chromium() as browser, hostile_page(pages, run) as hostile:
        context = browser.new_context()
        page, sockets = context.new_page(), []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto("{}/?token={}".format(*pages.address("Dagster")))
        page.goto(f"{pages.address('Dagster')[0]}/asset-groups")
        for group in ("ingest", "labels", "cohort", "training", "evaluation", "localisation", "detection"):
            page.get_by_text(group, exact=True).first.wait_for(timeout=90_000)
        page.goto(f"{pages.address('Dagster')[0]}/runs/{run}")
        page.get_by_text("RUN_SUCCESS").first.wait_for(timeout=90_000)
        assert any(url.endswith("/graphql") for url in sockets), "a run's log comes over a web socket"
        page.goto("{}/?token={}".format(*pages.address("MLflow")))
        page.get_by_text("radia", exact=True).first.wait_for(timeout=90_000)

        page.goto(hostile)
        told = page.evaluate("window.done")
        assert all(kind in ("refused", "opaque") for _, kind, _ in told), told
        context.close()
    assert stands(pages, run) and "hostile" not in experiments(pages)


@contextlib.contextmanager
def hostile_page(pages: Opened, run: str) -> Iterator[str]:
    """Serve a page on another origin of this machine that tries to write; yields its address."""
    words = {"DAGSTER": pages.address("Dagster")[0], "MLFLOW": pages.address("MLflow")[0], "CREATE": CREATE}
    values = words | {"DELETE": DELETE.replace("RUN", run)}
    head = "<script>" + "".join(f"const {name} = {json.dumps(value)};" for name, value in values.items()) + "</script>"

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"{head}{HOSTILE}".encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def test_a_training_is_stopped_from_the_page_taken_up_again_and_its_run_worker_killed(ward):
    pages, run = ward.pages, ward.train()
    wait_for(lambda: says(pages, run, "step 1 of", "epoch 1"), PATIENCE_S, "a step")
    trainer, step = trainer_of(pages)
    family = [trainer, *trainer.children(recursive=True), step]
    pages.stop(run)
    assert not left_of(family, STOP_WITHIN_S)
    assert list(pages.lake.models_dir.glob(f"{RECIPE}/*/checkpoints/last.safetensors"))
    wait_for(lambda: pages.status(run) == "CANCELED", 30, "the run is canceled")

    again = pages.launch("classifiers", RECIPE)
    wait_for(lambda: says(pages, again, "training goes on after step"), PATIENCE_S, "the training goes on")
    trainer, step = trainer_of(pages)
    worker = step.parent()
    assert "run_worker" in " ".join(worker.cmdline()), "the step has a process of its own"
    worker.kill()
    assert not left_of([trainer, step], ORPHAN_WITHIN_S)
    wait_for(lambda: pages.status(again) == "FAILURE", 60, "the run is ended for its worker")


def says(pages: Opened, run: str, *texts: str) -> bool:
    """Whether a run's log says one of these."""
    return any(text in message for message in pages.messages(run) for text in texts)


def trainer_of(pages: Opened) -> tuple[psutil.Process, psutil.Process]:
    """Return the process of the only training, and that of its step."""
    (trainer,) = pages.processes("radia_pipeline.defs.training_process")
    return trainer, trainer.parent()


def left_of(processes: list[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Return what still runs of processes after so long."""
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    return [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_minute_after_each_was_killed_at_work_nothing_of_it_is_left(ward):
    before = {name: one["pid"] for name, one in ward.pages.services().items()}
    ward.pages.process(REVIEW).kill()
    for victims in (FIRST, SECOND):
        told = window(ward, victims)
        assert told["left"] == []
    assert ward.kill_database or {told["ended"][name] for name in (CODE_SERVER, DAEMON, DAGSTER)} == {"SUCCESS"}
    now = ward.pages.services()
    assert all(one["restarts"] >= 1 and one["pid"] != before[name] for name, one in now.items())


def test_a_launch_waits_for_a_killed_code_server_and_what_was_read_again_is_whole(ward):
    ward.pages.process(CODE_SERVER).kill()
    assert whole(ward) == []


def test_the_terminal_says_how_they_are_and_does_not_open_them_twice(pages):
    wait_for(pages.are_ready, PATIENCE_S, "every server is ready")
    said = CliRunner().invoke(ui, ["status", "--lake", str(pages.lake.root)])
    assert said.exit_code == 0, said.output
    assert all(name in said.output for name in ("code server", "daemon", *PAGES, "review page", "monitoring"))
    with opened(pages.lake, waits=False) as second:
        assert second.keeper.wait(60) == 1
    assert pages.keeper.poll() is None


def test_one_signal_of_a_service_manager_ends_every_process(pages):
    family = [psutil.Process(one.pid) for one in pages.processes("")]
    assert len(family) > len(pages.services())
    begun = time.monotonic()
    pages.keeper.send_signal(signal.SIGTERM)
    assert pages.keeper.wait(60) == 0
    assert time.monotonic() - begun < END_WITHIN_S
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    said = CliRunner().invoke(ui, ["status", "--lake", str(pages.lake.root)])
    assert said.exit_code == 1 and "not open" in said.output


def test_what_a_killed_supervisor_left_is_ended_by_the_next(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    words = ("--without", "mlflow", "--without", "review")
    with opened(lake, *words) as first:
        left, before = first.processes(""), read_card(card_of(lake))["start"]
        os.kill(first.keeper.pid, signal.SIGKILL)
        first.keeper.wait(30)
    with opened(lake, *words, waits=False) as second:
        wait_for(lambda: read_card(card_of(lake))["start"] != before, PATIENCE_S, "the next one begins")
        assert second.keeper.poll() is None
        alive = [one for one in left if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        assert not alive
