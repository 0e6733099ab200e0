"""What OpenCV makes of the fake camera: DESIGN.md's "OpenCV: facts", one by one.

Run by selfcheck.sh, under the library, with FAKECAM_CONTROL set. Prints a line per fact;
exit code 1 if one does not hold.
"""
import os
import re
import resource
import sys
import threading
import time

import cv2
import read_stamp

MJPG = cv2.VideoWriter_fourcc(*"MJPG")
BY_ID = "/dev/v4l/by-id/usb-Fake_Camera_0001-video-index0"
failed = False


def control(text):
    path = os.environ["FAKECAM_CONTROL"]
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def fact(name, holds, seen=""):
    global failed
    failed |= not holds
    print("ok   " if holds else "FAIL ", "opencv:", name, seen, flush=True)


def open_raw():
    return cv2.VideoCapture(0, cv2.CAP_V4L2, [
        cv2.CAP_PROP_FOURCC, MJPG, cv2.CAP_PROP_FRAME_WIDTH, 1280, cv2.CAP_PROP_FRAME_HEIGHT, 720,
        cv2.CAP_PROP_FPS, 30, cv2.CAP_PROP_CONVERT_RGB, 0])


def open_decoding():
    return cv2.VideoCapture(0, cv2.CAP_V4L2, [cv2.CAP_PROP_FOURCC, MJPG])


def fourcc(cap):
    return int(cap.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()


def now_us():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def until(condition, seconds=5):
    """Reads on until the condition holds of what was read; None if it never does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = condition()
        if seen:
            return seen
    return None


def read_raw(cap):
    """The bytes of one picture, b"" of an empty one, None if there was none."""
    if not cap.grab():
        return None
    ok, picture = cap.retrieve()
    return None if not ok else b"" if picture is None or picture.size == 0 else picture.tobytes()


def opening():
    cap = cv2.VideoCapture(0, cv2.CAP_V4L2)
    got = (fourcc(cap), cap.get(3), cap.get(4), cap.get(5), cap.get(cv2.CAP_PROP_BUFFERSIZE))
    fact("plain open is YUYV 640x480, 30 fps, 4 buffers", got == ("YUYV", 640, 480, 30, 4), got)
    picture = cap.read()[1]
    stamp = read_stamp.read_blocks(picture)
    again = read_stamp.read_blocks(cv2.imdecode(cv2.imencode(".jpg", picture, [1, 30])[1], 1))
    fact("the blocks survive JPEG at quality 30", stamp and stamp == again, stamp)
    fact("POS_MSEC is the capture time", abs(cap.get(cv2.CAP_PROP_POS_MSEC) * 1000 - stamp[1]) < 2)
    cap.release()
    for path in ("/dev/video0", BY_ID):
        cap = cv2.VideoCapture(path)
        fact(f"opens {path}", cap.read()[0])
        cap.release()
    cap = cv2.VideoCapture(0, cv2.CAP_V4L2, [cv2.CAP_PROP_CONVERT_RGB, 0])
    fact("raw YUYV is HxWx2", cap.read()[1].shape == (480, 640, 2))
    cap.release()
    cap = cv2.VideoCapture(0, cv2.CAP_V4L2, [cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"H264")])
    fact("an unknown format becomes YUYV, with success", cap.isOpened() and fourcc(cap) == "YUYV")
    cap.release()
    cap = cv2.VideoCapture(0, cv2.CAP_V4L2, [cv2.CAP_PROP_FRAME_WIDTH, 1300, cv2.CAP_PROP_FRAME_HEIGHT, 700])
    fact("an unknown size becomes the nearest", cap.get(3) == 1280)
    cap.release()


def raw_pictures():
    cap = open_raw()
    cap.read()
    begun, lens = time.monotonic(), []
    for _ in range(60):
        lens.append(len(read_raw(cap)))
    fps = 60 / (time.monotonic() - begun)
    data = read_raw(cap)
    age = now_us() - read_stamp.read_com(data)[1]
    fact("raw MJPG is the camera's own bytes", data[:2] == b"\xff\xd8" and fourcc(cap) == "MJPG")
    fact("30 pictures a second", 29 < fps < 31, f"{fps:.2f}")
    fact("age of a picture under 20 ms", 0 <= age < 20000, f"{age} us")
    first = read_stamp.read_com(read_raw(cap))[0]
    time.sleep(0.5)  # a slow consumer: the subject of the test
    seqs = [read_stamp.read_com(read_raw(cap))[0] - first for _ in range(6)]
    fact("a slow reader finds up to 4 stale pictures, then a gap", seqs[:3] == [1, 2, 3] and seqs[5] > 10, seqs)
    cap.release()


def broken_pictures():
    def is_jpeg(d):
        return d and d[:2] == b"\xff\xd8"
    raw_signs = {
        "truncated": lambda d: is_jpeg(d) and d[-2:] != b"\xff\xd9",
        "garbage": lambda d: d and d[:2] != b"\xff\xd8",
        "empty": lambda d: d == b"" or None,
        "nodht": lambda d: is_jpeg(d) and b"\xff\xc4" not in d[:1000],
        "padding": lambda d: is_jpeg(d) and d[-100:] == bytes(100),
        "eoiloss": lambda d: is_jpeg(d) and d[-2:] != b"\xff\xd9",
        "noeoi": lambda d: is_jpeg(d) and d[-2:] != b"\xff\xd9",
        "uneven": lambda d: is_jpeg(d) and len(d) % 4 in (1, 2, 3) and d[-2:] != b"\xff\xd9",
        "huge": lambda d: is_jpeg(d) and len(d) > 1_700_000,
        "errflag": lambda d: is_jpeg(d) and d[-2:] != b"\xff\xd9",
    }
    for fault, sign in raw_signs.items():
        cap = open_raw()
        cap.read()
        control(f"fault {fault}\n")
        seen = until(lambda: (d := read_raw(cap)) is not None and (sign(d) is True or bool(sign(d))))
        control("")
        healed = until(lambda: (d := read_raw(cap)) and d[-2:] == b"\xff\xd9" and len(d) < 100_000 and b"\xff\xc4" in d[:1000])
        fact(f"raw {fault} is handed on as it is, and heals", seen and healed)
        cap.release()

    cap = open_raw()
    control("fault freeze\n")
    last = [None]

    def same():
        d = read_raw(cap)
        last[0], was = d, last[0]
        return d == was
    fact("freeze repeats the very bytes", until(same) and same() and same())
    cap.release()

    control("fault truncated\nfault_every 5\n")
    cap = open_raw()
    cut = [read_raw(cap)[-2:] != b"\xff\xd9" for _ in range(20)]
    fact("fault_every hits each N-th", cut.count(True) == 4, cut.count(True))
    cap.release()

    control("")
    cap = open_decoding()
    cap.read()
    control("fault garbage\n")
    last[0] = b""

    def previous():
        ok, picture = cap.read()
        data = picture.tobytes() if ok else None
        last[0], was = data, last[0]
        return ok and data == was
    fact("decoding garbage gives the previous picture, with true", until(previous))
    control("fault empty\n")

    def throws():
        try:
            cap.read()
            return False
        except cv2.error:
            return True
    fact("decoding an empty picture throws", until(throws))
    cap.release()
    control("")


def losses():
    cap = open_raw()
    cap.read()
    control("fault eio\n")
    until(lambda: not cap.grab())
    begun = time.monotonic()
    none = [cap.grab() for _ in range(15)]
    took = time.monotonic() - begun
    control("")
    fact("EIO: false once a tick, heals by itself", not any(none) and 0.4 < took < 0.7 and until(cap.grab), f"{took:.2f} s")
    control("fault slow\nslow_ms 400\n")
    until(lambda: cap.grab() and False, 1)
    begun = time.monotonic()
    for _ in range(3):
        cap.grab()
    took = time.monotonic() - begun
    fact("slow: a picture each 400 ms", 1.0 < took < 1.4, f"{took:.2f} s")
    control("")
    until(cap.grab)

    control("plugged no\n")
    until(lambda: not cap.grab())
    begun = time.monotonic()
    none = [cap.grab() for _ in range(1000)]
    fact("unplugged: false at once, for ever, isOpened stays true",
         not any(none) and cap.isOpened() and time.monotonic() - begun < 0.5 and not os.path.exists("/dev/video0"))
    control("plugged yes\nnode 3\n")
    other = cv2.VideoCapture(3, cv2.CAP_V4L2)
    fact("replugged as node 3: the old handle stays dead, a new one works",
         not cap.grab() and other.read()[0] and os.path.realpath(BY_ID) == "/dev/video3")
    other.release()
    cap.release()

    control("busy yes\n")
    os.close(os.open("/dev/video0", os.O_RDWR))
    fact("a busy camera opens plainly, but not in OpenCV", not cv2.VideoCapture(0, cv2.CAP_V4L2).isOpened())
    control("forbidden yes\n")
    try:
        os.open("/dev/video0", os.O_RDWR)
        fact("a forbidden camera: EACCES", False)
    except PermissionError:
        fact("a forbidden camera: EACCES", not cv2.VideoCapture(0, cv2.CAP_V4L2).isOpened())


def cycles():
    def usage():
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
    good, before = 0, None
    for i in range(110):
        control("fps 200\n")
        cap = open_raw()
        good += cap.read()[0]
        control("plugged no\n")
        until(lambda: not cap.grab())
        cap.release()
        if i == 9:
            before = usage()
    fact("110 unplugs: no descriptor, no thread leaks", good == 110 and usage() == before, (good, before, usage()))


def cost():
    control("")
    cap = open_raw()
    cap.read()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(90):
        cap.grab()
    after = resource.getrusage(resource.RUSAGE_SELF)
    ms = 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    fact("3 s of 1280x720 cost under 60 ms of CPU, OpenCV's part included", ms < 60, f"{ms:.0f} ms")
    cap.release()


def hanging():
    cap = open_raw()
    cap.read()
    control("fault hang\n")
    longest = 0
    for _ in range(400):
        begun = time.monotonic()
        if not cap.grab():
            longest = time.monotonic() - begun
            break
    control("")
    fact("hung: grab blocks 10 s, then false; heals", 9 < longest < 12 and until(cap.grab), f"{longest:.2f} s")
    control("fault hang\n")
    threading.Timer(1, control, ["plugged no\n"]).start()
    begun = time.monotonic()
    until(lambda: not cap.grab())
    took = time.monotonic() - begun
    fact("an unplug ends a blocked grab", 0.5 < took < 2, f"{took:.2f} s")
    cap.release()


print("     ", "opencv", cv2.__version__)
for part in (opening, raw_pictures, broken_pictures, losses, cycles, cost, hanging):
    control("")
    part()
sys.exit(failed)
