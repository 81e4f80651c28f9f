"""Links: same pixels, dropped duplicates, copies, and strangers that are not linked; what people decide about them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from radia_pipeline.cohort import copies as searching
from radia_pipeline.cohort import links as linking
from radia_pipeline.cohort.copies import Index
from radia_pipeline.cohort.film_descriptor import PLACEMENTS, QUERIES, describe, histograms, linear_map, mapped, trimmed
from radia_pipeline.cohort.groups import group_of
from radia_pipeline.cohort.link_decisions import CONFIRMED, REJECTED, decide, decisions
from radia_pipeline.cohort.links import build_image_links
from radia_pipeline.cohort.registration import SAME_EXPOSURE, prepared, same_exposure
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.errors import BadInput, DamagedFile, MissingTable, UnknownName
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images


def picture(seed: int, side: int = 256) -> np.ndarray:
    """Return an invented exposure: two dark lungs, a heart and blobs of every size, different for each seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    image = 0.7 - 0.4 * np.exp(-(((x - 0.3) / 0.13) ** 2 + ((y - 0.5) / 0.3) ** 2))
    image -= 0.4 * np.exp(-(((x - 0.7) / 0.13) ** 2 + ((y - 0.5) / 0.3) ** 2))
    for sigma, strength in ((24, 4.0), (10, 1.6), (4, 0.5), (1.5, 0.12)):
        image += strength * cv2.GaussianBlur(rng.standard_normal((side, side)), (0, 0), sigma)
    image = (image - image.min()) / np.ptp(image)
    return (image * 65535).astype(np.uint16)


def store(lake, source: str, name: str, patient: str, image: np.ndarray, **changes) -> dict:
    """Write a picture into the lake and return its row."""
    row = image_row(source, name, patient, width_px=image.shape[1], height_px=image.shape[0], **changes)
    path = lake.root / row["path"]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)
    return row


def copies(image: np.ndarray) -> dict[str, np.ndarray]:
    eight = (image // 257).astype(np.uint8)
    low, high = np.percentile(image, [5, 97])
    cut = round(0.02 * image.shape[0])
    turn = cv2.getRotationMatrix2D((image.shape[1] / 2, image.shape[0] / 2), 3.0, 1)
    wide = round(0.08 * image.shape[0])
    masked = image.copy()
    masked[:50, -70:] = 0
    printed = cv2.putText(eight.copy(), "ID 4711 L", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2)
    return {
        "inverted": 65535 - image,
        "mirrored": np.ascontiguousarray(image[:, ::-1]),
        "equalised": cv2.createCLAHE(3.0, (8, 8)).apply(eight),
        "letterboxed": np.pad(image, ((0, 0), (26, 26))),
        "turned": cv2.warpAffine(image, turn, image.shape[::-1]),
        "cropped by 8 %": image[wide:-wide, wide:-wide],
        "masked": masked,
        "printed on": printed,
        "mirrored, inverted and cropped": 65535 - np.ascontiguousarray(image[wide:, :-wide][:, ::-1]),
        "resized": cv2.resize(image, (190, 230), interpolation=cv2.INTER_AREA),
        "encoded": cv2.imdecode(cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE),
        "windowed": (np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8),
        "cropped": image[cut:-cut, cut:-cut],
        "cropped in a corner": image[cut:, cut:],
    }


def test_same_pixels_and_dropped_duplicates_are_linked_without_looking_at_files(tmp_path):
    lake = new_lake(tmp_path)
    put_images(lake, "ccsmtl", [image_row("ccsmtl", "a", "p1", pixels="x"), image_row("ccsmtl", "b", "p2")])
    put_images(
        lake,
        "nih_cxr14",
        [image_row("nih_cxr14", "a", "p1", pixels="x"), image_row("nih_cxr14", "c", "p3", pixels="x")],
    )
    duplicate = {
        "source": "ccsmtl",
        "file_id": "b" * 32,
        "file_sha256": "a" * 64,
        "delivered_path": "x",
        "kind": "same_pixels",
        "kept_image_id": KEYS.image_id("ccsmtl", "b"),
        "patient_key": KEYS.patient_key("ccsmtl", "p19"),
        "study_id": None,
        "pixel_sha256": "a" * 64,
    }
    own = {**duplicate, "file_id": "c" * 32, "patient_key": KEYS.patient_key("ccsmtl", "p2")}
    lost = {**duplicate, "file_id": "d" * 32, "patient_key": None}
    lake.write("duplicates", [duplicate, own, lost], "ccsmtl")
    result = build_image_links(lake)
    assert result.kinds == {"same_pixels": 2, "dropped_duplicate": 1}
    assert (result.across_sources, result.unreadable) == (2, 4)
    assert result.problems == {"duplicates_without_patient_or_image": 1}
    assert result.sources == ("ccsmtl", "nih_cxr14")


def test_altered_copies_are_linked_across_sources_and_strangers_are_not(tmp_path):
    lake = new_lake(tmp_path)
    original = picture(0)
    mine = [store(lake, "ccsmtl", "a", "p0", original)]
    mine += [store(lake, "ccsmtl", f"s{seed}", f"p{seed}", picture(seed)) for seed in range(1, 12)]
    put_images(lake, "ccsmtl", mine)
    changed = [store(lake, "nih_cxr14", name, f"q {name}", image) for name, image in copies(original).items()]
    put_images(lake, "nih_cxr14", changed)
    result = build_image_links(lake)
    rows = lake.read("image_links").to_pylist()
    ends = [(row["image_id_a"], row["image_id_b"]) for row in rows]
    ids = [KEYS.image_id("ccsmtl", "a"), *(row["image_id"] for row in changed)]
    assert len(set(group_of(ids, ends))) == 1
    strangers = {KEYS.image_id("ccsmtl", f"s{seed}") for seed in range(1, 12)}
    assert not strangers & {row[end] for row in rows for end in ("image_id_a", "image_id_b")}
    assert build_image_links(lake).version == result.version


@pytest.mark.parametrize("name", sorted(copies(picture(0))))
def test_every_copy_is_near_its_original_and_agrees_with_it(name):
    image = picture(7)
    copy = copies(image)[name]
    assert (describe(copy) @ describe(image)[0]).max() > searching.NEAR
    assert same_exposure(prepared(copy, moves=False), prepared(image)) > SAME_EXPOSURE + 0.05


def test_one_patients_repeats_and_blank_images_are_not_linked(tmp_path):
    lake = new_lake(tmp_path)
    image = picture(3)
    rows = [store(lake, "ccsmtl", "a", "p1", image), store(lake, "ccsmtl", "b", "p1", copies(image)["resized"])]
    rows += [
        store(lake, "ccsmtl", f"blank {n}", f"p{n}", np.full((64, 64), n, np.uint16), flags=["blank"]) for n in (5, 6)
    ]
    put_images(lake, "ccsmtl", rows)
    assert build_image_links(lake).links == 0


def test_a_new_delivery_is_searched_alone_and_what_was_found_stands(tmp_path):
    lake = new_lake(tmp_path)
    one, other = picture(1), picture(2)
    put_images(lake, "ccsmtl", [store(lake, "ccsmtl", "a", "p1", one), store(lake, "ccsmtl", "c", "p3", picture(3))])
    first = build_image_links(lake)
    assert (first.links, first.searched) == (0, 2)
    put_images(lake, "nih_cxr14", [store(lake, "nih_cxr14", "b", "p2", copies(one)["mirrored"])])
    second = build_image_links(lake)
    assert (second.links, second.searched, second.candidates) == (1, 1, 1)
    third = build_image_links(lake)
    assert (third.links, third.searched, third.candidates, third.version) == (1, 0, 0, second.version)
    store(lake, "nih_cxr14", "b", "p2", other)  # another picture in its place: what was found of it is forgotten
    assert (build_image_links(lake).links, build_image_links(lake).searched) == (0, 0)
    store(lake, "nih_cxr14", "b", "p2", copies(one)["turned"])
    assert build_image_links(lake).links == 1
    (lake.packed_dir / "copies" / "found.npz").write_bytes(b"damaged")
    again = build_image_links(lake)
    assert (again.links, again.searched) == (1, 3)


def test_a_group_of_many_patients_waits_for_a_person(tmp_path):
    lake = new_lake(tmp_path)
    changed = list(copies(picture(5)).values())[: linking.MOST_PATIENTS + 1]
    put_images(lake, "ccsmtl", [store(lake, "ccsmtl", f"a{n}", f"p{n}", image) for n, image in enumerate(changed)])
    pair = [store(lake, "nih_cxr14", name, name, picture(6)) for name in ("x", "y")]
    put_images(lake, "nih_cxr14", pair)
    result = build_image_links(lake)
    assert result.large_groups == 1
    assert result.states["linked"] == 1 and result.states["listed"] >= linking.MOST_PATIENTS
    assert build_splits(lake).linked_groups == 1
    (row, *_) = [row for row in lake.read("image_links").to_pylist() if row["state"] == "listed"]
    decide(lake, CONFIRMED, row["image_id_a"], row["image_id_b"], by="A. Steward", reason="looked at both")
    assert build_image_links(lake).states["confirmed"] == 1
    assert build_splits(lake).linked_groups == 2


def test_a_rejected_link_joins_nobody_and_pools_follow(tmp_path):
    lake = new_lake(tmp_path)
    rows = [store(lake, "ccsmtl", f"s{n}", f"p{n}", picture(n)) for n in range(12)]
    put_images(lake, "ccsmtl", rows)
    build_image_links(lake)
    build_splits(lake)
    pools = {row["patient_key"]: row["pool"] for row in lake.read("splits").to_pylist()}
    test = next(row for row in rows if pools[row["patient_key"]] != "train")
    train = next(row for row in rows if pools[row["patient_key"]] == "train")
    image = cv2.imread(str(lake.root / test["path"]), cv2.IMREAD_UNCHANGED)
    store(lake, "ccsmtl", train["delivered_path"], "any", copies(image)["inverted"])
    assert build_image_links(lake).links == 1
    assert build_splits(lake).excluded == 1  # a late link: its training side is left out
    decision = decide(lake, REJECTED, train["image_id"][:9], test["image_id"], by="A. Steward", reason="two films")
    assert decisions(lake) == {(decision.image_id_a, decision.image_id_b): decision}
    assert build_image_links(lake).states == {"rejected": 1}
    after = build_splits(lake)
    assert (after.excluded, after.linked_groups) == (0, 0)
    assert {row["patient_key"]: row["pool"] for row in lake.read("splits").to_pylist()} == pools
    decide(lake, CONFIRMED, train["image_id"], test["image_id"], by="B. Steward", reason="one film after all")
    build_image_links(lake)
    assert build_splits(lake).excluded == 1


def test_decisions_want_a_name_a_reason_and_a_link_and_prove_themselves(tmp_path):
    lake = new_lake(tmp_path)
    image = picture(3)
    same = [image_row("nih_cxr14", name, name, pixels="x") for name in ("u", "v")]
    put_images(lake, "nih_cxr14", same)
    rows = [store(lake, "ccsmtl", "a", "p1", image), store(lake, "ccsmtl", "b", "p2", copies(image)["resized"])]
    put_images(lake, "ccsmtl", rows)
    build_image_links(lake)
    ids = [row["image_id"] for row in rows]
    with pytest.raises(BadInput, match="name and a reason"):
        decide(lake, REJECTED, *ids, by="A. Steward", reason=" ")
    for wrong in ((ids[0], "0" * 32), (ids[0][:3], ids[1]), tuple(row["image_id"] for row in same)):
        with pytest.raises(UnknownName, match="near-duplicates are between"):
            decide(lake, REJECTED, *wrong, by="A. Steward", reason="why")
    decide(lake, REJECTED, *ids, by="A. Steward", reason="two films")
    file = lake.ledger_path.with_name("links.jsonl")
    file.write_text(file.read_text().replace("two films", "one film!"))
    with pytest.raises(DamagedFile, match="line 1"):
        decisions(lake)


def test_links_of_before_states_all_join():
    import pyarrow as pa

    states = pa.table({"state": pa.array([None, "linked", "listed", "confirmed", "rejected"], pa.string())})
    assert linking.joining(states).column("state").to_pylist() == [None, "linked", "confirmed"]


def test_no_images_at_all_is_a_clear_error(tmp_path):
    with pytest.raises(MissingTable, match="images"):
        build_image_links(new_lake(tmp_path))


def test_descriptors_do_not_see_inversion_and_a_mirror_exchanges_places():
    image = picture(4)
    found = describe(image)
    assert found.shape == (QUERIES, 256) and np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert found[0] @ describe(65535 - image)[0] > 0.99
    mirrored = histograms(np.ascontiguousarray(image[:, ::-1]))
    same = [number for number, (_, (first, last)) in enumerate(PLACEMENTS) if np.isclose(first, 1 - last)]
    assert len(same) >= 3
    assert np.allclose(mirrored[QUERIES // 2 :][same], histograms(image)[: QUERIES // 2][same], atol=0.02)
    assert found[0] @ describe(np.sqrt(image.astype(float)))[0] > 0.9
    assert not describe(np.full((64, 64), 7)).any()


@pytest.mark.parametrize("grey", [0, 65535])
def test_a_margin_is_cut_whatever_its_grey_and_though_a_corner_of_it_was_masked(grey):
    image = picture(4).astype(np.float32)
    wide = np.pad(image, ((30, 12), (20, 36)), constant_values=grey)
    assert trimmed(wide).shape == image.shape
    wide[:60, -90:] = 0
    assert trimmed(wide).shape == image.shape
    assert describe(wide)[0] @ describe(image)[0] > 0.8


def test_a_level_belly_is_no_margin_and_a_crop_moves_no_other_side():
    image = picture(4).astype(np.float32)
    rng = np.random.default_rng(0)
    image[200:] = image.max() * (0.985 + 0.004 * rng.standard_normal((56, 256)).astype(np.float32))
    assert trimmed(image).shape == image.shape
    assert trimmed(image[20:, 10:]).shape == (236, 246)
    wide = np.pad(image, ((9, 9), (12, 12)))
    assert np.array_equal(trimmed(wide), image)


def test_beyond_a_film_lies_the_mean_film_which_says_nothing():
    image = picture(4)
    beyond = ((-3.0, 1.0), (-3.0, 1.0))  # the film is the last quarter
    (found,) = histograms(image, [beyond])[:1]
    mean, _ = linear_map()
    cells = (16, 16, 6)
    assert np.allclose(found.reshape(cells)[:11, :11], mean.reshape(cells)[:11, :11], atol=1e-6)
    assert not np.allclose(found.reshape(cells)[13:, 13:], mean.reshape(cells)[13:, 13:], atol=1e-3)
    assert not histograms(np.full((64, 64), 7), [beyond]).any()


@pytest.mark.parametrize("sides", [(0.1, 0, 0.1, 0), (0, 0.1, 0, 0.1), (0.1, 0, 0, 0.1)])
@pytest.mark.parametrize("seed", [4, 6])
def test_a_crop_off_the_middle_is_near_its_film_whichever_came_first(seed, sides):
    image = picture(seed, 320)
    top, bottom, left, right = (round(share * 320) for share in sides)
    crop = image[top : 320 - bottom, left : 320 - right]
    for asking, kept in ((crop, image), (image, crop)):
        assert (describe(asking) @ mapped(histograms(kept, PLACEMENTS[:1])[:1]).T).max() > searching.NEAR


def test_half_of_a_film_agrees_with_it_whichever_is_laid_over_the_other():
    image = picture(5, 320)
    crop = image[58:-51, 38:-58]
    for rests, moves in ((crop, image), (image, crop)):
        assert same_exposure(prepared(rests, moves=False), prepared(moves)) > 0.9


def test_an_index_as_a_graph_names_the_same_neighbours(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((600, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:50] + 0.02 * rng.standard_normal((50, 256)).astype(np.float32)
    exact = Index(vectors).near(queries)[1]
    monkeypatch.setattr(searching, "EXACT_UP_TO", 100)
    graph = Index(vectors).near(queries)[1]
    assert (exact[:, 0] == np.arange(50)).all() and (graph[:, 0] == np.arange(50)).all()
    assert Index(vectors[:3]).near(queries)[1].shape == (50, 3)


def test_what_covers_too_much_or_is_constant_agrees_with_nothing():
    image = picture(4)
    covered = np.zeros_like(image)
    covered[:80, :80] = image[:80, :80]
    for other in (np.full((64, 64), 3.0), covered):
        assert same_exposure(prepared(other, moves=False), prepared(image)) < SAME_EXPOSURE


@pytest.mark.slow
def test_real_radiographs_that_look_most_alike_are_not_linked(real_root: Path):
    from radia_pipeline.sources.nih_cxr14 import NihCxr14

    root = real_root / "nih_cxr14"
    facts = NihCxr14().facts(root)
    paths = [root / path for path in sorted(facts)]
    films = [searching.read_grey(path) for path in paths[::2]]
    vectors = np.stack([describe(film)[0] for film in films])
    similarity = np.triu(vectors @ vectors.T, 1)
    similarity[similarity > 0.9999] = 0  # one film stands twice in it
    nearest = np.argsort(-similarity, axis=None)[:40]  # serial films of one patient among them
    for place in nearest:
        one, other = divmod(int(place), len(films))
        assert same_exposure(prepared(films[other], moves=False), prepared(films[one])) < SAME_EXPOSURE


def test_links_are_listed_and_decided_from_the_command_line(tmp_path):
    from click.testing import CliRunner

    from radia_pipeline.cli.links import links

    lake = new_lake(tmp_path)
    image = picture(3)
    rows = [store(lake, "ccsmtl", "a", "p1", image), store(lake, "ccsmtl", "b", "p2", copies(image)["inverted"])]
    put_images(lake, "ccsmtl", rows)
    build_image_links(lake)
    place = ["--lake", str(lake.root)]
    assert CliRunner().invoke(links, ["list", *place]).output == "1 linked\n"
    who = ["--by", "A. Steward", "--reason", "two films"]
    ends = [row["image_id"][:8] for row in rows]
    assert "pools follow" in CliRunner().invoke(links, ["reject", *ends, *who, *place]).output
    build_image_links(lake)
    said = CliRunner().invoke(links, ["list", *place]).output
    assert said.startswith("1 rejected\nrejected   near_duplicate") and "A. Steward: two films" in said


def test_what_is_compared_on_pixels_does_not_grow_with_the_strangers_that_are_near():
    rng = np.random.default_rng(3)
    around = rng.standard_normal(searching.SIZE)
    vectors = (around + 0.5 * rng.standard_normal((300, searching.SIZE))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[299] = vectors[0]
    assert np.median(vectors @ vectors.T) > searching.NEAR
    asking = np.array([0, 7, 299])
    queries = np.repeat(vectors[asking][:, None], QUERIES, axis=1)
    pairs = searching.worth_a_look(Index(vectors), np.arange(300), asking, queries, np.arange(300))
    assert (0, 299) in pairs
    assert len(pairs) <= searching.MOST_CONFIRMATIONS * len(asking)
    of_one_patient = searching.worth_a_look(Index(vectors), np.arange(300), asking, queries, np.zeros(300, int))
    assert of_one_patient == []
