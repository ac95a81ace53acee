"""A road as a camera sees it, and the angle to steer by: drawn images, for networks that learn numbers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from lava_qsnn.train.data._base import Arrays, SampleData
from lava_qsnn.train.description import Description

Floats = NDArray[np.float64]

#: The camera: rows and columns, the row of the horizon, the focal length in pixels, metres above the road.
ROWS, COLUMNS, HORIZON, FOCAL, HEIGHT = 24, 48, 6.0, 40.0, 1.2

#: The lane and its two lines, in metres.
LANE, LINE = 3.5, 0.3

#: The greatest curvature (1 / m), offset from the lane's middle (m) and angle to the lane (radians) of a sample.
RANGES = (0.02, 1.0, 0.08)

#: Metres between the axles, and ahead to the point that is steered for.
AXLES, AHEAD = 2.7, 12.0

#: The brightness of the road; what the sky has more, and what lines have more (least, greatest); and the noise.
ROAD, SKY, LINES, NOISE = 0.2, 0.3, (0.25, 0.75), 0.15


class Road(SampleData):
    """5,000 drawn images of 24 x 48 grey pixels, 1,000 of them for the test, and the angle to steer by, in degrees.

    A flat road of constant curvature, seen from a place beside the lane's middle, at an angle to it, with lines that
    are more or less worn, and noise. No photograph is among them. Angles to the right are positive.
    """

    shape = (1, ROWS, COLUMNS)
    names = ("steering",)
    training: ClassVar[int] = 4000
    tests: ClassVar[int] = 1000

    @property
    def description(self) -> Description:
        """Of angles whose mean is 0 and whose deviation is 2.5 degrees, by their construction."""
        return Description(self.shape, self.names, mean=(0.0,), deviation=(2.5,))

    def read(self) -> tuple[Arrays, Arrays]:
        training, test = (self._drawn(count, seed) for seed, count in enumerate((self.training, self.tests)))
        return training, test

    def _drawn(self, count: int, seed: int) -> Arrays:
        random = np.random.default_rng(seed)
        places = random.uniform(-1, 1, (count, 3)) * RANGES
        images = drawn(places, random)
        pixels = np.rint(images * (2**self.data.input_bits - 1)).astype(np.uint8)
        return Arrays(torch.from_numpy(pixels[:, None]), torch.from_numpy(steering(places)[:, None]))


def lateral(places: Floats, distance: Floats) -> Floats:
    """The middle of the lane, metres to the right of where the car is heading for.

    Args:
        places: (N, 3), curvature (1 / m), offset from the lane's middle (m) and angle to the lane (radians), each
            small, and positive to the right.
        distance: (M,), metres ahead.

    Returns:
        (N, M).
    """
    curvature, offset, angle = places.T[:, :, None]
    return curvature * distance**2 / 2 - offset - angle * distance


def steering(places: Floats) -> Floats:
    """The angle of the front wheels that drives to the lane's middle some way ahead, in degrees, (N,).

    Pure pursuit: the arc through the point at distance d and lateral distance x has the curvature 2 x / (d^2 + x^2),
    which a car with the axles l apart drives at the angle atan(l times it) (Coulter, Implementation of the Pure Pursuit
    Path Tracking Algorithm, CMU-RI-TR-92-01, 1992).

    Args:
        places: as of `lateral`.
    """
    x = lateral(places, np.array([AHEAD]))[:, 0]
    return np.degrees(np.arctan(2 * AXLES * x / (AHEAD**2 + x**2)))


def drawn(places: Floats, random: np.random.Generator) -> Floats:
    """Images of the road from each place, (N, 24, 48), from 0 to 1.

    A pinhole camera: what lies z ahead and x to the right is seen FOCAL * x / z columns right of the middle, and the
    road FOCAL * HEIGHT / z rows below the horizon. Lines are drawn with soft edges, never thinner than a pixel.

    Args:
        places: as of `lateral`.
        random: of worn lines and of noise.
    """
    rows, columns = np.arange(ROWS) + 0.5, np.arange(COLUMNS) + 0.5 - COLUMNS / 2
    below = rows > HORIZON
    distance = FOCAL * HEIGHT / (rows[below] - HORIZON)
    images = np.full((len(places), ROWS, COLUMNS), ROAD)
    images[:, ~below] += SKY
    middle, width = lateral(places, distance), np.maximum(1.0, FOCAL * LINE / distance)[:, None]
    worn = random.uniform(*LINES, (len(places), 2, 1, 1))
    for side, bright in zip((-1, 1), worn.swapaxes(0, 1)):
        line = FOCAL * (middle + side * LANE / 2) / distance
        images[:, below] += bright * np.maximum(0.0, 1 - abs(columns - line[..., None]) / width)
    images += NOISE * random.uniform(-1, 1, images.shape)
    return images.clip(0, 1)
