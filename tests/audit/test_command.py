"""`companion audit`: an exit status that a script can use, and a sentence for every mistake."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from companion import cli
from companion.audit.loading import load_images, load_labels

MODELS = """
import torch
from torch import nn
from companion.audit import centred, shift_invariant

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(108, 5), nn.Softplus(), nn.Linear(5, 3))

def cured():
    return centred(build())

def certain():
    return shift_invariant(build())

def number():
    return 3

def fails():
    return {}["weights"]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("their_models.py").write_text(MODELS, encoding="utf-8")
    Path("broken_models.py").write_text("import no_such_package\n", encoding="utf-8")
    images = np.random.default_rng(0).integers(0, 256, (6, 6, 6, 3), dtype=np.uint8)
    np.savez("x.npz", images=images, labels=np.arange(6) % 3)
    Path("photographs").mkdir()
    for number, pixels in enumerate(images):
        Image.fromarray(pixels).save(f"photographs/{number}.png")
    return tmp_path


def run(*words: str) -> int:
    return cli.main(["audit", "--quiet", *words])


QUICKLY = ("--attributions", "saliency", "input_x_gradient")


def test_a_bare_model_fails_and_a_cured_one_passes(capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.random.get_rng_state()
    assert run("--model", "their_models.py:build", "--images", "x.npz", "--out", "report.html", *QUICKLY) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("Maps of the logit can be redrawn at will")
    assert re.search(r"saliency +logit moves \d", shown)
    assert "their_models.py:build" in Path("report.html").read_text(encoding="utf-8")
    for cure in ("cured", "certain"):
        assert run("--model", f"their_models.py:{cure}", "--images", "photographs", *QUICKLY) == 0
        assert capsys.readouterr().out.startswith("No map moved")
    torch.random.set_rng_state(state)


def test_the_outputs_that_one_uses_decide() -> None:
    asked = ("--model", "their_models:build", "--images", "x.npz", "--labels", "x.npz", *QUICKLY)
    assert run(*asked, "--outputs", "centred_logit", "probability") == 0
    assert run(*asked, "--outputs", "centred_logit", "logit") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--model", "their_models"], "--model takes module:function"),
        (["--model", "no_such_module:build"], "does not import: ModuleNotFoundError"),
        (["--model", "nowhere.py:build"], "there is no file nowhere.py"),
        (["--model", "broken_models.py:build"], "No module named 'no_such_package'"),
        (["--model", "their_models.py:bild"], "has no function 'bild'"),
        (["--model", "their_models.py:number"], "returned a int; it has to return an nn.Module"),
        (["--model", "their_models.py:fails"], "failed: KeyError: 'weights'"),
        (["--images", "nowhere"], "takes a folder of pictures"),
        (["--images", "nowhere.npz"], "No such file"),
        (["--images", "empty"], "there are no pictures in empty"),
        (["--images", "mixed"], "2 different sizes; give the model's, as in --size 224"),
        (["--images", "words.npy"], "must hold images"),
        (["--images", "bright.npy"], "must lie in [0, 1]"),
        (["--images", "photographs", "--size", "8"], "images of the size and number of channels"),
        (["--images", "photographs", "--grey"], "images of the size and number of channels"),
        (["--labels", "few.txt"], "holds 2 labels for 6 images"),
        (["--labels", "words.txt"], "one class index, a whole number"),
        (["--labels", "high.txt"], "this model's classes are 0 to 2"),
        (["--attributions", "salience"], "choose one of 'saliency'"),
        (["--outputs", "logits"], "choose one of 'logit'"),
        (["--limit", "0"], "--limit must be a whole number"),
        (["--out", "nowhere/report.html"], "there is no folder nowhere"),
        (["--out", "photographs"], "is a folder"),
        (["--device", "tpu9"], "use cpu, cuda or cuda:N"),
    ],
)
def test_a_mistake_gets_a_sentence_and_the_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("empty", "mixed"):
        Path(name).mkdir()
    for side in (5, 6):
        Image.new("RGB", (side, side)).save(f"mixed/{side}.png")
    np.save("words.npy", np.array(["a", "b"]))
    np.save("bright.npy", np.full((6, 3, 6, 6), 255.0))
    Path("few.txt").write_text("0\n1\n", encoding="utf-8")
    Path("words.txt").write_text("cat\n" * 6, encoding="utf-8")
    Path("high.txt").write_text("7\n" * 6, encoding="utf-8")
    usual = {"--model": ["their_models.py:build"], "--images": ["x.npz"], "--attributions": ["saliency"]}
    given = usual | {
        words[i]: [w for w in words[i + 1 : i + 2] if w[0] != "-"] for i in range(0, len(words), 2)
    }
    assert run(*(word for name, values in given.items() for word in (name, *values))) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err


def test_images_are_read_alike_from_bytes_numbers_and_pictures() -> None:
    stored = np.load("x.npz")["images"]
    np.save("last.npy", stored)
    np.save("first.npy", np.moveaxis(stored, -1, 1) / 255)
    wanted = torch.from_numpy(np.moveaxis(stored, -1, 1) / 255).float()
    for name in ("x.npz", "last.npy", "first.npy", "photographs"):
        torch.testing.assert_close(load_images(Path(name), limit=9), wanted)
    np.save("grey.npy", stored[..., 0])
    assert load_images(Path("grey.npy"), limit=2).shape == (2, 1, 6, 6)
    assert load_images(Path("photographs"), limit=2, size=3, grey=True).shape == (2, 1, 3, 3)


def test_labels_are_read_alike_from_text_and_arrays() -> None:
    Path("y.txt").write_text("0\n1\n2\n0\n1\n2\n", encoding="utf-8")
    assert load_labels(Path("y.txt"), 4).tolist() == load_labels(Path("x.npz"), 4).tolist() == [0, 1, 2, 0]


def test_the_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["audit", "--help"])
    assert "example:\n  companion audit --model" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more"])
def test_a_damaged_archive_is_a_sentence(content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("damaged.npz").write_bytes(content)
    words = ["audit", "--model", "their_models.py:build", "--images", "damaged.npz"]
    assert cli.main(words) == 2
    assert "damaged.npz is damaged or half-written" in capsys.readouterr().err
