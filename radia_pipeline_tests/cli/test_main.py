"""The command line as a stranger meets it: exit codes, errors in words, JSON, and no private value in any of them."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from radia_pipeline.cli import main as module
from radia_pipeline.errors import BadInput, RunFailed

COMMANDS = sorted(module.cli.commands)


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    code = module.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only tests use")
    monkeypatch.delenv("RADIA_LAKE", raising=False)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_everywhere(capsys, command):
    code, out, _ = call(capsys, *filter(None, [command]), "--help")
    assert code == 0
    assert out.startswith("Usage: radia")


def test_unknown_command_and_option_are_usage_errors(capsys):
    for arguments in (["frobnicate"], ["run", "--frob"], ["ingest"]):
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("Error:")
        assert "--help" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "--sources-root"),
        (["run", "--sources-root", "nowhere"], "No known dataset layout"),
        (["run", "--sources-root", ".", "--source", "mars"], "Unknown source 'mars'"),
        (["run", "--sources-root", ".", "--recipe", "mars"], "Unknown recipe 'mars'"),
        (["ingest", ".", "--source", "mars"], "Unknown source 'mars'"),
        (["ingest", ".", "--source", "ccsmtl"], "No ccsmtl delivery"),
        (["label", "absent.csv"], "absent.csv"),
    ],
)
def test_bad_input_is_exit_code_2_in_words_and_in_json(capsys, arguments, words):
    code, _, err = call(capsys, *arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in err
    code, out, _ = call(capsys, *arguments, "--json")
    assert code == 2
    assert words in json.loads(out.splitlines()[-1])["error"]


@pytest.mark.parametrize("arguments", [["train", "demo_linear"], ["predict", "a.png"], ["ui"]])
def test_asking_before_there_is_a_lake_is_exit_code_1(capsys, arguments):
    code, _, err = call(capsys, *arguments)
    assert code == 1
    assert "no lake" in err


def plant(error):
    @click.command("planted")
    def planted() -> None:
        raise error

    return planted


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (BadInput("Received a stone", accepted="bread", do="ask again"), 2, "Accepted: bread. Do: ask again."),
        (RunFailed("The oven is cold"), 1, "The oven is cold."),
        (KeyboardInterrupt(), 1, "the same command continues"),
    ],
)
def test_errors_keep_their_words_and_code(capsys, monkeypatch, error, code, words):
    monkeypatch.setitem(module.cli.commands, "planted", plant(error))
    got, _, err = call(capsys, "planted")
    assert got == code
    assert words in err


def test_a_command_that_answers_no_exits_with_1(capsys, monkeypatch):
    monkeypatch.setitem(module.cli.commands, "planted", plant(click.exceptions.Exit(1)))
    assert call(capsys, "planted")[0] == 1


def test_an_unexpected_error_shows_its_place_and_never_its_value(capsys, monkeypatch):
    monkeypatch.setitem(module.cli.commands, "planted", plant(ValueError("Jeanne Tremblay, 1950")))
    code, out, err = call(capsys, "planted")
    assert code == 1
    assert "Unexpected ValueError at test_cli.py" in err
    assert "Jeanne" not in out + err


def test_help_is_quick_because_nothing_heavy_is_imported():
    heavy = ("torch", "dagster", "mlflow", "pandas")
    code = (
        "import sys; from radia_pipeline.cli.main import main; main(['--help']); "
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_labels_come_as_json_lines_from_standard_input(capsys, tmp_path):
    (tmp_path / "r.csv").write_text("id,text\n1,Pas de pneumothorax. Cardiomégalie.\n2,\n", encoding="utf-8")
    code, out, _ = call(capsys, "label", "r.csv")
    first, second = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert first["labels"] == {"Cardiomegaly": 1, "Pneumothorax": 0, "No Finding": 0}
    assert first["mentions"]
    assert (second["id"], second["labels"]) == ("2", {})
