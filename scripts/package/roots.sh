# Small Debians in folders of this machine, in which scripts/release makes packages and scripts/try-libcamera
# tries a camera: how they are made and used. Read by these after common.sh, never run.
#
# $root is such a folder, $suite its Debian, $mirror where it comes from, $log the folder for what steps
# say, $here that of the scripts.
#
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # what is set here is read there, and the other way round

steps=0 failed=''

# Runs this script again with mounts and processes of its own, which end with it, however it ends; ends as
# that did. What $apart says is not empty there.
run_apart() {
	# The kernel ends what is inside with unshare, and unshare with this shell. It takes no other signal.
	CAMFEED_APART=yes setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --mount-proc "$here/$me" "$@" &
	job=$!
	trap 'kill -KILL "$job" 2>/dev/null' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	wait "$job"
	exit
}

# Ends unless roots can be made here.
check_can_make_roots() {
	[ "$(id -u)" = 0 ] || fail 1 "root is needed for debootstrap and chroot"
	command -v debootstrap >/dev/null || fail 1 "debootstrap is missing: apt install debootstrap"
}

# Makes the folder $1, and takes it for this run alone.
take_folder() {
	mkdir -p "$1" || fail 1 "cannot make the folder \`$1\`"
	# Others can make folders in /var/tmp too.
	[ -O "$1" ] || fail 1 "\`$1\` must belong to root"
	exec 9>"$1/lock"
	flock -n 9 || fail 1 "\`$1\` is in use by another $me"
}

# Sets $took to the seconds since $1, in words.
read_time_since() {
	look_at_clock
	took="$(((now - $1) / 100)).$(((now - $1) / 10 % 10)) s"
}

# Runs a command as the step $1, which does what $2 says. What it says is kept; shown at its failure.
step() {
	name=$1
	printf '%s: %s\n' "$name" "$2"
	shift 2
	look_at_clock
	began=$now steps=$((steps + 1))
	if "$@" >"$log/$name" 2>&1 </dev/null; then
		read_time_since "$began"
		printf '  ok, %s\n' "$took"
	else
		read_time_since "$began"
		tail -n 30 "$log/$name" | sed 's/^/  | /'
		printf '  FAILED, %s (all of it: %s)\n' "$took" "$log/$name"
		failed="$failed $name"
		return 1
	fi
}

# A step that says what people want to read.
show() {
	step "$@" || return
	sed 's/^/  | /' "$log/$1"
}

# A step that the others need.
need() {
	step "$@" || fail 1 "$1 failed, and the rest needs it"
}

# Runs a command in the root, without what this shell has set.
inside() {
	chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
		${no_proxy:+no_proxy="$no_proxy"} ${CARGO_NET_OFFLINE:+CARGO_NET_OFFLINE="$CARGO_NET_OFFLINE"} \
		"$@"
}

# Runs a command in the source's copy in the root.
in_source() {
	inside sh -c 'cd /src/camfeed && exec "$@"' sh "$@"
}

# The mirror that this machine's apt has Debian from; nothing, where it has none.
find_mirror() {
	# shellcheck disable=SC2016 # for apt
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
		'Component: main' 2>/dev/null | head -n 1
}

make_root() {
	# debootstrap takes its own folder away at its end: one that was interrupted is done again, from nothing,
	# as it does not write over its own files.
	[ ! -e "$root/etc/debian_version" ] || [ -e "$root/debootstrap" ] || return 0
	rm -rf --one-file-system "$root" || return
	debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"}
}

# How this machine reaches the network: names, apt's proxies, certificates, and cargo's registry.
copy_network() {
	cp -L /etc/resolv.conf "$root/etc/resolv.conf" || return
	for file in /etc/apt/apt.conf.d/*; do
		if grep -qiE 'proxy|check-(valid|date)' "$file"; then cp "$file" "$root/etc/apt/apt.conf.d/"; fi
	done
	mkdir -p "$root/usr/local/share/ca-certificates" "$root/root/.cargo/registry" || return
	for file in /usr/local/share/ca-certificates/*.crt; do
		[ ! -e "$file" ] || cp "$file" "$root/usr/local/share/ca-certificates/"
	done
	cargo_home=${CARGO_HOME:-${HOME:-/root}/.cargo}
	for file in config config.toml; do
		rm -f "$root/root/.cargo/$file"
		[ ! -e "$cargo_home/$file" ] || cp "$cargo_home/$file" "$root/root/.cargo/"
	done
	for crates in index cache; do
		[ ! -d "$cargo_home/registry/$crates" ] ||
			cp -Ru "$cargo_home/registry/$crates" "$root/root/.cargo/registry/" || return
	done
}

# Copies the files that differ, so that cargo sees these as new, whatever their age, and no others.
copy_source() {
	copy=$root/src/camfeed
	mkdir -p "$copy" && cd "$here/.." || return
	find . \( -name target -o -name .git \) -prune -o -type f -print | sort >"$log/files" || return
	while IFS= read -r file; do
		cmp -s "$file" "$copy/$file" && continue
		mkdir -p "$copy/${file%/*}" && rm -f "$copy/$file" && cp "$file" "$copy/$file" || return
		echo "$file"
	done <"$log/files"
	(cd "$copy" && find . -name target -prune -o -type f -print | sort) |
		comm -13 "$log/files" - | while IFS= read -r file; do
		echo "$file is gone"
		rm -f "$copy/$file"
	done
}
