# What the scripts here share: how they speak, their options, their clock, their files and their end.
# Read by them from the folder they stand in, never run. `fetch.sh` is about the network.
#
# Descriptors: 3 what wget says, headers included; 4 a body that nobody keeps; 5 the password, for wget;
# 9 a lock. Behind 3, 4 and 5 are files in memory whose names are gone at once, so that nothing is left
# behind by whatever end, and no SD card is written to. Children never get 9: a lock must not outlive us.
#
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what is set here is read there, and the other way round

me=${0##*/}
job='' temp='' quiet=''

say() {
	# The journal has the time already.
	if [ -n "${JOURNAL_STREAM:-}" ]; then
		printf '%s: %s\n' "$me" "$*" >&2
	else
		printf '%s %s: %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$me" "$*" >&2
	fi
}

# Ends with code $1, and says why in one line.
fail() {
	[ -n "$quiet" ] || printf '%s: %s\n' "$me" "$2" >&2
	exit "$1"
}

# The head of the script is its help.
help() {
	sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p;}' "$0"
	exit 0
}

# An option that the script does not know, as getopts tells it: $1 is `?` or `:`, or `-` for a long one. $2 is
# what getopts was given, $3 the long options there are besides --help.
bad_option() {
	bad=-$OPTARG
	case $1$OPTARG in
	-help | '?h') help ;;
	:*) fail 1 "$bad: a value is missing (--help says which)" ;;
	# Behind a `=` there may be a password.
	-*) bad=--${OPTARG%%=*} ;;
	esac
	allowed=$(printf %s "$2" | tr -d :- | sed 's/./, -&/g')
	fail 1 "$bad: there is no such option: allowed are ${allowed#, }${3:+, $3} (--help says more)"
}

# Refuses a $2 of option $1 that is no whole number from $3 to $4, a count of $5.
check_number() {
	case $2 in
	'' | *[!0-9]* | ??????????*) ;;
	*) [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] && return ;;
	esac
	fail 1 "$1 \`$2\`: allowed are $3 to $4 $5"
}

# Sets $hundredths to those of $2, a value of option $1 which may have decimals, from $3 to $4 of them;
# $5 says so in words.
read_hundredths() {
	case $2 in
	*[!0-9.]* | *.*.* | '' | . | ??????????????*) hundredths=-1 ;;
	*)
		rest=${2#"${2%%.*}"}
		rest=${rest#.}00
		rest=${2%%.*}${rest%"${rest#??}"}
		# Not octal.
		rest=${rest#"${rest%%[!0]*}"}
		hundredths=${rest:-0}
		;;
	esac
	if [ "$hundredths" -lt "$3" ] || [ "$hundredths" -gt "$4" ]; then
		fail 1 "$1 \`$2\`: allowed are $5"
	fi
}

# Sets $now to hundredths of seconds on a clock that never jumps.
look_at_clock() {
	read -r now rest </proc/uptime
	now=${now%.*}${now#*.}
	now=${now#"${now%%[!0]*}"}
	now=${now:-0}
}

# Waits $1 hundredths of a second, or until a signal ends the script.
pause() {
	[ "$1" -gt 0 ] || return 0
	rest=$(($1 % 100))
	[ "$rest" -gt 9 ] || rest=0$rest
	sleep "$(($1 / 100)).$rest" 9>&- &
	job=$!
	# Never a busy loop, where sleep does not know fractions.
	wait "$job" || sleep 1 9>&-
	job=''
}

# Runs at every end but kill -9.
tidy() {
	if [ -n "$job" ]; then
		kill "$job" 2>/dev/null
		wait "$job" 2>/dev/null
	fi
	[ -z "$temp" ] || rm -f "$temp"
}

# Sets $temp to a file without content, in memory where there is such a place.
make_file_in_memory() {
	for memory in "${XDG_RUNTIME_DIR:-}" /dev/shm "${TMPDIR:-/tmp}"; do
		[ -n "$memory" ] && temp=$(mktemp "$memory/camfeed-XXXXXX" 2>/dev/null) && return
	done
	temp=''
	fail 5 "cannot write to /dev/shm or /tmp"
}

# Everything a script needs before it does anything. $1: the exit code at SIGTERM.
prepare() {
	trap tidy EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit '"$1" TERM
	make_file_in_memory
	exec 3>>"$temp"
	rm -f "$temp"
	make_file_in_memory
	exec 4>>"$temp"
	rm -f "$temp"
	make_file_in_memory
	exec 5>>"$temp"
	rm -f "$temp"
	temp=''
}

# mktemp makes files for this user only; what is kept is for whom the user wants.
set_mode() {
	chmod "$(printf %o $((0666 & ~$(umask))))" "$temp"
}
