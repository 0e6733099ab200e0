# One request that never hangs, and one picture taken whole or not at all. Read by the scripts here after
# `common.sh`, never run. It works with GNU wget, with curl, and with the wget of busybox.
#
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what is set here is read there, and the other way round

passfile='' tokenfile='' secret='' typed=''
return_key=$(printf '\r')

# Sets $url to the address in $1; one of a server or of one of its cameras gets $2. A path that only looks
# like a camera's, as some servers have for their pictures, is in $typed: it counts where $url is not there.
read_url() {
	case $1 in
	http://?* | https://?*) url=$1 ;;
	*://* | '') fail 1 "\`$1\`: allowed are http:// and https:// addresses" ;;
	*) url=http://$1 ;;
	esac
	rest=${url#*://}
	host=${rest%%[/?]*}
	case $host in
	*@*) fail 1 "a password in the address is seen by everybody on this machine: use -p FILE" ;;
	esac
	case $url in
	*[?\&]token=*) fail 1 "a token in the address is seen by everybody on this machine: use -T FILE" ;;
	esac
	case ${rest#"$host"} in
	'') url=$url/$2 ;;
	*[?]*) ;;
	*/) url=$url$2 ;;
	*/snapshot | */healthz | */state) ;;
	*)
		case ${url##*/} in
		*[!A-Za-z0-9_-]*) ;;
		*) typed=$url url=$url/$2 ;;
		esac
		;;
	esac
}

# Everything a request needs, once.
prepare_request() {
	case $(wget --version 2>/dev/null) in
	'GNU Wget '*) client=wget ;;
	*)
		if command -v curl >/dev/null; then
			client=curl
		elif command -v wget >/dev/null; then
			client=busybox
		else
			fail 1 "wget or curl is needed"
		fi
		;;
	esac
	prepare_secret
}

# Puts the password or the token where wget or curl read it, and ps does not.
prepare_secret() {
	[ -n "$passfile$tokenfile" ] || return 0
	[ -z "$passfile" ] || [ -z "$tokenfile" ] || fail 1 "-p and -T: only one of the two"
	line=''
	[ ! -r "$passfile$tokenfile" ] || IFS= read -r line <"$passfile$tokenfile" || true
	line=${line%"$return_key"}
	[ -n "$line" ] || fail 1 "cannot read a line from \`$passfile$tokenfile\` (needed is a file that you may read)"
	if [ -n "$passfile" ]; then
		case $line in
		*:*) ;;
		*) line=camfeed:$line ;;
		esac
		secret="Authorization: Basic $(printf %s "$line" | base64 | tr -d '\n')"
	else
		case $line in
		*[!A-Za-z0-9._~+/=-]*) fail 1 "\`$tokenfile\` holds something else than a token" ;;
		esac
		secret="Authorization: Bearer $line"
	fi
	case $client in
	wget) printf 'header = %s\n' "$secret" >&5 ;;
	curl) printf 'header = "%s"\n' "$secret" >&5 ;;
	*) fail 1 "this wget shows a password to everybody on this machine: install GNU wget or curl" ;;
	esac
}

# Asks for $url, with the header $1 if any; the body goes to the file $2. Within $seconds it sets $status
# ('' when nobody answered, and then $problem), $ended (of wget), and the headers that matter.
fetch() {
	time_left=$seconds
	if [ -z "$typed" ]; then
		fetch_once "$url" "$1" "$2"
		return
	fi
	look_at_clock
	asked_at=$now
	fetch_once "$url" "$1" "$2"
	[ "$status" = 404 ] || return 0
	look_at_clock
	time_left=$((seconds - (now - asked_at) / 100))
	[ $time_left -gt 0 ] || time_left=1
	fetch_once "$typed" "$1" "$2"
}

# The same for the address $1, header $2 and file $3, within $time_left. A redirection is not followed with a
# password in hand: wget would take it along to whatever host.
fetch_once() {
	url_asked=$1 header=$2 body=$3
	set --
	[ -z "$header" ] || set -- --header "$header"
	case $client in
	wget)
		[ -z "$secret" ] || set -- --config=/dev/fd/5 --max-redirect=0 "$@"
		# wget 1.21 waits for the body of a 304 until the connection is closed.
		set -- wget -nv -S -t 1 --content-on-error --no-http-keep-alive "$@" -O - "$url_asked"
		;;
	curl)
		if [ -n "$secret" ]; then set -- -K /dev/fd/5 "$@"; else set -- -L "$@"; fi
		set -- curl -sS -D /dev/fd/3 "$@" "$url_asked"
		;;
	*) set -- wget -q -S "$@" -O - "$url_asked" ;;
	esac
	true >/dev/fd/3
	LC_ALL=C timeout "$time_left" "$@" 2>&3 >"$body" 9>&- &
	job=$!
	wait "$job" 2>/dev/null
	ended=$?
	job=''
	read_answer
	case $ended in
	124 | 137 | 143) problem="no answer within $seconds s" ;;
	esac
}

# Reads what was said on 3: of several answers, the last.
read_answer() {
	status='' problem='no answer' type='' length='' stamp='' name='' etag='' age=''
	while IFS= read -r said; do
		said=${said%"$return_key"}
		# wget sets headers off.
		line=${said#"${said%%[! ]*}"}
		value=${line#*: }
		case $line in
		HTTP/[0-9]*)
			status=${line#* }
			status=${status%% *}
			type='' length='' stamp='' name='' etag='' age=''
			;;
		[Cc]ontent-[Tt]ype:*) type=$value ;;
		[Cc]ontent-[Ll]ength:*) length=$value ;;
		[Cc]ontent-[Dd]isposition:*[Ff]ilename=*) name=${value#*[Ff]ilename=} ;;
		[Xx]-[Tt]imestamp:*) stamp=${value%%.*} ;;
		[Ee][Tt]ag:*) etag=$value ;;
		[Aa]ge:*) age=$value ;;
		wget:* | curl:*) problem=${value#(*) } ;;
		failed:*) problem=$value ;;
		"$said") case $line in [A-Z]*.) problem=$line ;; esac ;;
		esac
	done </dev/fd/3
	problem=${problem%.}
	# Of what is used as a number or a name, only what is one.
	case $length in *[!0-9]*) length='' ;; esac
	case $age in *[!0-9]*) age='' ;; esac
	case $stamp in *[!0-9]* | ????????????*) stamp='' ;; esac
	case $name in
	\"*)
		name=${name#\"}
		name=${name%%\"*}
		;;
	*) name=${name%%;*} ;;
	esac
	case $name in
	*[!A-Za-z0-9._-]*) name='' ;;
	camfeed-[0-9]*T[0-9]*Z.jpg | camfeed-*-[0-9]*T[0-9]*Z.jpg) ;;
	*) name='' ;;
	esac
	# Other servers count from whenever.
	[ -n "$name" ] || stamp=''
}

# The server's own words for an error, out of the file $1, else $2: the first line, or of several cameras
# those of the ones that are gone. What they could do to a terminal is taken out.
error_text() {
	line=$(awk '
		NR == 1 { first = $0 }
		/^[A-Za-z0-9_-]+: no live picture/ { gone = gone (gone ? "; " : "") $0 }
		END { print gone ? gone : first }' "$1")
	line=$(printf '%.300s' "$line" | tr -d '\000-\037\177')
	problem=${line:-$2}
}

# Takes a picture of $url into the folder $1: as the file $2, or under its own name, then into a folder of
# its day when $by_day is set. $known: the ETag of the last one, which is not taken again.
# Sets $taken, $size and $is_new; else gives the exit code of its $problem.
take() {
	folder=$1 file=$2 is_new=''
	# In the same folder, so that moving it is one step.
	if ! temp=$(LC_ALL=C mktemp "$folder/.snapshot-XXXXXX" 2>&1); then
		problem="cannot write into \`$folder\`: ${temp##*: }"
		temp=''
		return 5
	fi
	fetch "${known:+If-None-Match: $known}" "$temp"
	check_picture && keep_picture
	code=$?
	rm -f "$temp"
	temp=''
	return $code
}

# Whether the answer is a good one; else gives the exit code of its $problem, which the file $1 may tell.
check_status() {
	case $status in
	200 | 304) return 0 ;;
	'')
		problem="no answer from $host: $problem"
		return 2
		;;
	503)
		error_text "$1" "no live picture (503)"
		return 3
		;;
	401)
		problem="$host wants a password (-p) or a token (-T), or another one"
		return 1
		;;
	*)
		error_text "$1" ''
		problem="$host answers $status${problem:+: $problem}"
		return 4
		;;
	esac
}

# Whether $temp is a whole, live picture.
check_picture() {
	check_status "$temp" || return
	[ "$status" != 304 ] || return 0
	size=$(wc -c <"$temp")
	size=$((size))
	case $client$ended$problem in
	wget3* | curl23* | busybox*write*)
		problem="cannot write into \`$folder\`: the disk is full or broken"
		return 5
		;;
	esac
	case $type in
	image/jpeg | image/jpeg\;* | image/jpg) ;;
	*)
		problem="$host answers with \`${type:-nothing}\`, not with a picture"
		return 4
		;;
	esac
	if [ "${age:-0}" -gt 2 ]; then
		problem="something between here and $host gives pictures that are $age s old"
	elif [ -n "$length" ] && [ "$size" != "$length" ]; then
		problem="the picture is cut off: $size of $length bytes"
	elif [ "$ended" != 0 ]; then
		problem="the picture is cut off: $problem"
	elif ! is_jpeg "$temp"; then
		problem="$host answers with something that is no whole JPEG"
	else
		return 0
	fi
	return 4
}

is_jpeg() {
	case $(od -An -tx1 -N2 <"$1")$(tail -c 2 "$1" | od -An -tx1) in
	' ff d8 ff d9') return 0 ;;
	esac
	return 1
}

# Gives $temp its name, time and mode; a picture that is there already stays as it is.
keep_picture() {
	[ "$status" != 304 ] || return 0
	known=''
	if [ -n "$file" ]; then
		taken=$folder/$file
	else
		[ -n "$name" ] || name=snapshot-$(date -u +%Y%m%dT%H%M%SZ).jpg
		day=''
		if [ -n "$by_day" ]; then
			day=$(date ${stamp:+-d "@$stamp"} +%Y-%m-%d)/
			[ -d "$folder/$day" ] || mkdir "$folder/$day" 2>/dev/null
		fi
		taken=$folder/$day$name
		if [ -e "$taken" ]; then
			known=$etag
			return 0
		fi
	fi
	set_mode
	[ -z "$stamp" ] || touch -d "@$stamp" "$temp"
	if ! problem=$(LC_ALL=C mv -f "$temp" "$taken" 2>&1); then
		problem="cannot write \`$taken\`: ${problem##*: }"
		return 5
	fi
	is_new=yes known=$etag
}
