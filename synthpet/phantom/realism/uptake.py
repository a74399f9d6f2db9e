"""How regional uptake differs between people: the figures, of simulated people, that are published of real ones.

Regions are a person's own: the template's, carried along by the deformation, within the person's own grey matter.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.realism.people import YOUNG, Seen
from synthpet.phantom.variation import real_people
from synthpet.template.gyri import gyrus_points

DISTANCE_MM = (20.0, 30.0, 45.0, 60.0, 80.0)  # upper ends of classes; beyond: one more


def regional_table(people: Sequence[Seen]) -> list[dict[str, object]]:
    """A row a region: standard deviation, mirror correlation, asymmetry, slope, simulated and real."""
    real = real_people()
    young = [seen for seen in people if seen.age <= YOUNG[1]]
    uptake = np.stack([seen.uptake for seen in young])
    sd, mirror, asymmetry = spread(uptake), mirror_correlation(uptake), asymmetry_sd(uptake)
    slope = slopes(people)
    return [
        {
            "region": name, "sd": sd[k], "sd_real": real.sd[k], "mirror": mirror[k],
            "mirror_real": real.other_side[k, k], "asymmetry_sd": asymmetry[k],
            "asymmetry_sd_real": real.asymmetry_sd[k], "slope_decade": slope[k], "slope_decade_real": real.slope[k],
        }
        for k, name in enumerate(real.names)
    ]  # fmt: skip


def spread(uptake: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation between people, (n,), of (people, n, 2): root mean square of the sides."""
    return np.sqrt(np.mean(uptake.std(axis=0, ddof=1) ** 2, axis=1))


def mirror_correlation(uptake: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of a region with its mirror image, (n,), of (people, n, 2)."""
    return np.array([np.corrcoef(uptake[:, k, 0], uptake[:, k, 1])[0, 1] for k in range(uptake.shape[1])])


def asymmetry_sd(uptake: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation of left minus right, (n,), of (people, n, 2)."""
    return (uptake[..., 0] - uptake[..., 1]).std(axis=0, ddof=1)


def slopes(people: Sequence[Seen]) -> NDArray[np.float64]:
    """Change of the log of a region's uptake per decade of age, mean of the sides, (n,)."""
    decades = np.array([seen.age for seen in people]) / 10
    uptake = np.stack([seen.uptake.mean(axis=1) for seen in people])
    return np.polyfit(decades, uptake, 1)[0]


def explained_by_volume(people: Sequence[Seen]) -> NDArray[np.float64]:
    """Share of each region's variance, (n,), that age and the volumes of region and brain explain; sides' mean."""
    age = np.array([seen.age for seen in people])
    brain = np.array([seen.mask.sum() for seen in people], float)
    found = []
    for k in range(len(real_people().names)):
        sides = []
        for side in (0, 1):
            volume = [seen.volume[k, side] for seen in people]
            design = np.column_stack([np.ones(len(people)), age, volume, brain])
            sides.append(_r2(design, np.array([seen.uptake[k, side] for seen in people])))
        found.append(np.mean(sides))
    return np.array(found)


def explained_by_expected(people: Sequence[Seen]) -> NDArray[np.float64]:
    """Share of each region's variance, (n,), that the expected PET explains; mean of the sides."""
    return np.array(
        [
            np.mean([
                np.corrcoef([seen.uptake[k, s] for seen in people], [seen.expected[k, s] for seen in people])[0, 1] ** 2
                for s in (0, 1)
            ])
            for k in range(len(real_people().names))
        ]
    )  # fmt: skip


def _r2(design: NDArray, values: NDArray) -> float:
    """Share of the variance of values (people,) that a design (people, columns) explains."""
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float(1 - np.var(values - fitted) / np.var(values))


def correlation_by_distance(uptake: NDArray[np.float64]) -> list[float]:
    """As ``mean_by_distance``, of log uptake (people, n, 2): between regions of one side, both sides averaged."""
    return mean_by_distance(np.mean([np.corrcoef(uptake[..., side].T) for side in (0, 1)], axis=0))


def mean_by_distance(correlation: NDArray[np.float64]) -> list[float]:
    """Mean of a correlation (n, n) of the regions of one side, by the distance of their middles (``DISTANCE_MM``)."""
    points, names = gyrus_points(), real_people().names
    middle = np.stack([points.xyz_mm[points.region == k].mean(axis=0) for k in range(len(points.names))])
    index = [names.index(name) for name in points.names]
    distance = np.linalg.norm(middle[:, None] - middle, axis=-1)
    edges = (0.0, *DISTANCE_MM, np.inf)
    above, among = np.triu(np.ones_like(distance, bool), 1), correlation[np.ix_(index, index)]
    return [float(among[above & (distance > low) & (distance <= high)].mean()) for low, high in pairwise(edges)]
