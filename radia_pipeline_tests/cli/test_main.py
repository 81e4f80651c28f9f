"""The command line as a stranger meets it: exit codes, errors in words, JSON, and no private value in any of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from radia_pipeline.cli import main as module
from radia_pipeline.errors import BadInput, RunFailed

CONTEXT = click.Context(module.radia)
COMMANDS = module.radia.list_commands(CONTEXT)
FILES = {path.stem for path in Path(module.__file__).parent.glob("*.py")} - {"__init__"}


def leaves() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command that does something, by the words that call it."""
    for name in COMMANDS:
        command = module.radia.get_command(CONTEXT, name)
        inner = command.commands if isinstance(command, click.Group) else {}
        yield from (((name, word), found) for word, found in inner.items()) if inner else [((name,), command)]


LEAVES = dict(leaves())


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    code = module.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only tests use")
    monkeypatch.delenv("RADIA_LAKE", raising=False)


def test_every_file_of_the_folder_is_a_command_or_named_as_none():
    assert set(COMMANDS) == FILES - module.NOT_COMMANDS
    assert module.NOT_COMMANDS < FILES


PATHS = [
    (words, parameter)
    for words, command in LEAVES.items()
    for parameter in command.params
    if isinstance(parameter.type, click.Path)
]


@pytest.mark.parametrize(("words", "parameter"), PATHS, ids=lambda one: getattr(one, "name", None) or "-".join(one))
def test_an_empty_path_is_never_the_folder_here(words, parameter):
    with pytest.raises(click.BadParameter, match="the path is empty"):
        parameter.type_cast_value(CONTEXT, ("",) if parameter.nargs == -1 else "")


def test_a_file_laid_into_the_folder_is_a_command(capsys, tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(
        'import click\n\n@click.command()\ndef planted():\n    """Bear fruit."""\n    click.echo("an apple")\n'
    )
    monkeypatch.setattr(module.cli, "__path__", [*module.cli.__path__, str(tmp_path)])
    assert "planted" in call(capsys, "--help")[1]
    assert call(capsys, "planted")[:2] == (0, "an apple\n")
    module.radia.commands.pop("planted")


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), *LEAVES], ids=" ".join)
def test_help_everywhere(capsys, words):
    code, out, _ = call(capsys, *words, "--help")
    assert code == 0
    assert out.startswith("Usage: radia")


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_reads_well(words):
    command = LEAVES[words]
    first = command.help.splitlines()[0]
    assert first.endswith((".", "?"))
    assert first[0].isupper()
    assert not command.get_short_help_str(limit=60).endswith("..."), "the first line is too long for a list"
    for option in command.params:
        assert isinstance(option, click.Argument) or option.help, option.name


@pytest.mark.parametrize("words", [words for words in LEAVES if words != ("ui",)], ids=" ".join)
def test_every_command_that_ends_by_itself_answers_in_json(words):
    assert "--json" in {name for option in LEAVES[words].params for name in option.opts}


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["manifest", "export", "--out", "x", "--to", "stone"], ("csv", "parquet", "coco", "torchxrayvision")),
        (["boxes", "export", "--out", "x", "--to", "stone"], ("coco", "yolo", "labelstudio")),
        (["boxes", "export", "--out", "x", "--to", "coco", "--table", "x"], ("pseudo_boxes", "box_annotations")),
        (["model", "export", "x", "--out", "x", "--to", "stone"], ("onnx", "safetensors", "torchxrayvision")),
        (["run", "--official-split", "x"], ("ignore", "respect")),
        (["run", "--ocr", "x"], ("auto", "off", "require")),
    ],
)
def test_a_choice_is_refused_with_the_names_of_its_table_and_help_shows_them(capsys, arguments, names):
    code, _, err = call(capsys, *arguments)
    assert code == 2
    assert all(name in err for name in names)
    words = [word for word in arguments[:2] if not word.startswith("-")]
    assert "|".join(names) in call(capsys, *words, "--help")[1]


def test_unknown_command_and_option_are_usage_errors(capsys):
    for arguments in (["frobnicate"], ["main"], ["run", "--frob"], ["ingest"], ["tables", "frob"]):
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
    monkeypatch.setitem(module.radia.commands, "planted", plant(error))
    got, _, err = call(capsys, "planted")
    assert got == code
    assert words in err


def test_a_command_that_answers_no_exits_with_1(capsys, monkeypatch):
    monkeypatch.setitem(module.radia.commands, "planted", plant(click.exceptions.Exit(1)))
    assert call(capsys, "planted")[0] == 1


def test_an_unexpected_error_shows_its_place_and_never_its_value(capsys, monkeypatch):
    monkeypatch.setitem(module.radia.commands, "planted", plant(ValueError("Jeanne Tremblay, 1950")))
    code, out, err = call(capsys, "planted")
    assert code == 1
    assert "Unexpected ValueError at test_main.py" in err
    assert "Jeanne" not in out + err


def test_help_is_quick_because_nothing_heavy_is_imported():
    heavy = ("torch", "dagster", "mlflow", "pandas", "numpy", "pyarrow", "pydantic")
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


def test_labels_of_a_file_in_another_encoding_come_where_it_is_named(capsys, tmp_path):
    (tmp_path / "r.csv").write_bytes("id;text\n1;Œdème pulmonaire.\n".encode("cp1252"))
    assert call(capsys, "label", "r.csv")[0] == 2
    code, out, _ = call(capsys, "label", "r.csv", "--encoding", "cp1252")
    assert (code, json.loads(out)["labels"]["Edema"]) == (0, 1)
