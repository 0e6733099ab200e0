#!/bin/sh
# Does the fake camera hold up against real programs? Builds it and runs v4l2-ctl,
# v4l2-compliance, ffmpeg, ustreamer and OpenCV's Python module on it, each if installed.
# Prints a line per check; exit code 1 if one failed. About a minute, a third of it waiting
# for OpenCV's own time limit on a hung camera.
#
#   apt-get install --no-install-recommends ustreamer v4l-utils python3-opencv ffmpeg curl
# shellcheck disable=SC2317  # functions are called through `check`
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
failed=0

ok() { echo "ok    $1"; }
bad() { echo "FAIL  $1"; failed=1; }
skip() { echo "skip  $1: not installed: $2"; }
have() { command -v "$1" >/dev/null 2>&1; }

# check NAME COMMAND...: silent, unless it fails.
check() {
	name=$1
	shift
	if "$@" >"$tmp/out" 2>&1; then ok "$name"; else bad "$name" && sed 's/^/      /' "$tmp/out"; fi
}

# within SECONDS COMMAND...: true once the command is.
within() {
	end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

under() { timeout 60 env LD_PRELOAD="$tmp/libfakecam.so" "$@"; }
control() { printf '%b' "$1" >"$tmp/control.new" && mv "$tmp/control.new" "$tmp/control"; }

export FAKECAM_CONTROL="$tmp/control" FAKECAM_ROOT="$tmp/root" FAKECAM_LOG="$tmp/log"
check "builds without a warning" cc -shared -fPIC -O2 -Wall -Wextra -Werror -o "$tmp/libfakecam.so" "$here/fakecam.c" -ldl -lpthread
[ "$failed" = 0 ] || exit 1
if have ffmpeg; then
	check "make_frames.sh" "$here/make_frames.sh" "$tmp/frames" 30
	export FAKECAM_FRAMES="$tmp/frames"
else
	skip "make_frames.sh (using built-in mosaics)" ffmpeg
fi

# ---- programs that never touch video ------------------------------------------------------
is_device() { [ "$(under stat -L -c '%F %t' /dev/v4l/by-id/usb-Fake_Camera_0001-video-index0)" = "character special file 51" ]; }
check "stat follows the link by id to a device" is_device
node_goes() { control 'plugged no\n' && ! under ls /dev/video0 && control 'node 5\n' && under ls /dev/video5 /dev/null; }
check "the node goes and comes under another number" node_goes
control ''
harmless() { [ "$(under sh -c 'ls / >/dev/null; cat /dev/null; (echo fine) | cat')" = fine ]; }
check "a shell does not notice" harmless

# ---- v4l2-ctl -------------------------------------------------------------------------------
if have v4l2-ctl; then
	lists() {
		under v4l2-ctl -d /dev/video0 --list-formats-ext --list-ctrls >"$tmp/list" && grep -q Motion-JPEG "$tmp/list" &&
			grep -q 1920x1080 "$tmp/list" && grep -q '30.000 fps' "$tmp/list" && grep -q exposure_time_absolute "$tmp/list"
	}
	check "v4l2-ctl lists formats and controls" lists
	paced() {
		before=$(date +%s%N)
		under v4l2-ctl -d 0 --set-fmt-video=width=1280,height=720,pixelformat=MJPG --stream-mmap --stream-count=90
		took=$((($(date +%s%N) - before) / 1000000))
		echo "90 frames in $took ms"
		grep -q 'delivered=90 lost=0' "$tmp/log" && [ "$took" -gt 2950 ] && [ "$took" -lt 3500 ]
	}
	check "v4l2-ctl gets 90 frames in 3 s" paced
	check "v4l2-ctl streams into its own memory" under v4l2-ctl -d 0 --stream-user --stream-count=5
	sets() { under v4l2-ctl -d 0 -c brightness=200 -C brightness | grep -q 200; }
	check "v4l2-ctl sets a control" sets
else
	skip v4l2-ctl v4l-utils
fi
if have v4l2-compliance; then
	complies() {
		under v4l2-compliance -d /dev/video0 -s10 | tr '\r' '\n' >"$tmp/compliance" || true
		grep FAIL "$tmp/compliance"
		[ "$(grep -c 'MMAP.*OK' "$tmp/compliance")" = 3 ] && grep -q 'Failed: [0-4],' "$tmp/compliance"
	}
	check "v4l2-compliance: streaming; at most 4 of 54 fail (priority, events, USERPTR twice)" complies
else
	skip v4l2-compliance v4l-utils
fi

# ---- ffmpeg -----------------------------------------------------------------------------------
if have ffmpeg; then
	mjpg() {
		under ffmpeg -nostdin -v error -f v4l2 -input_format mjpeg -video_size 1280x720 -i /dev/video0 -frames:v 10 -c copy "$tmp/f%02d.jpg" &&
			[ -s "$tmp/f10.jpg" ] && under "$here/read_stamp.py" "$tmp/f10.jpg" | grep -q '^9 '
	}
	check "ffmpeg copies MJPG; the tenth frame is number 9" mjpg
	check "ffmpeg decodes 1920x1080" under ffmpeg -nostdin -v error -xerror -f v4l2 -input_format mjpeg -video_size 1920x1080 -i /dev/video0 -frames:v 10 -f null -
	check "ffmpeg reads YUYV" under ffmpeg -nostdin -v error -xerror -f v4l2 -input_format yuyv422 -video_size 640x480 -i /dev/video0 -frames:v 10 -f null -
	# Red, green and blue of the middle of the bar N, as ffmpeg sees it.
	bar() {
		under ffmpeg -nostdin -v error -f v4l2 -input_format "$1" -video_size 640x480 -i /dev/video0 -frames:v 1 \
			-vf "format=rgb24,crop=64:64:$(($2 * 80 + 8)):200,scale=1:1" -f rawvideo - | od -An -tu1
	}
	coloured() {
		read -r r _ b <<-END
			$(bar "$1" 5)
		END
		read -r r2 _ b2 <<-END
			$(bar "$1" 6)
		END
		echo "red $r $b, blue $r2 $b2"
		[ "$r" -gt 120 ] && [ "$b" -lt 60 ] && [ "$b2" -gt 180 ] && [ "$r2" -lt 100 ]
	}
	for pair in nv12:nv12 yu12:yuv420p uyvy:uyvy422 rgb3:rgb24 bgr3:bgr24 ba81:bayer_bggr8; do
		control "format ${pair%:*}\nfault freeze\n"
		check "ffmpeg sees red and blue of ${pair%:*}" coloured "${pair#*:}"
	done
	control ''
	mosaic() { FAKECAM_FRAMES='' under ffmpeg -nostdin -v error -xerror -f v4l2 -input_format mjpeg -i /dev/video0 -frames:v 10 -f null -; }
	check "ffmpeg decodes the built-in mosaic" mosaic
else
	skip "ffmpeg as a client" ffmpeg
fi

# ---- ustreamer --------------------------------------------------------------------------------
online() { curl -s --max-time 2 --unix-socket "$tmp/us" http://x/state | grep -q "\"online\": $1"; }
# A plain child, not a subshell of one, so that the trap can end it.
serve() {
	LD_PRELOAD="$tmp/libfakecam.so" ustreamer --unix "$tmp/us" --unix-rm -d /dev/video0 "$@" >"$tmp/us.log" 2>&1 &
	server=$!
}
end_server() {
	kill "$server"
	wait "$server" || true
	server=
}
if have ustreamer && have curl; then
	control ''
	serve -m MJPEG -r 1280x720
	check "ustreamer serves MJPG" within 10 online true
	snapshot() { curl -s --unix-socket "$tmp/us" -o "$tmp/s.jpg" http://x/snapshot && "$here/read_stamp.py" "$tmp/s.jpg" | grep -q '^[0-9]'; }
	check "its snapshot has the stamp" snapshot
	if have v4l2-ctl; then
		busy() { under v4l2-ctl -d 0 --set-fmt-video=width=640 2>&1 | grep busy; }
		check "a second process finds the camera busy" busy
	fi
	control 'plugged no\n'
	check "ustreamer loses an unplugged camera" within 10 online false
	control 'plugged yes\n'
	check "and takes it back" within 10 online true
	end_server
	serve -m YUYV -r 640x480
	check "ustreamer serves YUYV" within 10 online true
	end_server
else
	skip "ustreamer" "ustreamer or curl"
fi

# ---- OpenCV -----------------------------------------------------------------------------------
python=
for p in python3 /usr/bin/python3; do
	if [ -z "$python" ] && have "$p" && "$p" -c 'import cv2' 2>/dev/null; then python=$p; fi
done
if [ -n "$python" ]; then
	control ''
	OPENCV_LOG_LEVEL=SILENT OPENCV_VIDEOIO_PRIORITY_GSTREAMER=0 PYTHONDONTWRITEBYTECODE=1 timeout 120 env LD_PRELOAD="$tmp/libfakecam.so" "$python" "$here/selfcheck.py" || failed=1
else
	skip OpenCV python3-opencv
fi
exit "$failed"
