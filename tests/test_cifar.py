"""What lies where CIFAR is looked for, or comes in its place, is named for what it is."""

import errno
import http.server
import io
import threading
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy
from torchvision.datasets import CIFAR10, cifar

from companion import data

NAMES = ("x_train", "y_train", "x_test", "y_test")


def member(shape, content=b"\0" * 64, descr="|u1"):
    """Return an array's header, whatever it promises, and some data."""
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def archive(folder, content, **changes):
    """Write an archive whose members all hold the content, but for the changed ones."""
    path = Path(folder) / "cifar10.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in NAMES:
            file.writestr(f"{name}.npy", changes.pop(name, content))
        for name, value in changes.items():
            file.writestr(f"{name}.npy", value)
    return path


def mark(path, offset, change):
    """Change a byte of every member's two headers."""
    content = bytearray(path.read_bytes())
    for sign, at in ((b"PK\x01\x02", offset + 2), (b"PK\x03\x04", offset)):
        place = content.find(sign)
        while place >= 0:
            content[place + at] = change(content[place + at])
            place = content.find(sign, place + 1)
    path.write_bytes(bytes(content))


def nested_header():
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': " + b"(" * 60
    return npy.MAGIC_PREFIX + b"\x01\x00\x76\x00" + text.ljust(118)


FOREIGN = {
    "a terabyte promised": (member((10**12,)), {}, r"x_train must be \(50000, 32, 32, 3\) uint8.*promises"),
    "too many labels": (member((4,)), {"y_test": member((80_001,))}, r"y_test must be \(10000,\) integers"),
    "a shape that overflows": (member((2**40, 2**40)), {}, "promises"),
    "fewer data than promised": (member((100,)), {}, "fewer data than its header says"),
    "more data than promised": (member((4,), b"\0" * 10**6), {}, "more data than its header says"),
    "text": (b"text", {}, "damaged"),
    "nothing": (b"", {}, "damaged"),
    "a header that does not end": (nested_header(), {}, "damaged"),
    "pickled objects": (member((4,), b"\x80\x04N.", "|O"), {}, "pickled objects"),
    "names that are numbers": (member((64,)), {"class_names": member((10,))}, "must be a list of texts"),
    "one name": (member((64,)), {"class_names": member((), b"\0" * 4, "<U1")}, "must be a list of texts"),
    "endless names": (
        member((64,)), {"class_names": member((10,), b"", "<U99999999")}, "must be a list of texts"
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_archive_is_refused_in_a_sentence_and_little_memory(tmp_path, kind):
    content, changes, message = FOREIGN[kind]
    archive(tmp_path, content, **changes)
    tracemalloc.start()
    try:
        with pytest.raises(data.DataError, match=message) as said:
            data.load("cifar10", root=tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert "cifar10.npz" in str(said.value)
    assert "\n" not in str(said.value)


def test_an_encrypted_archive_and_one_of_another_method_are_refused(tmp_path):
    mark(archive(tmp_path, member((64,))), 6, lambda flags: flags | 1)
    with pytest.raises(data.DataError, match="is encrypted"):
        data.load("cifar10", root=tmp_path)
    mark(archive(tmp_path, member((64,))), 8, lambda _: 97)
    with pytest.raises(data.DataError, match="damaged.*compression"):
        data.load("cifar10", root=tmp_path)


def test_a_flipped_bit_in_the_data_is_noticed(tmp_path):
    images = np.zeros((2, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "cifar10.npz", **{n: images if n[0] == "x" else np.zeros(2, int) for n in NAMES})
    content = bytearray((tmp_path / "cifar10.npz").read_bytes())
    content[1000] ^= 1
    (tmp_path / "cifar10.npz").write_bytes(content)
    with pytest.raises(data.DataError, match="CRC"):
        data.load("cifar10", root=tmp_path)


@pytest.mark.parametrize("kind", [np.str_, np.bytes_])
def test_names_may_be_texts_of_either_kind(tmp_path, kind):
    counts = {"train": 50_000, "test": 10_000}
    arrays = {f"x_{part}": np.zeros((count, 32, 32, 3), np.uint8) for part, count in counts.items()}
    arrays |= {f"y_{part}": np.arange(count) % 10 for part, count in counts.items()}
    np.savez_compressed(tmp_path / "cifar10.npz", class_names=np.array(list("abcdefghij"), kind), **arrays)
    assert data.load("cifar10", root=tmp_path).class_names == tuple("abcdefghij")


@pytest.fixture
def portal(monkeypatch):
    """Answer every download with a page to log in."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!DOCTYPE html><html>log in first</html>")

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{CIFAR10.filename}"
        monkeypatch.setattr(CIFAR10, "url", address)
        yield address
        server.shutdown()


def test_a_page_to_log_in_is_named_and_the_next_call_downloads_again(tmp_path, portal, monkeypatch):
    with pytest.raises(data.DataError, match="web page: does the network ask to log in") as said:
        data.load("cifar10", root=tmp_path)
    assert portal in str(said.value)
    assert str(tmp_path / CIFAR10.filename) in str(said.value)
    assert "delete" not in str(said.value)
    asked = []
    monkeypatch.setattr(cifar, "download_and_extract_archive", lambda *args, **_: asked.append(args))
    with pytest.raises(data.DataError):
        data.load("cifar10", root=tmp_path)
    assert asked


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(data.DataError, match="file/data cannot be written.*root="):
        data.load("cifar10", root=tmp_path / "file" / "data")


def test_a_full_disk_is_named_and_nothing_half_written_is_left(tmp_path, monkeypatch):
    def fills(*_, **__):
        (tmp_path / CIFAR10.base_folder).mkdir()
        (tmp_path / CIFAR10.base_folder / "data_batch_1").write_bytes(b"half")
        (tmp_path / CIFAR10.filename).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cifar, "download_and_extract_archive", fills)
    with pytest.raises(data.DataError, match="is full.*free some space"):
        data.load("cifar10", root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_is_stopped_leaves_no_half_extracted_folder(tmp_path, monkeypatch):
    def stopped(*_, **__):
        (tmp_path / CIFAR10.base_folder).mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(cifar, "download_and_extract_archive", stopped)
    with pytest.raises(KeyboardInterrupt):
        data.load("cifar10", root=tmp_path)
    assert not (tmp_path / CIFAR10.base_folder).exists()
