# How `timelapse film` makes a film of the pictures under the folder it stands in. Read by it after
# `common.sh`, never run.
#
# Descriptors are other files here: 3 the number of frames in the film, 4 what ffmpeg says, 5 the names
# of the pictures, 6 the picture that is being read.
#
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what is set here is read there, and the other way round

# Makes the film $out, in the folder $folder, of what is here. $first and $second: as the user calls the two.
make_film() {
	list_pictures >&5
	total=$(wc -l </dev/fd/5)
	total=$((total))
	[ $total -gt 0 ] || fail 4 "there are no pictures under \`$first\`"
	find_size
	if ! temp=$(LC_ALL=C mktemp "$folder/.film-XXXXXX" 2>&1); then
		problem="cannot write into \`$folder\`: ${temp##*: }"
		temp=''
		fail 5 "$problem"
	fi
	fit="scale=$width:$height:force_original_aspect_ratio=decrease"
	fit="$fit,pad=$width:$height:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p"
	{
		# shellcheck disable=SC2016 # for the other shell
		feed | sh -c 'echo "encoder=$$"; exec "$@"' sh \
			ffmpeg -v error -y -f mpjpeg -r "$rate" -i pipe:0 -vf "$fit" \
			-c:v libx264 -preset veryfast -crf 21 -movflags +faststart -f mp4 -progress pipe:1 "$temp"
		echo "ended=$?"
	} 2>&4 | follow &
	job=$!
	wait "$job"
	code=$?
	job=''
	read -r frames </dev/fd/3
	if [ $code != 0 ] || [ "$frames" = 0 ]; then
		fail 4 "ffmpeg made no film: $(tail -n 1 /dev/fd/4)"
	fi
	set_mode
	mv -f "$temp" "$out" || fail 5 "cannot write \`$out\`"
	temp=''
	broken=$((total - frames))
	echo "$second: $frames pictures$([ $broken = 0 ] || echo ", $broken broken ones left out")"
}

# The pictures under this folder, oldest first: their names end with a time in UTC, the names of their
# folders with one that summer time moves.
list_pictures() {
	find . -type f -name '[!.]*.jpg' | awk -F / '{
		time = $NF
		if (time ~ /-[0-9]+T[0-9.]+Z\.jpg$/)
			sub(/.*-/, "", time)
		print time "/" $0
	}' | LC_ALL=C sort | cut -d / -f 2-
}

# Sets $width and $height to those of the first picture, made even, as H.264 needs them.
find_size() {
	size=$(while IFS= read -r picture; do
		is_jpeg "$picture" || continue
		size=$(ffprobe -v error -show_entries stream=width,height -of csv=p=0 "$picture")
		case $size in
		[1-9]*,[1-9]*)
			echo "$size"
			break
			;;
		esac
	done </dev/fd/5 2>/dev/null)
	[ -n "$size" ] || fail 4 "there is no whole picture under \`$first\`"
	width=$((${size%%,*} / 2 * 2)) height=$((${size##*,} / 2 * 2))
}

# Writes the pictures as parts of a multipart stream, so that one which is broken inside spoils no other;
# leaves those out whose ends are missing, or that are deleted meanwhile.
feed() {
	is_read=yes
	while [ -n "$is_read" ] && IFS= read -r picture; do
		{ ! is_jpeg /dev/fd/6 || feed_part || is_read=''; } 6<"$picture"
	done </dev/fd/5 2>/dev/null
}

feed_part() {
	printf -- '--part\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' "$(wc -c </dev/fd/6)"
	cat /dev/fd/6 && printf '\r\n'
}

# Reads what ffmpeg tells of its progress, and shows it; notes the number of frames in 3.
follow() {
	encoder='' frames=0 ended=1 tenth=0
	trap '[ -z "$encoder" ] || kill "$encoder"' TERM
	while IFS='=' read -r key value; do
		case $key in
		encoder) encoder=$value ;;
		ended) ended=$value ;;
		frame) frames=$((value)) ;;
		progress) show_progress ;;
		esac
	done
	[ ! -t 2 ] || echo >&2
	echo "$frames" >&3
	exit "$ended"
}

# A line that changes on a terminal, elsewhere one for each tenth.
show_progress() {
	text="$frames of $total pictures, $((100 * frames / total)) %"
	if [ -t 2 ]; then
		printf '\r%s: %s ' "$me" "$text" >&2
	elif [ -n "$verbose" ] && [ $((10 * frames / total)) -gt "$tenth" ]; then
		tenth=$((10 * frames / total))
		say "$text"
	fi
}
