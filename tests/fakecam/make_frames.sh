#!/bin/sh
# Makes the ring of JPEGs that the fake camera sends as MJPG ($FAKECAM_FRAMES). Used by the
# tests and selfcheck.sh, into a folder of theirs: nothing it makes is ever committed.
#
#   make_frames.sh DIR [COUNT [SIZE…]]      defaults: 30 frames, 640x480 1280x720 1920x1080
#
# A moving test picture with noise, about 62 kB a frame at 1280x720, 4:2:2 as cameras send it.
# The Huffman tables are the standard ones, so that a frame without them (`fault nodht`) is
# still the same picture. Existing frames are replaced.
set -eu

dir=${1:?usage: make_frames.sh DIR [COUNT [SIZE...]]}
count=${2:-30}
if [ $# -gt 2 ]; then shift 2; else set -- 640x480 1280x720 1920x1080; fi

mkdir -p "$dir"
for size in "$@"; do
	ffmpeg -nostdin -v error -y -f lavfi -i "testsrc2=size=$size:rate=30,noise=alls=9:allf=t" \
		-frames:v "$count" -pix_fmt yuvj422p -c:v mjpeg -huffman default -q:v 9 \
		"$dir/$size-%03d.jpg"
done
