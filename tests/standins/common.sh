# shellcheck shell=sh
# What the stand-ins have in common; each sources it. They stand first on the PATH of who follows the
# README in a test: what would change the machine is held against what there is, noted, and not done.
# From the environment: STAND_ROOT, a folder for /, whose file `notes` gets a line for each call.

# Said like the real program would, and no less fatal.
fail() {
	echo "stand-in for ${0##*/}: $*" >&2
	exit 64
}

note() {
	echo "${0##*/} $*" >>"$STAND_ROOT/notes"
}
