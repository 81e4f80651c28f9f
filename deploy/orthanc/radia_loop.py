"""Orthanc asks RadIA about every study that came to rest, and stores what comes back.

A script of Orthanc's Python plugin.

    films arrive -> study is stable -> POST to RadIA's API -> Structured Report and presentation states into the study

Orthanc's own list of changes says what is to do, and how far it was done stands in Orthanc's database: a study that a
crash or a silent API left undone is asked about once more. Objects have the same UIDs every time, so that the archive
holds each once. What became of a study stands at it (metadata ``radia``); those without an answer are listed at
``/radia/worklist`` with their reasons, and where the films were let in, their objects say so too. Nothing is written
elsewhere, and the log names Orthanc's own ids alone.

Only the standard library; ``Loop`` knows Orthanc by five calls, so that it can be run without it.
"""

import email.policy
import hashlib
import html
import http.client
import json
import secrets
import threading
import time
import urllib.parse

LOOK = "look into the log of RadIA's service, and ask again"
MODALITIES = ("CR", "DX", "RG")
ANSWERED, REFUSED, FAILED, STORED, AGAIN = "answered", "refused", "failed", "stored", "again"
"""What became of a study. ``stored``: its objects are here and not yet sent on, after which it ``ends`` as the record
says; ``again``: a person wants it asked."""
METADATA = "radia"
POSITION, LISTED = 4401, 4402
"""Orthanc's global properties: the last change that is dealt with, the studies of the worklist."""
MOST_FILMS, MOST_LISTED, MOST_TRIES, MOST_WAIT_S = 16, 500, 3, 60.0
DEFAULTS = {
    "Url": "http://127.0.0.1:8080",
    "Intake": "identified",
    "Dicom": "sr,gsps",
    "Ocr": "auto",
    "SendTo": "",
    "EverySeconds": 5,
    "TimeoutSeconds": 300,
}


class Waits(Exception):
    """The API or the archive cannot now; asked again after ``seconds``."""

    def __init__(self, seconds):
        super().__init__(str(seconds))
        self.seconds = seconds


class Loop:
    """``archive``: ``get(path)`` and ``post(path, body)`` -> bytes, ``put(path, body)``, ``property(number)`` -> text,
    ``set_property(number, text)``; ``get`` raises KeyError for what is not there. ``ask(films)`` -> (status,
    content type, body, seconds to wait or None); raises OSError where nobody answers."""

    def __init__(self, archive, ask, settings, say=print):
        self.archive, self.ask, self.settings, self.say = archive, ask, {**DEFAULTS, **settings}, say
        self.pending, self.tries, self.read = {}, {}, None
        self.lock = threading.Lock()

    # --- what is to do ----------------------------------------------------------------------------------------------
    def step(self):
        """Read what changed and deal with what came to rest; returns the seconds after which to come again."""
        self._look()
        wait = float(self.settings["EverySeconds"])
        for study in list(self.pending):
            try:
                if self._deal(study):
                    self.pending.pop(study, None)
                    self.tries.pop(study, None)
            except Waits as waits:
                wait = max(wait, min(waits.seconds, MOST_WAIT_S))
                break  # who cannot answer one cannot answer the next
        done = min(self.pending.values()) - 1 if self.pending else self.read
        if str(done) != self.archive.property(POSITION):
            self.archive.set_property(POSITION, str(done))
        return wait

    def _look(self):
        if self.read is None:
            self._begin()
        while True:
            changes = self._json(f"/changes?since={self.read}&limit=100")
            for change in changes["Changes"]:
                study = self._study_of(change)
                if study is not None:
                    self.pending.setdefault(study, change["Seq"])
            self.read = max(self.read, changes["Last"])
            if changes["Done"]:
                return

    def _begin(self):
        """Go on where the last run stopped; the first run of all begins with what comes from now on."""
        held = self.archive.property(POSITION)
        if not held:
            held = str(self._json("/changes?last")["Last"])
            self.archive.set_property(POSITION, held)
        self.read = int(held)
        for study in self._listed():
            if (self._record(study) or {}).get("state") == AGAIN:
                self.pending[study] = self.read + 1

    def _study_of(self, change):
        try:
            if change["ChangeType"] in ("NewStudy", "StableStudy"):
                return change["ID"]
            if change["ChangeType"] == "NewInstance":
                return self._json(f"/instances/{change['ID']}/study")["ID"]
        except KeyError:
            pass  # deleted meanwhile
        return None

    # --- one study --------------------------------------------------------------------------------------------------
    def _deal(self, study):
        """Return whether a study is done with, whatever came of it."""
        try:
            if not self._json(f"/studies/{study}")["IsStable"]:
                return False
            films = self._films(study)
        except KeyError:
            return True
        if not films:
            return True
        mark = hashlib.sha256("\n".join(sorted(films)).encode()).hexdigest()
        record = self._record(study) or {}
        if record.get("films") == mark and record["state"] in (ANSWERED, REFUSED, FAILED):
            return True
        if record.get("films") != mark or record["state"] != STORED:
            record = self._asked(study, films, mark)
        if record["state"] == STORED:
            self._send_on(record["objects"])
            record["state"] = record.pop("ends", ANSWERED)
            self._keep(study, record)
        self.say(f"radia: study {study}: {record['state']}")
        return True

    def _films(self, study):
        """Return {SOP Instance UID: instance} of a study's radiographs."""
        found = {}
        for series in self._json(f"/studies/{study}/series"):
            if series["MainDicomTags"].get("Modality") in MODALITIES:
                for one in self._json(f"/series/{series['ID']}/instances"):
                    found[one["MainDicomTags"]["SOPInstanceUID"]] = one["ID"]
        return found

    def _asked(self, study, films, mark):
        """Ask about a study, store its objects and write down what became of it."""
        if len(films) > MOST_FILMS:
            return self._refuse(
                study, mark, REFUSED, [_reason("too_many_films", f"a study has at most {MOST_FILMS} films")]
            )
        try:
            bodies = [self.archive.get(f"/instances/{films[uid]}/file") for uid in sorted(films)]
        except KeyError:
            raise Waits(0) from None  # something is being deleted
        try:
            status, kind, body, seconds = self.ask(bodies)
        except OSError:
            raise Waits(MOST_WAIT_S) from None
        if status == 200:
            answer, objects = taken_apart(kind, body)
            lacks = [one["no_objects"] for one in answer["studies"] if "no_objects" in one]
            if lacks or not objects:
                return self._refuse(study, mark, REFUSED, lacks or [_reason("no_objects", "nothing came back")])
            return self._store(study, objects, {"ends": ANSWERED, "films": mark, "model": answer["model"]["ensemble"]})
        if status in (429, 503):
            raise Waits(seconds or 10.0)
        problem, objects = _problem(kind, body)
        if status >= 500:
            self.tries[study] = self.tries.get(study, 0) + 1
            if self.tries[study] < MOST_TRIES:
                raise Waits(10.0)
            return self._refuse(study, mark, FAILED, [_reason("error", f"the API failed {MOST_TRIES} times", LOOK)])
        files = [file for one in problem.get("answer", {}).get("studies", ()) for file in one["files"]]
        reasons = [{name: file[name] for name in ("reason", "means", "do")} for file in files if file["reason"]]
        whole = _reason(problem.get("code", str(status)), problem.get("title", ""), problem.get("do", ""))
        return self._refuse(study, mark, REFUSED, reasons or [whole], objects)

    def _store(self, study, objects, record):
        """Store a study's objects and write down that they are here."""
        stored = [json.loads(self.archive.post("/instances", content))["ID"] for content in objects]
        record = {**record, "state": STORED, "objects": stored}
        self._keep(study, record)
        return record

    def _send_on(self, objects):
        target = self.settings["SendTo"]
        if target:
            body = json.dumps({"Resources": objects, "Synchronous": True})
            try:
                self.archive.post(f"/modalities/{target}/store", body)
            except KeyError:
                raise Waits(MOST_WAIT_S) from None

    # --- what is written down ---------------------------------------------------------------------------------------
    def _refuse(self, study, mark, state, reasons, objects=()):
        unique = list({one["reason"]: one for one in reasons}.values())
        with self.lock:
            listed = [one for one in self._listed() if one != study][-MOST_LISTED + 1 :]
            self.archive.set_property(LISTED, json.dumps([*listed, study]))
        record = {"films": mark, "reasons": unique, "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        if objects:
            return self._store(study, objects, {**record, "ends": state})
        record["state"] = state
        self._keep(study, record)
        return record

    def _keep(self, study, record):
        self.archive.put(f"/studies/{study}/metadata/{METADATA}", json.dumps(record))

    def _record(self, study):
        try:
            return json.loads(self.archive.get(f"/studies/{study}/metadata/{METADATA}"))
        except (KeyError, ValueError):
            return None

    def _listed(self):
        return json.loads(self.archive.property(LISTED) or "[]")

    def worklist(self):
        """Return the studies that wait for a person, newest first, with reasons and what to do."""
        rows = [(study, self._record(study)) for study in reversed(self._listed())]
        return [
            {"study": study, **record}
            for study, record in rows
            if record and record.get("ends", record["state"]) in (REFUSED, FAILED)
        ]

    def again(self, study):
        """Ask about a study of the worklist once more; returns whether it stands there."""
        record = self._record(study)
        if study not in self._listed() or record is None:
            return False
        record.pop("ends", None)
        self._keep(study, {**record, "state": AGAIN})
        self.pending.setdefault(study, (self.read or 0) + 1)
        return True

    def _json(self, path):
        return json.loads(self.archive.get(path))


def _reason(reason, means, do=""):
    return {"reason": reason, "means": means, "do": do}


def _problem(kind, body):
    """Return a problem and the objects that came with it, none where the body is something else."""
    try:
        found, objects = taken_apart(kind, body) if kind.startswith("multipart/") else (json.loads(body), [])
    except (ValueError, LookupError):
        return {}, []
    return (found, objects) if isinstance(found, dict) else ({}, [])


def taken_apart(kind, body):
    """Return the answer, or the problem in its place, and its objects of a multipart/related body."""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    parts = [(part.get_content_type(), part.get_payload(decode=True)) for part in message.iter_parts()]
    return json.loads(parts[0][1]), [content for kind, content in parts[1:] if kind == "application/dicom"]


def asker(settings):
    """Return what asks RadIA's API about films."""
    settings = {**DEFAULTS, **settings}
    address = urllib.parse.urlsplit(settings["Url"])
    query = urllib.parse.urlencode(
        {
            "intake": settings["Intake"],
            "dicom": settings["Dicom"],
            "ocr": settings["Ocr"],
            "one_study": "true",
        }
    )

    def ask(films):
        boundary = secrets.token_hex(16)
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + film + b"\r\n" for film in films) + f"--{boundary}--\r\n".encode()
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        secure = address.scheme == "https"
        opened = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = opened(address.netloc, timeout=float(settings["TimeoutSeconds"]))
        try:
            connection.request("POST", f"/api/v1/predict?{query}", body, {"Content-Type": kind})
            answer = connection.getresponse()
            after = answer.headers.get("Retry-After", "")
            wait = float(after) if after.isdigit() else None
            return answer.status, answer.headers.get("Content-Type", ""), answer.read(), wait
        except http.client.HTTPException as error:
            raise OSError(type(error).__name__) from None
        finally:
            connection.close()

    return ask


STYLE = """
:root{color-scheme:light dark;--line:#8886;--faint:#595959;--mark:#8a4b00;--bad:#a4001d}
@media(prefers-color-scheme:dark){:root{--faint:#b3b3b3;--mark:#ffb454;--bad:#ff8a95}}
body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
h1{font-size:1.4rem;margin:.3rem 0}p{margin:.4rem 0}ul{list-style:none;margin:1rem 0;padding:0}
.row{border-top:1px solid var(--line);padding:.8rem 0}
.row{display:grid;grid-template-columns:12.5rem 1fr auto;gap:.3rem 1.2rem}
.about,.do,.quiet{color:var(--faint)}.about a{font-family:ui-monospace,monospace}
.name{font-weight:600;color:var(--mark)}
.failed .name{color:var(--bad)}.why{margin:0 0 .5rem}.why:last-child{margin:0}button{font:inherit;padding:.35rem .9rem}
@media(max-width:40rem){.row{grid-template-columns:1fr auto}.told{grid-column:1/-1;grid-row:2}}
"""
ABOUT = """Newest first; no figure was given for any of these. Ask again when the cause is gone: a film was sent anew,
or the models were trained with films of the device."""


def page(rows):
    """Return the worklist as a page: each study leads to Orthanc's explorer, each has a button that asks again."""
    counted = {}
    for row in rows:
        for one in row["reasons"]:
            counted[one["reason"]] = counted.get(one["reason"], 0) + 1
    often = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    told = f"{len(rows)} {'study' if len(rows) == 1 else 'studies'}" if rows else "None"
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>RadIA: studies without an answer</title><style>{STYLE}</style><h1>Studies without an answer</h1>"
        f"<p>{told}{': ' if often else ''}{', '.join(f'{_shown(name)} {count}' for name, count in often)}.</p>"
        f"<p class='quiet'>{ABOUT if rows else ''} Research, not for diagnosis.</p>"
        f"<ul>{''.join(map(_row, rows))}</ul>"
    )


def _row(row):
    study, since = html.escape(row["study"]), html.escape(row.get("when", "")[:16].replace("T", " "))
    told = "".join(
        f"<p class='why'><span class='name'>{_shown(one['reason'])}</span>: {html.escape(one['means'])}."
        + (f" <span class='do'>To do: {html.escape(one['do'])}.</span>" if one["do"] else "")
        for one in row["reasons"]
    )
    return (
        f"<li class='row {html.escape(row['state'])}'><div class='about'><a title='Open this study in Orthanc'"
        f" href='../app/explorer.html#study?uuid={study}'>{study[:8]}</a><br>{since} UTC</div>"
        f"<div class='told'>{told}</div>"
        f"<form method='post' action='worklist/{study}/again'><button aria-label='Ask again about study {study[:8]}'>"
        "Ask again</button></form></li>"
    )


def _shown(reason):
    return html.escape(reason.replace("_", " "))


# --- inside Orthanc ---------------------------------------------------------------------------------------------------
class Inside:
    """Orthanc as the loop knows it."""

    def __init__(self, orthanc):
        self._orthanc = orthanc

    def get(self, path):
        try:
            return self._orthanc.RestApiGet(path)
        except self._orthanc.OrthancException as error:
            raise KeyError(path) from error

    def post(self, path, body):
        try:
            return self._orthanc.RestApiPost(path, body)
        except self._orthanc.OrthancException as error:
            raise KeyError(path) from error

    def put(self, path, body):
        self._orthanc.RestApiPut(path, body)

    def property(self, number):
        return self._orthanc.GetGlobalProperty(number, "")

    def set_property(self, number, text):
        self._orthanc.SetGlobalProperty(number, text)


def begin(orthanc):
    """Start the loop beside Orthanc and end it with Orthanc; offer the worklist."""
    settings = json.loads(orthanc.GetConfiguration()).get("Radia", {})
    loop = Loop(Inside(orthanc), asker(settings), settings, orthanc.LogWarning)
    ends = threading.Event()

    def run():
        wait = 0.0
        while not ends.wait(wait):
            try:
                wait = loop.step()
            except Exception as error:  # whatever it is, the next round begins where this one stopped
                orthanc.LogError(f"radia: {type(error).__name__}")
                wait = MOST_WAIT_S

    thread = threading.Thread(target=run, name="radia", daemon=True)

    def changed(kind, _level, _resource):
        if kind == orthanc.ChangeType.ORTHANC_STARTED:
            thread.start()
        elif kind == orthanc.ChangeType.ORTHANC_STOPPED:
            ends.set()
            if thread.is_alive():
                thread.join(5)

    def worklist(output, _uri, **request):
        if request["method"] != "GET":
            output.SendMethodNotAllowed("GET")
            return
        rows = loop.worklist()
        if "text/html" in request.get("headers", {}).get("accept", ""):
            output.AnswerBuffer(page(rows), "text/html")
        else:
            output.AnswerBuffer(json.dumps(rows), "application/json")

    def again(output, _uri, **request):
        if request["method"] != "POST":
            output.SendMethodNotAllowed("POST")
        elif loop.again(request["groups"][0]):
            output.Redirect("../../worklist")
        else:
            output.SendHttpStatusCode(404)

    orthanc.RegisterOnChangeCallback(changed)
    orthanc.RegisterRestCallback("/radia/worklist", worklist)
    orthanc.RegisterRestCallback("/radia/worklist/([0-9a-f-]+)/again", again)


try:
    import orthanc as _orthanc
except ImportError:
    pass  # read by somebody else than Orthanc
else:
    begin(_orthanc)
