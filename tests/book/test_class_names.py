"""The names of CIFAR-100's classes, against what is known of them elsewhere."""

from __future__ import annotations

from companion import data
from companion.book.class_names import CIFAR100
from companion.book.photographs import CLASSES


def test_the_names_are_a_hundred_in_the_order_of_the_alphabet() -> None:
    assert len(set(CIFAR100)) == data.DATASETS["cifar100"].num_classes
    assert list(CIFAR100) == sorted(CIFAR100)


def test_the_numbers_of_the_classes_are_the_data_sets() -> None:
    assert CIFAR100[:10] == data.DATASETS["cifar100"].first_classes
    assert {name: CIFAR100.index(name) for name in CLASSES} == CLASSES
