"""The photographs are pictures, and of the classes that they are said to be."""

from __future__ import annotations

from companion.book.photographs import CLASSES, STRIP, photographs


def test_the_photographs_are_small_pictures_with_values_in_0_to_1():
    x, y = photographs()
    assert x.shape == (len(CLASSES), 3, 32, 32)
    assert float(x.min()) >= 0
    assert float(x.max()) <= 1
    assert len(y) == len(x)


def test_the_photographs_stand_in_the_order_of_their_names():
    x, _ = photographs()
    red, green, blue = x.mean(dim=(2, 3)).unbind(dim=1)
    sky, table = list(CLASSES).index("rocket"), list(CLASSES).index("cup")
    assert blue[sky] > 1.5 * red[sky]
    assert red[table] > 2 * blue[table]
    assert bool(((red - green).abs() < 0.2)[[0, 3]].all())


def test_every_photograph_has_its_source_and_its_licence():
    note = STRIP.with_suffix(".txt").read_text(encoding="utf-8")
    entries = [entry for entry in note.split("\n\n")[1].split("\n") if entry[:1].isdigit()]
    assert len(entries) == len(CLASSES)
    for name, entry in zip(CLASSES, entries, strict=True):
        assert name in entry
    assert note.count("ublic domain") + note.count("CC0") >= len(CLASSES)
