"""How large and how fast: a page whose viewer holds five layers at full resolution, written, opened and scrolled.

The template at 1 mm with noise stands for the T1, smooth fields with noise for the PETs, their difference and the
anomaly map. Opening is timed in headless Chromium without a GPU, from the request to the load event and, once the
viewer is in sight, until every layer is unpacked; a slice is one press of a key until the next frame has been drawn.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from table import Row, seconds, words

from synthpet.report.html import Page, Section
from synthpet.report.viewer import Layer, Viewer, make_viewer
from synthpet.template.icbm import template_grid, template_images
from synthpet.template.smoothing import FWHM_PER_SIGMA
from tests.report.browser import CHROMIUM, Browser

RESOLUTION_MM = 1.0
N_SLICES = 20
SLICES = f"""(async () => {{
  const canvas = document.querySelector(".viewer canvas"), start = performance.now();
  for (let k = 0; k < {N_SLICES}; k++) {{
    canvas.dispatchEvent(new KeyboardEvent("keydown", {{ key: "PageUp" }}));
    await new Promise((done) => requestAnimationFrame(done));
  }}
  return (performance.now() - start) / {N_SLICES} / 1000;
}})()"""


def five_layers(resolution_mm: float) -> Callable[[], Viewer]:
    """What packs T1, PET, expected PET, their difference and an anomaly map of nobody."""
    grid = template_grid(resolution_mm)
    template, rng = template_images(grid), np.random.default_rng(0)

    def noise(fwhm_mm: float) -> NDArray[np.float64]:
        field = gaussian_filter(rng.standard_normal(grid.shape), fwhm_mm / FWHM_PER_SIGMA / resolution_mm)
        return field / field.std()

    expected = gaussian_filter(0.7 * template.t1w + 0.8 * template.gm, 2.0 / resolution_mm)
    pet, z = expected + 0.05 * noise(5.0), noise(8.0)
    layers = [
        Layer("T1", template.t1w + 0.03 * noise(0.0), "gray", (0.0, 1.1), "T1, scaled"),
        Layer("PET", pet, "inferno", (0.0, 1.8), "PET, SUVR", pet=True),
        Layer("expected PET", expected, "inferno", (0.0, 1.8), "PET, SUVR", pet=True),
        Layer("difference", pet - expected, "RdBu_r", (-0.5, 0.5), "PET, SUVR"),
        Layer("anomaly map", z, "magma", (1.0, 6.0), "z"),
    ]
    candidates, middle = [("candidates", "cyan", (z > 3) & template.brain_mask)], [("middle", (-26.0, -18.0, 8.0))]
    return partial(
        make_viewer, layers, template.brain_mask, grid, outlined=candidates, places=middle, caption="Nobody."
    )


def write(viewer: Viewer, path: Path) -> None:
    """The page with nothing but the viewer."""
    path.write_text(Page("A viewer", [Section("Scroll through the images", [viewer])]).render())


def rows(tiny: bool = False) -> Iterator[Row]:
    """Writing, size, opening, unpacking, scrolling."""
    resolution_mm = 6.0 if tiny else RESOLUTION_MM
    pack, made = five_layers(resolution_mm), []
    packing = seconds(lambda: made.append(pack()))
    shape = "x".join(str(n) for n in made[0].content["shape"])
    with tempfile.TemporaryDirectory(prefix="synthpet-viewer-") as name:
        path = Path(name) / "report.html"
        rendering = seconds(lambda: write(made[0], path))
        part = f"page with a viewer, 5 layers of {shape}, {path.stat().st_size / 1e6:.1f} MB"
        yield Row(f"{part}: packed", "-", words(packing), "-", "-", "under 5 s")
        yield Row(f"{part}: rendered", "-", words(rendering), "-", "-", "under 1 s")
        if not CHROMIUM:
            return
        browser = Browser()
        try:
            opening = seconds(lambda: browser.open(path, 1400, 1000))
            start = "document.querySelector('.viewer').scrollIntoView()"
            ready = "document.querySelector('.viewer').dataset.ready"
            unpacking = seconds(lambda: (browser.ask(start), browser.wait(ready)))
            slice_s = browser.ask(SLICES)
        finally:
            browser.close()
    yield Row(f"{part}: opened", "-", words(opening), "-", "-", "under 1 s")
    yield Row(f"{part}: every layer unpacked", "-", words(unpacking), "-", "-", "under 3 s")
    yield Row(f"{part}: one slice on", "-", words(slice_s), "-", "-", "under 0.1 s")
