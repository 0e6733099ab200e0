#!/usr/bin/env python3
"""Reads the sequence and capture time that the fake camera puts into its pictures.

    read_stamp.py FILE...       prints `seq mono_us [unix_us]` of each JPEG, or `-` without a stamp

`read_com` takes MJPG frames that were passed through (the COM segment), `read_blocks` decoded
pictures of a YUYV camera, also after re-encoding. Used by the tests to tell true ages.
"""
import re
import sys

COM = re.compile(rb"fakecam seq=(\d+) mono_us=(\d+) unix_us=(\d+)")


def read_com(jpeg):
    """(seq, mono_us, unix_us) of a frame's bytes, or None. Looks at the first 200 bytes only."""
    m = COM.search(jpeg[:200])
    return tuple(int(g) for g in m.groups()) if m else None


def read_blocks(picture):
    """(seq, mono_us modulo 2**40) of a decoded picture (height x width [x 3]), or None if the
    blocks along its top do not make sense."""
    gray = picture if picture.ndim == 2 else picture.mean(axis=2)
    block = 16 if gray.shape[1] >= 640 else 8
    if gray.shape[1] < 40 * block or gray.shape[0] < 3 * block:
        return None
    rows = []
    for row in range(3):
        value = 0
        for col in range(40):
            y, x, q = row * block, col * block, block // 4
            value = value << 1 | int(gray[y + q:y + block - q, x + q:x + block - q].mean() > 128)
        rows.append(value)
    if rows[0] >> 32 != 0xA5 or rows[0] ^ rows[1] != rows[2]:
        return None
    return rows[0] & 0xFFFFFFFF, rows[1]


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as f:
            data = f.read()
        stamp = read_com(data)
        if stamp is None:
            try:
                import cv2
                picture = cv2.imread(path)
                stamp = None if picture is None else read_blocks(picture)
            except ImportError:
                pass
        print(*(stamp or "-"))


if __name__ == "__main__":
    main()
