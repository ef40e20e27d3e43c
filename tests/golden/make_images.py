#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/images/: tiny files of every format, and images.txt with the SHA-256 of the pixels they must give.

Needs Pillow, NumPy, tifffile and jpegtran. What must come out is what Pillow decodes, or the array that was written:
never what the library gave. A line of images.txt:

    file want dtype height width channels sha256

want: `stored` as stored; `rgb`, `gray` by channels; `upright` RGB with the EXIF orientation applied; `rgb8`, `gray8` as
bytes; `half` JPEG at 1/2 as stored; `page1` the second page. Bytes are hashed row-major, little-endian.

With folders of photos as arguments (those of $PHYSAD_TEST_DATA), writes photos.txt instead: `path sha256` of the RGB bytes.
"""
import hashlib
import io
import pathlib
import struct
import subprocess
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image, ImageOps, PngImagePlugin

OUT = pathlib.Path(__file__).resolve().parent / "images"
H, W = 11, 13
lines = []
rng = np.random.default_rng(20240229)


def smooth(h=H, w=W, c=3, bits=8):
    """A picture with gradients, an edge and noise."""
    y, x = np.mgrid[0:h, 0:w]
    planes = [(x * (3 + k) + y * (5 - k)) * 255 / (8 * (h + w)) + 90 * (x > w // 2) for k in range(c)]
    a = np.stack(planes, -1) + rng.normal(0, 6, (h, w, c))
    return np.clip(a * (2**bits - 1) / 255, 0, 2**bits - 1).astype(np.uint8 if bits <= 8 else np.uint16)


def want(name, kind, array):
    a = np.ascontiguousarray(array)
    if a.ndim == 2:
        a = a[:, :, None]
    dtype = {"uint8": "u8", "uint16": "u16", "float32": "f32"}[a.dtype.name]
    digest = hashlib.sha256(a.astype(a.dtype.newbyteorder("<")).tobytes()).hexdigest()
    lines.append(f"{name} {kind} {dtype} {a.shape[0]} {a.shape[1]} {a.shape[2]} {digest}")


def by_pillow(name, stored=False):
    """Pillow is the reference for RGB and grey, and with `stored` for the file as it is."""
    with Image.open(OUT / name) as im:
        if stored:
            want(name, "stored", np.array(im))
        want(name, "rgb", np.array(im.convert("RGB")))
        want(name, "gray", np.array(im.convert("L")))


def put(name, data):
    (OUT / name).write_bytes(data)


def save(name, im, **options):
    im.save(OUT / name, **options)


def jpeg_bytes(im, **options):
    f = io.BytesIO()
    im.save(f, "JPEG", **options)
    return f.getvalue()


def jpegs():
    rgb, gray = Image.fromarray(smooth(37, 45)), Image.fromarray(smooth(37, 45, 1)[:, :, 0])
    for s in ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1"):
        if s in ("4:4:0", "4:1:1"):
            factors = {"4:4:0": b"\x12", "4:1:1": b"\x41"}[s]
            source = OUT / "source.ppm"
            rgb.save(source)
            sample = {"4:4:0": "1x2,1x1,1x1", "4:1:1": "4x1,1x1,1x1"}[s]
            subprocess.run(["cjpeg", "-quality", "85", "-sample", sample, "-outfile", OUT / f"jpeg-{s.replace(':', '')}.jpg",
                            source], check=True)
            source.unlink()
            assert factors in (OUT / f"jpeg-{s.replace(':', '')}.jpg").read_bytes()
        else:
            save(f"jpeg-{s.replace(':', '')}.jpg", rgb, quality=85, subsampling=s)
        by_pillow(f"jpeg-{s.replace(':', '')}.jpg", stored=True)
    save("jpeg-progressive.jpg", rgb, quality=70, progressive=True)
    by_pillow("jpeg-progressive.jpg")
    save("jpeg-restart.jpg", rgb, quality=70, restart_marker_rows=1)
    by_pillow("jpeg-restart.jpg")
    save("jpeg-gray.jpg", gray, quality=80)
    by_pillow("jpeg-gray.jpg", stored=True)
    save("jpeg-gray-progressive.jpg", gray, quality=80, progressive=True)
    by_pillow("jpeg-gray-progressive.jpg", stored=True)
    flat = Image.new("L", (512, 512), 77)
    save("jpeg-flat-progressive.jpg", flat, quality=80, progressive=True)
    by_pillow("jpeg-flat-progressive.jpg", stored=True)
    subprocess.run(["jpegtran", "-arithmetic", "-outfile", OUT / "jpeg-arithmetic.jpg", OUT / "jpeg-420.jpg"], check=True)
    with Image.open(OUT / "jpeg-420.jpg") as im:
        want("jpeg-arithmetic.jpg", "rgb", np.array(im))
    with Image.open(OUT / "jpeg-420.jpg") as im:
        im.draft(None, (im.width // 2, im.height // 2))
        assert im.size == (23, 19)
        want("jpeg-420.jpg", "half", np.array(im))
    ink = Image.fromarray(smooth(24, 19, 4), "CMYK")
    cmyk = jpeg_bytes(ink, quality=90)
    at = cmyk.index(b"Adobe")
    put("jpeg-cmyk.jpg", cmyk)
    put("jpeg-ycck.jpg", cmyk[:at + 11] + b"\x02" + cmyk[at + 12:])  # the same numbers, read as luma, chroma and black
    for name in ("jpeg-cmyk.jpg", "jpeg-ycck.jpg"):
        by_pillow(name)
    twelve = jpeg_bytes(rgb)
    at = twelve.index(b"\xff\xc0")
    put("bad-jpeg-12-bit.jpg", twelve[:at + 4] + b"\x0c" + twelve[at + 5:])
    put("bad-jpeg-truncated.jpg", twelve[:len(twelve) * 2 // 3])
    for o in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = o
        save(f"jpeg-orientation-{o}.jpg", Image.fromarray(smooth(9, 12)), exif=exif, quality=90)
        with Image.open(OUT / f"jpeg-orientation-{o}.jpg") as im:
            want(f"jpeg-orientation-{o}.jpg", "upright", np.array(ImageOps.exif_transpose(im)))


def png_raw(depth, color, rows, palette=b"", transparent=b"", interlace=0):
    """A PNG from packed rows, without filters."""
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, depth, color, 0, 0, interlace))
    data += chunk(b"gAMA", struct.pack(">I", 30000))  # to be ignored
    if palette:
        data += chunk(b"PLTE", palette)
    if transparent:
        data += chunk(b"tRNS", transparent)
    data += chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows)))
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


def packed(index, bits):
    """Rows of numbers below 2**bits, high bits first."""
    out = []
    for row in index:
        text = "".join(format(int(v), f"0{bits}b") for v in row)
        text += "0" * (-len(text) % 8)
        out.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return out


def pngs():
    for mode, c in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        a = smooth(c=c)
        name = f"png-{mode.lower()}.png"
        save(name, Image.fromarray(a[:, :, 0] if c == 1 else a, mode))
        want(name, "stored", a)
        by_pillow(name)
    for bits in (1, 2, 4, 8):
        index = rng.integers(0, 2**bits, (H, W))
        palette = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8)
        put(f"png-gray{bits}.png", png_raw(bits, 0, packed(index, bits)))
        want(f"png-gray{bits}.png", "stored", (index * (255 // (2**bits - 1))).astype(np.uint8))
        by_pillow(f"png-gray{bits}.png")
        put(f"png-palette{bits}.png", png_raw(bits, 3, packed(index, bits), palette.tobytes()))
        want(f"png-palette{bits}.png", "stored", palette[index])
        by_pillow(f"png-palette{bits}.png")
    clear = bytes([0, 128])
    put("png-palette-alpha.png", png_raw(8, 3, packed(index, 8), palette.tobytes(), clear))
    alpha = np.where(index == 0, 0, np.where(index == 1, 128, 255)).astype(np.uint8)
    want("png-palette-alpha.png", "stored", np.dstack([palette[index], alpha]))
    by_pillow("png-palette-alpha.png")
    put("png-gray-key.png", png_raw(2, 0, packed(index & 3, 2), b"", struct.pack(">H", 2)))
    want("png-gray-key.png", "stored",
         np.dstack([(index & 3) * 85, np.where((index & 3) == 2, 0, 255)]).astype(np.uint8))
    for color, c, name in ((0, 1, "gray"), (4, 2, "gray-alpha"), (2, 3, "rgb"), (6, 4, "rgba")):
        a = smooth(c=c, bits=16)
        put(f"png-16-{name}.png", png_raw(16, color, [r.astype(">u2").tobytes() for r in a]))
        want(f"png-16-{name}.png", "stored", a)
        want(f"png-16-{name}.png", "rgb8", ((a[:, :, :3] if c >= 3 else a[:, :, [0, 0, 0]]) >> 8).astype(np.uint8))
        if c >= 3:
            with Image.open(OUT / f"png-16-{name}.png") as im:  # Pillow takes the upper byte as well
                want(f"png-16-{name}.png", "gray8", np.array(im.convert("L")))
    a = smooth()
    rows = []
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        rows += [r[x0::dx].tobytes() for r in a[y0::dy] if W > x0]
    put("png-interlaced.png", png_raw(8, 2, rows, interlace=1))
    want("png-interlaced.png", "stored", a)
    by_pillow("png-interlaced.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    save("png-orientation-6.png", Image.fromarray(a), exif=exif.tobytes())
    want("png-orientation-6.png", "upright", np.rot90(a, -1))
    whole = (OUT / "png-rgb.png").read_bytes()
    put("bad-png-truncated.png", whole[:len(whole) * 2 // 3])
    put("bad-png-no-end.png", whole[:-12])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    put("bad-png-checksum.png", bytes(flipped))
    info = PngImagePlugin.PngInfo()
    info.add_text("note", "x" * 50, zip=True)
    save("png-text.png", Image.fromarray(a), pnginfo=info)
    by_pillow("png-text.png")


def tiff_raw(tags, strip, order="<"):
    """A TIFF of one strip from {tag: (type, values)}."""
    tags = dict(tags)
    tags.setdefault(256, (3, [W]))
    tags.setdefault(257, (3, [H]))
    tags.setdefault(278, (3, [H]))
    tags[273] = (4, [8])
    tags[279] = (4, [len(strip)])
    at = 8 + len(strip) + len(strip) % 2
    tail = at + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(order + str(len(values)) + {3: "H", 4: "I"}[kind], *values)
        entries += struct.pack(order + "HHI", tag, kind, len(values))
        if len(data) <= 4:
            entries += data.ljust(4, b"\0")
        else:
            entries += struct.pack(order + "I", tail + len(more))
            more += data
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return head + strip.ljust(at - 8, b"\0") + struct.pack(order + "H", len(tags)) + entries + b"\0\0\0\0" + more


def tiffs():
    def write(name, a, stored=None, **options):
        tifffile.imwrite(OUT / name, a, metadata=None, software=False, **options)
        want(name, "stored", a if stored is None else stored)

    write("tiff-gray8.tif", smooth(c=1)[:, :, 0])
    by_pillow("tiff-gray8.tif")
    write("tiff-rgb8.tif", smooth(), photometric="rgb", rowsperstrip=3)
    by_pillow("tiff-rgb8.tif")
    write("tiff-rgb8-big.tif", smooth(), photometric="rgb", byteorder=">", bigtiff=True)
    write("tiff-rgba8.tif", smooth(c=4), photometric="rgb", extrasamples=["unassalpha"])
    by_pillow("tiff-rgba8.tif")
    a = smooth(bits=16)
    write("tiff-rgb16.tif", a, photometric="rgb", byteorder=">", rowsperstrip=4)
    want("tiff-rgb16.tif", "rgb8", (a >> 8).astype(np.uint8))
    write("tiff-gray16-white.tif", 65535 - a[:, :, 0], stored=a[:, :, 0], photometric="miniswhite")
    planes = smooth()
    write("tiff-planes.tif", np.moveaxis(planes, 2, 0), stored=planes, photometric="rgb", planarconfig="separate",
          rowsperstrip=4)
    by_pillow("tiff-planes.tif")
    tiled = smooth(37, 45)
    write("tiff-tiles.tif", tiled, photometric="rgb", tile=(16, 32), compression="zlib")
    by_pillow("tiff-tiles.tif")
    xyz = rng.normal(0, 1, (H, W, 3)).astype(np.float32)
    xyz[2:4] = 0
    write("tiff-xyz32.tif", xyz)
    write("tiff-xyz32-planes.tif", np.moveaxis(xyz, 2, 0), stored=xyz, photometric="rgb", planarconfig="separate", tile=(16, 16))
    write("tiff-gray32.tif", xyz[:, :, 0], byteorder=">", compression="zlib")
    write("tiff-gray64.tif", xyz[:, :, 0].astype(np.float64) / 3, stored=(xyz[:, :, 0].astype(np.float64) / 3).astype(np.float32))
    half = xyz[:, :, 0].astype(np.float16)
    half[0, :8] = [0, -0.0, 6e-8, -6e-8, 65504, np.inf, -np.inf, 6.1e-5]
    write("tiff-gray16f.tif", half, stored=half.astype(np.float32))
    with tifffile.TiffWriter(OUT / "tiff-pages.tif") as t:
        pages = [smooth(), smooth(5, 7, 1)[:, :, 0]]
        t.write(pages[0], photometric="rgb", metadata=None, software=False)
        t.write(pages[1], metadata=None, software=False)
    want("tiff-pages.tif", "stored", pages[0])
    want("tiff-pages.tif", "page1", pages[1])
    for compression in ("packbits", "tiff_lzw", "tiff_adobe_deflate"):
        save(f"tiff-{compression}.tif", Image.fromarray(tiled), compression=compression)
        want(f"tiff-{compression}.tif", "stored", tiled)
    bw = Image.fromarray(((tiled[:, :, 0] > 100) * 255).astype(np.uint8)).convert("1")
    save("tiff-group4.tif", bw, compression="group4")
    want("tiff-group4.tif", "stored", np.array(bw).astype(np.uint8) * 255)
    save("tiff-jpeg.tif", Image.fromarray(tiled), compression="jpeg", quality=90)
    by_pillow("tiff-jpeg.tif")
    save("tiff-cmyk.tif", Image.fromarray(smooth(c=4), "CMYK"))
    by_pillow("tiff-cmyk.tif")
    for bits in (1, 4, 8):
        index = rng.integers(0, 2**bits, (H, W))
        palette = rng.integers(0, 65536, (3, 2**bits))
        put(f"tiff-palette{bits}.tif", tiff_raw({258: (3, [bits]), 262: (3, [3]), 320: (3, palette.ravel().tolist())},
                                                b"".join(packed(index, bits))))
        want(f"tiff-palette{bits}.tif", "stored", np.moveaxis(palette[:, index] >> 8, 0, 2).astype(np.uint8))
        by_pillow(f"tiff-palette{bits}.tif")
    for bits in (1, 2, 4):
        index = rng.integers(0, 2**bits, (H, W))
        put(f"tiff-white{bits}.tif", tiff_raw({258: (3, [bits]), 262: (3, [0])}, b"".join(packed(index, bits)), ">"))
        want(f"tiff-white{bits}.tif", "stored", (255 - index * (255 // (2**bits - 1))).astype(np.uint8))
    for bits in (10, 12, 14):
        a = smooth(bits=bits)
        put(f"tiff-rgb{bits}.tif", tiff_raw({258: (3, [bits] * 3), 262: (3, [2]), 277: (3, [3])},
                                            b"".join(packed(a.reshape(H, -1), bits))))
        want(f"tiff-rgb{bits}.tif", "stored", a)
        want(f"tiff-rgb{bits}.tif", "rgb8", (a >> (bits - 8)).astype(np.uint8))
    a = smooth(9, 12)
    tifffile.imwrite(OUT / "tiff-orientation-8.tif", a, metadata=None, software=False, photometric="rgb",
                     extratags=[(274, 3, 1, 8, True)])
    want("tiff-orientation-8.tif", "stored", a)
    want("tiff-orientation-8.tif", "upright", np.rot90(a))
    tifffile.imwrite(OUT / "bad-tiff-signed.tif", xyz[:, :, 0].astype(np.int16), metadata=None, software=False)
    whole = (OUT / "tiff-tiles.tif").read_bytes()
    put("bad-tiff-truncated.tif", whole[:len(whole) * 2 // 3])
    with tifffile.TiffFile(OUT / "tiff-tiles.tif") as t:
        at = t.pages[0].dataoffsets[1]
    put("bad-tiff-damaged.tif", whole[:at] + bytes(16) + whole[at + 16:])


def bmp(bits, pixels, palette=b"", compression=0, masks=b"", header=40, height=H, colors=0, width=W):
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(pixels), 2835, 2835, colors, 0)
        if header >= 52 and header != 64:
            info += masks.ljust(header - 40, b"\0")
            masks = b""
        else:
            info = info.ljust(header, b"\0")
    offset = 14 + len(info) + len(masks) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset) + info + masks + palette + pixels


def rows4(rows):
    return b"".join(r.ljust((len(r) + 3) // 4 * 4, b"\0") for r in rows)


def bmps():
    for bits in (1, 4, 8):
        index = rng.integers(0, 2**bits, (H, W))
        palette = rng.integers(0, 256, (2**bits, 4), dtype=np.uint8)
        pixels = rows4(packed(index[::-1], bits))
        put(f"bmp-palette{bits}.bmp", bmp(bits, pixels, palette.tobytes()))
        by_pillow(f"bmp-palette{bits}.bmp")
        put(f"bmp-os2-{bits}.bmp", bmp(bits, pixels, palette[:, :3].tobytes(), header=12))
        by_pillow(f"bmp-os2-{bits}.bmp")
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, 1)
    put("bmp-gray.bmp", bmp(8, pixels, gray.tobytes()))
    want("bmp-gray.bmp", "stored", index.astype(np.uint8))
    by_pillow("bmp-gray.bmp")
    small = rng.integers(0, 3, (H, W))
    put("bmp-few-colors.bmp", bmp(8, rows4(packed(small[::-1], 8)), palette[:3].tobytes(), colors=3))
    by_pillow("bmp-few-colors.bmp")
    put("bmp-top-down.bmp", bmp(8, rows4(packed(index, 8)), palette.tobytes(), height=-H))
    by_pillow("bmp-top-down.bmp")
    rgb = smooth()
    put("bmp-24.bmp", bmp(24, rows4([r[:, ::-1].tobytes() for r in rgb[::-1]])))
    want("bmp-24.bmp", "stored", rgb)
    put("bmp-24-os2v2.bmp", bmp(24, rows4([r[:, ::-1].tobytes() for r in rgb[::-1]]), header=64))
    by_pillow("bmp-24-os2v2.bmp")
    words = rng.integers(0, 65536, (H, W), dtype=np.uint16).astype("<u2")
    put("bmp-555.bmp", bmp(16, rows4([r.tobytes() for r in words])))
    by_pillow("bmp-555.bmp")
    put("bmp-565.bmp", bmp(16, rows4([r.tobytes() for r in words]), compression=3, masks=struct.pack("<3I", 0xF800, 0x7E0, 0x1F)))
    by_pillow("bmp-565.bmp")
    quads = rng.integers(0, 2**32, (H, W), dtype=np.uint32).astype("<u4")
    raw = b"".join(r.tobytes() for r in quads)
    put("bmp-32.bmp", bmp(32, raw))
    by_pillow("bmp-32.bmp")
    put("bmp-32-rgba.bmp", bmp(32, raw, compression=3, header=124,
                               masks=struct.pack("<4I", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)))
    with Image.open(OUT / "bmp-32-rgba.bmp") as im:
        want("bmp-32-rgba.bmp", "stored", np.array(im))
    put("bmp-32-xbgr.bmp", bmp(32, raw, compression=3, header=56, masks=struct.pack("<4I", 0xFF000000, 0xFF0000, 0xFF00, 0)))
    by_pillow("bmp-32-xbgr.bmp")
    # Run lengths: runs, literals of odd and even count, ends of rows, a step, and an end.
    rle8 = bytes([13, 7, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 8, 9, 0, 0, 0, 4, 6, 7, 8, 9, 3, 1, 0, 2, 2, 1, 4, 200, 0, 0, 2, 3, 0, 1])
    put("bmp-rle8.bmp", bmp(8, rle8, palette.tobytes(), compression=1, height=11))
    rle4 = bytes([13, 0x7A, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 8, 0x9F, 0, 0, 0, 6, 0x67, 0x89, 0xAB, 0, 3, 0x1C, 0, 0, 2, 0x30, 0, 1])
    put("bmp-rle4.bmp", bmp(4, rle4, palette[:16].tobytes(), compression=2))
    for name in ("bmp-rle8.bmp", "bmp-rle4.bmp"):
        data = bytearray((OUT / name).read_bytes())
        # Pillow wants every pixel; the library fills what no run reaches with colour 0. Give Pillow the missing ones.
        full = bytes(data[:-2]) + b"\0\0" + bytes([W, 0, 0, 0]) * (6 if "8" in name else 7) + b"\0\1"
        with Image.open(io.BytesIO(full)) as im:
            a = np.array(im.convert("RGB"))
        want(name, "rgb", a)
    whole = (OUT / "bmp-24.bmp").read_bytes()
    put("bad-bmp-truncated.bmp", whole[:300])
    put("bad-bmp-rle.bmp", (OUT / "bmp-rle8.bmp").read_bytes()[:-9])


def pnms():
    a, b = smooth(), rng.integers(0, 2, (H, W))
    g = a[:, :, 0]
    put("pnm-p1.pbm", b"P1 # bits\n13 11\n" + b"\n".join(b"".join(b"%d" % v for v in r) for r in b) + b"\n")
    put("pnm-p2.pgm", b"P2\n# a comment\n13 # width\n11\n255\n" + b"\n".join(b" ".join(b"%d" % v for v in r) for r in g))
    put("pnm-p2-max10.pgm", b"P2 13 11 10\n" + b"\n".join(b" ".join(b"%d" % (v % 11) for v in r) for r in g))
    put("pnm-p3.ppm", b"P3 13 11 255\n" + b"\n".join(b" ".join(b"%d" % v for v in r.ravel()) for r in a))
    put("pnm-p4.pbm", b"P4\n13 11\n" + b"".join(packed(b, 1)))
    put("pnm-p5.pgm", b"P5\n13 11\n255\n" + g.tobytes())
    put("pnm-p5-max77.pgm", b"P5\n13 11\n77\n" + (g % 78).tobytes())
    put("pnm-p6.ppm", b"P6\n13 11\n255\n" + a.tobytes())
    for name in ("p1.pbm", "p2.pgm", "p2-max10.pgm", "p3.ppm", "p4.pbm", "p5.pgm", "p5-max77.pgm", "p6.ppm"):
        by_pillow("pnm-" + name)
    w = smooth(bits=16)
    put("pnm-p6-16.ppm", b"P6\n13 11\n65535\n" + w.astype(">u2").tobytes())
    want("pnm-p6-16.ppm", "stored", w)
    v = (w[:, :, 0] % 1001).astype(np.uint16)
    put("pnm-p5-max1000.pgm", b"P5\n13 11\n1000\n" + v.astype(">u2").tobytes())
    with Image.open(OUT / "pnm-p5-max1000.pgm") as im:
        want("pnm-p5-max1000.pgm", "stored", np.array(im).astype(np.uint16))
    f = rng.normal(0, 1, (H, W, 3)).astype("<f4")
    put("pnm-color.pfm", b"PF\n13 11\n-1.0\n" + f[::-1].tobytes())
    want("pnm-color.pfm", "stored", f.astype(np.float32))
    put("pnm-gray-big.pfm", b"Pf\n13 11\n1.0\n" + f[::-1, :, 0].astype(">f4").tobytes())
    want("pnm-gray-big.pfm", "stored", f[:, :, 0].astype(np.float32))
    put("bad-pnm-truncated.ppm", (OUT / "pnm-p6.ppm").read_bytes()[:-1])
    put("bad-pnm-value.pgm", b"P2 2 1 10 3 11\n")


def photos(folders):
    out = []
    for folder in map(pathlib.Path, folders):
        files = sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png"))
        for p in files[:: max(1, len(files) // 8)]:
            with Image.open(p) as im:
                digest = hashlib.sha256(np.array(im.convert("RGB")).tobytes()).hexdigest()
            out.append(f"{p.relative_to(folder.parent)} {digest}\n")
    (OUT / "photos.txt").write_text("".join(out))


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    if len(sys.argv) > 1:
        photos(sys.argv[1:])
    else:
        for make in (jpegs, pngs, tiffs, bmps, pnms):
            make()
        head = f"# make_images.py: Pillow {PIL.__version__}, NumPy {np.__version__}, tifffile {tifffile.__version__}\n"
        (OUT / "images.txt").write_text(head + "\n".join(lines) + "\n")
