"""The drawn road: the numbers to learn follow from geometry, and images show what they follow from."""

from __future__ import annotations

import numpy as np
import pytest

from lava_qsnn.train.config import load_config
from lava_qsnn.train.data import _road, make

STRAIGHT = np.zeros((1, 3))


def places(**given: float) -> np.ndarray:
    order = ("curvature", "offset", "angle")
    return np.array([[given.get(name, 0.0) for name in order]])


@pytest.mark.parametrize(("name", "value", "side"), [("curvature", 0.02, 1), ("offset", 1.0, -1), ("angle", 0.08, -1)])
def test_one_steers_into_the_curve_and_back_to_the_lane(name: str, value: float, side: int) -> None:
    right, left = (_road.steering(places(**{name: sign * value}))[0] for sign in (1, -1))
    assert side * right > 1
    assert left == -right
    assert _road.steering(STRAIGHT)[0] == 0


def test_the_angle_drives_to_the_lanes_middle() -> None:
    """Along the circle that a car drives at the angle, by small steps, to the point that was aimed at."""
    place = places(curvature=0.015, offset=-0.7, angle=0.03)
    curvature = np.tan(np.radians(_road.steering(place)[0])) / _road.AXLES
    steps, position, heading = 100_000, np.zeros(2), 0.0
    goal = np.array([_road.lateral(place, np.array([_road.AHEAD]))[0, 0], _road.AHEAD])
    arc = 2 * np.arcsin(np.hypot(*goal) * curvature / 2) / curvature
    for _ in range(steps):
        position += arc / steps * np.array([np.sin(heading), np.cos(heading)])
        heading += arc / steps * curvature
    assert position == pytest.approx(goal, abs=1e-3)


def test_a_straight_road_is_its_own_mirror_image_and_a_curve_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_road, "NOISE", 0.0)
    monkeypatch.setattr(_road, "LINES", (0.5, 0.5))
    random = np.random.default_rng(0)
    image, curve, offset = (
        _road.drawn(place, random)[0] for place in (STRAIGHT, places(curvature=0.02), places(offset=1.0))
    )
    assert np.allclose(image, image[:, ::-1])
    assert len(np.unique(image)) > 10
    columns = np.arange(_road.COLUMNS)
    seen = {name: (each * columns).sum(1) / each.sum(1) for name, each in (("curve", curve), ("offset", offset))}
    middle = (_road.COLUMNS - 1) / 2
    assert seen["curve"][8] > middle, "far ahead, the road is to the right"
    assert seen["offset"][14] < middle, "near, it lies to the left of who drives to its right"


def test_samples_are_the_same_each_time_and_fill_their_range() -> None:
    part = load_config("road").data
    (x, y), (again, numbers) = (make(part).test_arrays() for _ in range(2))
    assert np.array_equal(x, again)
    assert np.array_equal(y, numbers)
    assert x.shape == (1000, 1152, 4)
    assert (x.min(), x.max()) == (0, 2**part.input_bits - 1)
    assert np.array_equal(x[..., 0], x[..., 3])
    known = make(part).description
    assert known.of_numbers
    assert abs(y.mean() - known.mean[0]) < 0.1
    assert y.std() == pytest.approx(known.deviation[0], rel=0.1)
    assert 5.4 < y.var() < 5.6, "as the model card says"


def test_training_and_test_samples_are_others() -> None:
    data = make(load_config("road").data)
    data.setup()
    sizes = {name: len(data.part(name)) for name in ("train", "validation", "test")}
    assert sizes == {"train": 3600, "validation": 400, "test": 1000}
    angles = [set(data.part(name).labels.flatten().tolist()) for name in sizes]
    assert not angles[0] & angles[1]
    assert not (angles[0] | angles[1]) & angles[2]
