"""What the canvas shows: the native pixels through the film's own grey scale, whatever the window, zoom and screen."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.dicom.facts import PixelFacts
from radia_pipeline.dicom.greyscale import grey_scale
from radia_pipeline.dicom.render import render_native
from radia_pipeline.dicom.resample import area_average
from radia_pipeline.errors import DamagedFile
from radia_pipeline.usecases.native_pixels import native_film
from radia_pipeline_tests.review.page.browser import Sent, chromium

HEIGHT, WIDTH = 353, 402
OPEN = """async (film) => {
  const { Pane } = await import("/static/pane.js"), { Films } = await import("/static/films.js");
  window.pane?.close();
  const films = new Films(), place = document.getElementById("place");
  films.keep([film]);
  window.painted = 0;
  window.drawn = [];
  window.pane = new Pane(films, { onpaint: () => window.painted++ });
  pane.element.setAttribute("data-large", "");
  const where = () => [pane.scale, pane.left, pane.top];
  pane.element.addEventListener("drawn", ({ detail }) => drawn.push([detail.isNative, ...where()]));
  place.replaceChildren(pane.element);
  pane.show(film, () => "PA");
}"""
TO_ONE = "([x, y]) => { pane.fit(); pane.zoom(1, x * pane.canvas.width, y * pane.canvas.height, 1); }"
SHOWN = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const { canvas } = pane, data = pane.context.getImageData(0, 0, canvas.width, canvas.height).data;
  const grey = new Uint8Array(canvas.width * canvas.height);
  for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i];
  let text = "";
  for (let i = 0; i < grey.length; i += 8192) text += String.fromCharCode(...grey.subarray(i, i + 8192));
  const { left, top, scale, grey: look } = pane, { width, height } = canvas;
  done({ grey: btoa(text), width, height, left, top, scale, look });
})))"""


def facts(bits: int, *, is_inverted: bool = False, is_signed: bool = False) -> PixelFacts:
    """Return the facts of a film of the tests."""
    photometric = "MONOCHROME1" if is_inverted else "MONOCHROME2"
    known = {"bits_stored": bits, "bits_allocated": 16, "is_signed": is_signed, "photometric": photometric}
    made = object.__new__(PixelFacts)
    for name, value in known.items():
        object.__setattr__(made, name, value)
    return made


def picture(bits: int) -> np.ndarray:
    """Return values (H, W) that use the whole range and change from pixel to pixel."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    wave = (np.sin(x / 31) + np.cos(y / 23) + 2) / 4 * 0.9
    noise = np.random.default_rng(bits).uniform(0, 0.1, (HEIGHT, WIDTH))
    return np.rint((wave + noise) * ((1 << bits) - 1)).astype(np.uint16)


def lut(data: np.ndarray, first: int = 0) -> Dataset:
    """Return a VOI LUT of 12 bits."""
    item = Dataset()
    item.LUTDescriptor = [len(data), first, 12]
    item.LUTData = data.astype("<u2").tobytes()
    made = Dataset()
    made.VOILUTSequence = Sequence([item])
    return made


def windowed(center: float, width: float, **more) -> Dataset:
    """Return a header with a window."""
    made = Dataset()
    made.WindowCenter, made.WindowWidth = center, width
    for name, value in more.items():
        setattr(made, name, value)
    return made


CASES = {
    "monochrome2, 12 bits, window": (12, False, windowed(1800, 2400)),
    "monochrome1, 10 bits, no window": (10, True, Dataset()),
    "monochrome1, 14 bits, sigmoid": (14, True, windowed(8000, 9000, VOILUTFunction="SIGMOID")),
    "16 bits, negative slope": (16, False, windowed(-30000, 50000, RescaleSlope=-1, RescaleIntercept=0)),
    "12 bits, VOI LUT": (12, False, lut(np.rint(4095 * (np.arange(4096) / 4095) ** 0.6))),
    "monochrome1, 12 bits, padding": (12, True, windowed(2047, 4095, PixelPaddingValue=0)),
}


def sent(name: str) -> tuple[Sent, np.ndarray]:
    """Return a film as sent, and the native render of its default window, 0…65535."""
    bits, is_inverted, header = CASES[name]
    values = picture(bits)
    if "PixelPaddingValue" in header:
        values[:, :40] = 0
        values[:, 40:] = np.maximum(values[:, 40:], 1)
    scale = grey_scale(header, facts(bits, is_inverted=is_inverted), values)
    table = np.rint(scale.table).astype(np.uint16)
    slope = float(getattr(header, "RescaleSlope", 1))
    known = scale.window_center is not None
    center, width = (
        (scale.window_center / slope, abs(scale.window_width / slope)) if known else (len(table) / 2, len(table))
    )
    return Sent(values, table, (float(center), float(width)), scale.padding), np.rint(scale.apply(values))


def opened(browser, bench, name: str, ratio: float):
    """Return a page whose pane shows a film, native."""
    page = browser.new_page(viewport={"width": 400, "height": 320}, device_scale_factor=ratio)
    page.goto(bench.address)
    page.evaluate(OPEN, bench.film(name))
    page.wait_for_function("() => pane.isPainted && pane.isNative", timeout=90_000)
    return page


def shown(page) -> dict:
    """Return what the canvas holds: grey (H, W) uint8, and where the film lies in it."""
    found = page.evaluate(SHOWN)
    grey = np.frombuffer(base64.b64decode(found["grey"]), np.uint8).reshape(found["height"], found["width"])
    return found | {"grey": grey}


def over(found: dict, native: np.ndarray, least: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return (canvas, native) where they lie over each other at 1:1, both 0…255."""
    assert found["scale"] == 1
    left, top = found["left"], found["top"]
    y, x = max(top, 0), max(left, 0)
    height = min(top + native.shape[0], found["height"]) - y
    width = min(left + native.shape[1], found["width"]) - x
    assert height > least and width > least
    part = native[y - top : y - top + height, x - left : x - left + width]
    return found["grey"][y : y + height, x : x + width].astype(int), part / 257


def through(film: Sent, look: dict) -> np.ndarray:
    """Return what a film is through a reader's window, by the formula that the server's page documents, 0…65535."""
    center, width = film.window
    half = len(film.table) // 2
    is_falling = film.table[:half].sum(dtype=float) > film.table[half:].sum(dtype=float)
    moved = center + look["shift"] * width * (-1 if is_falling else 1)
    at = np.clip((film.values.astype(float) - moved) / look["width"] + center, 0, len(film.table) - 1)
    grey = np.interp(at, np.arange(len(film.table)), film.table)
    if film.padding:
        grey[(film.values >= film.padding[0]) & (film.values <= film.padding[1])] = 0
    return grey


@pytest.mark.parametrize("ratio", [1, 1.5, 2])
@pytest.mark.parametrize("name", CASES)
def test_one_to_one_is_the_native_render(browser, canvas_bench, name, ratio):
    film, native = sent(name)
    canvas_bench.films[("film", "native")] = film
    page = opened(browser, canvas_bench, "film", ratio)
    page.evaluate("() => pane.oneToOne()")
    canvas, part = over(shown(page), native)
    assert np.abs(canvas - part).max() <= 1
    assert canvas.max() - canvas.min() > 150, "a film without contrast proves nothing"
    page.evaluate("() => pane.window(-0.7, 0.13)")
    found = shown(page)
    canvas, part = over(found, through(film, found["look"]))
    assert np.abs(canvas - part).max() <= 1
    page.evaluate("() => pane.invert()")
    inverted, _ = over(shown(page), native)
    is_padding = over(found, (film.values <= film.padding[1]).astype(float) * 257)[1] > 0 if film.padding else False
    assert np.array_equal(inverted, np.where(is_padding, 0, 255 - canvas))
    page.close()


def test_whoever_asks_for_a_browser_while_one_is_open_gets_it(browser):
    with chromium() as other:
        assert other is browser
    assert browser.is_connected()


def test_padding_leaves_no_bright_line_beside_tissue(browser, canvas_bench):
    film, _ = sent("monochrome1, 12 bits, padding")
    values = np.full_like(film.values, 4000)  # dark tissue beside a collimator whose value 0 would be white
    values[:, :40] = 0
    canvas_bench.films[("film", "native")] = Sent(values, film.table, film.window, film.padding)
    page = opened(browser, canvas_bench, "film", 1)
    found = shown(page)
    assert found["scale"] < 1
    assert found["grey"].max() < 10
    page.close()


def test_a_reduced_film_is_the_mean_of_the_pixels_under_it(browser, canvas_bench):
    values = picture(16)
    canvas_bench.films = {("film", "stored"): Sent(values)}
    page = browser.new_page(viewport={"width": 400, "height": 320})
    page.goto(canvas_bench.address)
    page.evaluate(OPEN, canvas_bench.film("film"))
    page.wait_for_function("() => pane.isPainted")
    found = shown(page)
    height, width = round(HEIGHT * found["scale"]), round(WIDTH * found["scale"])
    mean = area_average(values, height, width) / 257
    seen = found["grey"][found["top"] : found["top"] + height, found["left"] : found["left"] + width]
    assert np.abs(seen - mean).max() <= 1
    page.close()


def test_the_native_film_takes_the_stored_ones_place_without_a_jump(browser, canvas_bench):
    film, native = sent("monochrome1, 14 bits, sigmoid")
    stored = Sent(np.rint(area_average(native, 177, 201)).astype(np.uint16))
    canvas_bench.films = {("film", "native"): film, ("film", "stored"): stored}
    page = browser.new_page(viewport={"width": 400, "height": 320})
    page.goto(canvas_bench.address)
    page.evaluate(OPEN, canvas_bench.film("film"))
    page.wait_for_function("() => pane.isNative")
    page.wait_for_timeout(100)
    of = {is_native: where for is_native, *where in page.evaluate("() => drawn")}
    assert set(of) == {False, True}, "the stored film was on the screen first"
    assert of[False] == of[True]
    assert page.evaluate("() => painted") == 1
    page.close()


def test_drag_wheel_and_right_drag_need_no_modes_and_reset_restores_everything(browser, canvas_bench):
    canvas_bench.films[("film", "native")] = sent("12 bits, VOI LUT")[0]
    page = opened(browser, canvas_bench, "film", 1.5)
    before = shown(page)
    page.mouse.move(150, 120)
    page.mouse.down()
    page.mouse.move(190, 100, steps=4)
    page.mouse.up()
    dragged = shown(page)
    assert dragged["look"]["width"] > 1 and dragged["look"]["shift"] < 0
    assert [dragged[k] for k in ("scale", "left", "top")] == [before[k] for k in ("scale", "left", "top")]
    under = [(225 - dragged["left"]) / dragged["scale"], (180 - dragged["top"]) / dragged["scale"]]
    page.mouse.move(150, 120)
    page.mouse.wheel(0, -400)
    zoomed = shown(page)
    assert zoomed["scale"] > 1.5 * before["scale"] and zoomed["look"] == dragged["look"]
    still = [(225 - zoomed["left"]) / zoomed["scale"], (180 - zoomed["top"]) / zoomed["scale"]]
    assert np.abs(np.subtract(still, under)).max() < 1.5, "the wheel zooms at the pointer"
    page.mouse.down(button="right")
    page.mouse.move(170, 150, steps=3)
    page.mouse.up(button="right")
    moved = shown(page)
    assert (moved["left"] - zoomed["left"], moved["top"] - zoomed["top"]) == (30, 45)
    page.evaluate("() => { pane.invert(); pane.reset(); }")
    after = shown(page)
    assert np.array_equal(after["grey"], before["grey"]) and after["look"] == before["look"]
    page.close()


def test_fingers_window_zoom_and_move_and_a_double_tap_is_one_to_one(browser, canvas_bench):
    canvas_bench.films[("film", "native")] = sent("12 bits, VOI LUT")[0]
    context = browser.new_context(viewport={"width": 400, "height": 320}, has_touch=True)
    page = context.new_page()
    page.goto(canvas_bench.address)
    page.evaluate(OPEN, canvas_bench.film("film"))
    page.wait_for_function("() => pane.isPainted && pane.isNative")
    touch = context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[int, int]) -> None:
        told = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

    before = shown(page)
    fingers("touchStart", (100, 100))
    fingers("touchMove", (140, 100))
    fingers("touchEnd")
    one = shown(page)
    assert one["look"]["width"] > 1 and one["scale"] == before["scale"]
    fingers("touchStart", (100, 100), (160, 100))
    fingers("touchMove", (80, 100), (200, 100))
    fingers("touchEnd")
    two = shown(page)
    assert two["scale"] == pytest.approx(2 * one["scale"], rel=0.1) and two["look"] == one["look"]
    assert two["grey"].max() > 50, "a pinch that blanks the picture"
    for _ in range(2):
        fingers("touchStart", (150, 120))
        fingers("touchEnd")
    assert shown(page)["scale"] == 1
    context.close()


@pytest.mark.slow
def test_one_to_one_is_the_native_render_of_every_real_film(browser, canvas_bench, real_root):
    page = browser.new_page(viewport={"width": 400, "height": 320})
    page.goto(canvas_bench.address)
    compared = 0
    for path in sorted((real_root / "ccsmtl" / "dicom").rglob("*.dcm")):
        try:
            native = render_native(path).astype(float)
        except DamagedFile:
            continue  # a file that is refused shows nothing
        film = native_film(path)
        canvas_bench.films = {("film", "native"): Sent(film.values, film.table, film.window, film.padding)}
        page.evaluate(OPEN, canvas_bench.film("film"))
        page.wait_for_function("() => pane.isPainted && pane.isNative", timeout=90_000)
        for x, y in ((0.5, 0.5), (0.1, 0.1), (0.9, 0.9)):
            page.evaluate(TO_ONE, [x, y])
            canvas, part = over(shown(page), native, least=60)
            assert np.abs(canvas - part).max() <= 1
        compared += 1
    assert compared >= 20
    page.close()
