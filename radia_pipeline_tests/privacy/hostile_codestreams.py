"""Files that hold an identity inside the compressed frame, one a place; as ``hostile``."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy.making import (
    BASELINE,
    HT,
    J2K,
    LOSSLESS,
    LS,
    NAME,
    PERSON,
    PHONE,
    WIDE,
    at_scan,
    frame,
    framed,
    main_header,
    marked,
    run_length,
    segment,
    tile_part,
)


def _second_scan() -> bytes:
    """A grey frame has one scan; of another no decoder takes notice."""
    stream = frame(BASELINE)
    scan = stream.index(b"\xff\xda")
    size = int.from_bytes(stream[scan + 2 : scan + 4], "big")
    head = stream[scan : scan + 2 + size]
    return framed(BASELINE, [stream[:-2] + head + PERSON + bytes(300) + stream[-2:]])


def _requantised() -> bytes:
    stream = frame(BASELINE)
    at = stream.index(b"\xff\xdb") + 5
    return stream[: at + 20] + b"LAVOIE" + stream[at + 26 :]


def _recoded() -> bytes:
    """The run table of the scan, its own symbols in another order: sound, and the first of them spell a name."""
    stream = frame(BASELINE)
    at = stream.index(b"\x10", stream.index(b"\xff\xc4\x00\xb5"))
    first = at + 17
    symbols = stream[first : first + sum(stream[at + 1 : first])]
    spelt = b"MARTIN" + bytes(one for one in symbols if one not in b"MARTIN")
    return framed(BASELINE, [stream[:first] + spelt + stream[first + len(symbols) :]])


def _codestreams() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for name, syntax in (("JPEG lossless", LOSSLESS), ("JPEG-LS", LS), ("JPEG baseline", BASELINE)):
        for code, body in (
            (0xFE, PERSON),
            (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0" + PERSON),
            (0xE0, b"JFXX\0\x10" + PERSON),
            (0xE1, b"Exif\0\0" + PERSON),
            (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PERSON),
            (0xE2, b"ICC_PROFILE\0\1\1" + PERSON),
            (0xE8, PERSON),
            (0xED, b"Photoshop 3.0\x008BIM" + PERSON),
            (0xEE, b"Adobe\0d\0\0\0\0\0" + PERSON),
            (0xEF, PERSON),
            (0xF0, PERSON),
            (0xDD, PERSON),
        ):
            yield (
                f"{name}, segment {code:02X} {body[:5]!r}",
                lambda syntax=syntax, code=code, body=body: marked(syntax, code, body),
            )
        yield f"{name}, comment before the scan", lambda syntax=syntax: at_scan(syntax, segment(0xFE, PERSON))
        yield (
            f"{name}, comment before the end",
            lambda syntax=syntax: at_scan(syntax, segment(0xFE, PERSON), ahead=False),
        )
        yield f"{name}, text before the end", lambda syntax=syntax: at_scan(syntax, PERSON, ahead=False)
        yield f"{name}, text behind the end", lambda syntax=syntax: framed(syntax, [frame(syntax) + PERSON])
        yield f"{name}, four letters behind the end", lambda syntax=syntax: framed(syntax, [frame(syntax) + b"NGUY"])
        yield f"{name}, second stream", lambda syntax=syntax: framed(syntax, [frame(syntax), frame(syntax)])
        yield f"{name}, fragment of text", lambda syntax=syntax: framed(syntax, [frame(syntax), PERSON])
        yield f"{name}, offset table of text", lambda syntax=syntax: framed(syntax, [frame(syntax)], table=b"LAVOIE O")
        yield (
            f"{name}, offset that is a telephone",
            lambda syntax=syntax: framed(syntax, [frame(syntax)], table=struct.pack("<I", 4185550177)),
        )
    yield "JPEG baseline, second scan", _second_scan
    yield "JPEG baseline, table twice", lambda: marked(BASELINE, 0xDB, b"\0" + b"LAVOIE".ljust(64, b"\1"))
    yield "JPEG baseline, table that is used", lambda: framed(BASELINE, [_requantised()])
    yield "JPEG baseline, code table that is used", lambda: _recoded()
    yield "JPEG baseline, density", lambda: marked(BASELINE, 0xE0, b"JFIF\0\1\1\0NGUY\0\0")
    yield "JPEG baseline, flags", lambda: marked(BASELINE, 0xEE, b"Adobe\0dNGUY\0")
    for name, syntax in (("JPEG 2000", J2K), ("HTJ2K", HT)):
        yield (
            f"{name}, size of tiles",
            lambda syntax=syntax: framed(syntax, [frame(syntax)[:24] + b"LAVOIE O" + frame(syntax)[32:]]),
        )
        yield f"{name}, offsets", lambda syntax=syntax: main_header(syntax, 0x63, b"NGUY")
        yield (
            f"{name}, capabilities",
            lambda syntax=syntax: main_header(syntax, 0x50, b"\xff\xff\xff\xff" + PERSON.ljust(64)),
        )
        yield f"{name}, profile", lambda syntax=syntax: main_header(syntax, 0x59, b"NGUY")
    yield (
        "JPEG baseline, table of a name",
        lambda: marked(BASELINE, 0xDB, b"\3" + b"LAVOIE OCTAVE 1954-03-12".ljust(64)),
    )
    yield "JPEG baseline, table of a name alone", lambda: marked(BASELINE, 0xDB, b"\3" + b"LAVOIE".ljust(64, b"\1"))
    yield "JPEG baseline, table of a telephone", lambda: marked(BASELINE, 0xDB, b"\3" + PHONE.ljust(64, b"\1"))
    yield (
        "JPEG baseline, unused code table",
        lambda: marked(BASELINE, 0xC4, b"\x13" + bytes(15) + b"\x10" + NAME.ljust(16)),
    )
    yield (
        "JPEG lossless, unused code table",
        lambda: marked(LOSSLESS, 0xC4, b"\3" + bytes(15) + b"\x10" + NAME.ljust(16)),
    )
    yield "JPEG lossless, arithmetic table", lambda: marked(LOSSLESS, 0xCC, NAME)
    yield "JPEG-LS, mapping table", lambda: marked(LS, 0xF8, b"\2\1\1" + PERSON)
    yield "JPEG-LS, preset with text", lambda: marked(LS, 0xF8, b"\1" + PERSON)
    for name, syntax in (("JPEG 2000", J2K), ("HTJ2K", HT)):
        yield f"{name}, comment", lambda syntax=syntax: main_header(syntax, 0x64, b"\0\1" + PERSON)
        yield f"{name}, binary comment", lambda syntax=syntax: main_header(syntax, 0x64, b"\0\0" + PERSON)
        yield f"{name}, wide comment", lambda syntax=syntax: main_header(syntax, 0x64, b"\0\1" + WIDE)
        yield (
            f"{name}, comment behind an encoder's name",
            lambda syntax=syntax: main_header(syntax, 0x64, b"\0\1Created by OpenJPEG version 2.5.0 LAVOIE OCTAVE"),
        )
        yield (
            f"{name}, comment of a tile part",
            lambda syntax=syntax: tile_part(syntax, segment(0x64, b"\0\1" + PERSON)),
        )
        yield f"{name}, foreign marker", lambda syntax=syntax: main_header(syntax, 0x70, PERSON)
        for code, what in (
            (0x55, "lengths of tile parts"),
            (0x57, "lengths of packets"),
            (0x63, "registration"),
            (0x5E, "region"),
            (0x53, "coding of a component"),
            (0x5D, "quantisation of a component"),
            (0x5F, "progression"),
            (0x60, "packed headers"),
        ):
            yield f"{name}, {what}", lambda syntax=syntax, code=code: main_header(syntax, code, b"\0" + PERSON)
        yield f"{name}, lengths in a tile part", lambda syntax=syntax: tile_part(syntax, segment(0x58, b"\0" + PERSON))
        yield f"{name}, text behind the packets", lambda syntax=syntax: tile_part(syntax, PERSON, at_end=True)
        yield f"{name}, text behind the end", lambda syntax=syntax: framed(syntax, [frame(syntax) + PERSON])
        yield (
            f"{name}, boxes of a file",
            lambda syntax=syntax: framed(
                syntax,
                [b"\0\0\0\x0cjP  \r\n\x87\n" + struct.pack(">I4s", 8 + len(PERSON), b"xml ") + PERSON + frame(syntax)],
            ),
        )
        yield f"{name}, second stream", lambda syntax=syntax: framed(syntax, [frame(syntax) + frame(syntax)])
        yield f"{name}, fragment of text", lambda syntax=syntax: framed(syntax, [frame(syntax), PERSON])
        yield f"{name}, offset table of text", lambda syntax=syntax: framed(syntax, [frame(syntax)], table=b"LAVOIE O")
    yield "run lengths, unused offsets", lambda: run_length(PERSON)
    yield "run lengths, text behind", lambda: framed(files.RLE, [frame(files.RLE) + PERSON])
    yield "run lengths, fragment of text", lambda: framed(files.RLE, [frame(files.RLE), PERSON])


CODESTREAM: dict[str, Callable[[], bytes]] = dict(_codestreams())
