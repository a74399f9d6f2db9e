"""A page with tables, pictures behind cells and a viewer of five small layers; what a reader does with it."""

import io

import numpy as np
from PIL import Image

from synthpet.report.html import Link, Page, Picture, Section, Table
from synthpet.report.viewer import Layer, make_viewer
from tests.conftest import GRID, ellipsoid

MASK = ellipsoid(0.9)
SPOT = (7, 12, 10)  # voxel
COPY = """((canvas) => {
  const pen = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  return pen;
})"""  # of a picture, to read from: reading from the picture itself would slow it down


def png(colour):
    stream = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(stream, "PNG")
    return stream.getvalue()


def cell(text):
    return Link(text, f"../evaluation/{text}/report.html", Picture(png("red"), f"caption {text}", text))


def make_page(radiological=False):
    numbers = Table(
        ("name", "value", "cm³"), [("a", "9", "-1.5"), ("b", "10", "+2"), ("c", "–", "0.5"), ("all", "x", "y")],
        "Numbers.", n_foot=1,
    )  # fmt: skip
    ranks = Table(("who", "one", "two"), [("p1", cell("11"), cell("12")), ("p2", cell("21"), "missed")], "Ranks.")
    volume = np.where(MASK, 0.5, 0).astype(np.float32)
    volume[SPOT] = 2.0
    place = GRID.matrix[:3, :3] @ SPOT + GRID.matrix[:3, 3]
    layers = [
        Layer("T1", volume, "gray", (0.0, 1.0), "T1"),
        Layer("PET", 0.8 * volume, "inferno", (0.0, 1.8), "PET, SUVR", pet=True),
        Layer("expected PET", 0.7 * volume, "inferno", (0.0, 1.8), "PET, SUVR", pet=True),
        Layer("difference", 0.1 * volume, "RdBu_r", (-0.5, 0.5), "PET, SUVR"),
        Layer("z", np.where(volume > 1, 6.0, 0.5 * MASK), "magma", (1.0, 6.0), "z"),
    ]
    viewer = make_viewer(
        layers, MASK, GRID, outlined=[("candidates", "cyan", volume > 1)],
        places=[("Candidate 1", place), ("middle", (0.0, 0.0, 0.0))], caption="Look.", radiological=radiological,
    )  # fmt: skip
    return Page(
        "<i>Test</i>",
        [Section("Tables", [numbers, ranks]), Section("Viewer", [viewer])],
        ["SIMULATED"],
        {"Config": "{}"},
    )


def drawn(page):
    """Wait until what has changed has been drawn."""
    page.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def read(page):
    return page.ask("document.querySelector('.viewer output').textContent")


def slide(page, label, value):
    """Set the slider of a label, or of an ``aria-label``, that starts so."""
    page.ask(
        "(() => { const slider = [...document.querySelectorAll('.viewer input[type=range]')].find((one) => "
        f"(one.ariaLabel ?? one.parentElement.textContent).startsWith('{label}'));"
        f"slider.value = {value}; slider.dispatchEvent(new Event('input')); }})()"
    )
    drawn(page)


def choose(page, label, value):
    """Choose in the list whose ``aria-label`` or label starts so."""
    page.ask(
        "(() => { const list = [...document.querySelectorAll('.viewer select')].find((one) => "
        f"(one.ariaLabel ?? one.parentElement.textContent).startsWith('{label}'));"
        f"list.value = [...list.options].find((one) => one.text === '{value}').value;"
        "list.dispatchEvent(new Event('change')); })()"
    )
    drawn(page)


def press_button(page, text, n=0):
    page.ask(f"[...document.querySelectorAll('.viewer button')].filter((b) => b.textContent === '{text}')[{n}].click()")
    drawn(page)


def switch(page, text):
    page.ask(f"[...document.querySelectorAll('.viewer label')].find((one) => one.textContent === ' {text}')"
             ".querySelector('input').click()")  # fmt: skip
    drawn(page)


def click(page, k, right, down):
    """Click into the k-th picture, at shares of its width and height."""
    picture = f"document.querySelectorAll('.viewer .rows > canvas')[{k}]"
    page.ask(f"{picture}.scrollIntoView({{block: 'center'}})")
    corner = f"(() => {{ const b = {picture}.getBoundingClientRect(); return [b.left, b.top, b.width, b.height] }})()"
    box = page.ask(corner)
    x, y = box[0] + right * box[2], box[1] + down * box[3]
    for kind in ("mousePressed", "mouseReleased"):
        page.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def here_mm(page):
    return [float(word) for word in read(page).split(" mm")[0].split()[1:]]


def colour(page, k, right, down):
    """Red, green and blue of the k-th picture at shares of its width and height."""
    return page.ask(
        f"(() => {{ const one = document.querySelectorAll('.viewer .rows > canvas')[{k}];"
        f"return [...{COPY}(one).getImageData({right} * one.width, {down} * one.height, 1, 1).data]"
        ".slice(0, 3); })()"
    )


def spot_in_axial():
    """Where the bright voxel lies in the axial picture, from the left and from the top, as shares of its size."""
    return bright()[0], 1 - bright()[1]


def bright():
    """Where the bright voxel lies in the box that is shown, as shares of its three sizes."""
    box = [np.flatnonzero(MASK.any(axis=tuple(b for b in range(3) if b != a))) for a in range(3)]
    first = [max(0, b[0] - round(6 / GRID.spacing_mm[a])) for a, b in enumerate(box)]
    last = [min(MASK.shape[a], b[-1] + 1 + round(6 / GRID.spacing_mm[a])) for a, b in enumerate(box)]
    return [(SPOT[a] + 0.5 - first[a]) / (last[a] - first[a]) for a in range(3)]


def bright_in_pictures(page):
    """Where white lies in the three planes of the T1, from the left and from below; hides crosshair and outline."""
    for name in ("crosshair", "outline: candidates"):
        switch(page, name)
    return page.ask(
        "[...document.querySelectorAll('.viewer .rows > canvas')].slice(0, 3).map((canvas) => {"
        f"const {{width, height}} = canvas, data = {COPY}(canvas).getImageData(0, 40, width, height - 40).data;"
        "let n = 0, x = 0, y = 0;"
        "for (let k = 0; k < data.length / 4; k++)"
        "  if (data[4 * k] > 250) { n++; x += k % width; y += Math.floor(k / width); }"
        "return [x / n / width, 1 - (y / n + 40) / height]; })"
    )
