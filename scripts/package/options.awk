# Reads `camfeed --help`; prints its options in their order, one a line, in five columns with tabs between
# them: the name without dashes; what its value is called, or nothing for a switch; `many` when it may be
# given several times; its description; its group.

/^[A-Z][a-z]*:$/ {
	group = substr($0, 1, length($0) - 1)
	next
}

!NF {
	print_option()
	next
}

/^  --/ {
	print_option()
	name = substr($1, 3)
	# `--help, -h`: the other name stands in the place of a value.
	value = sub(/,$/, "", name) || substr($0, length($1) + 4, 1) == " " ? "" : $2
	text = $0
	sub(/^  [^ ]+( [^ ]+)?  +/, "", text)
	next
}

name {
	sub(/^ +/, "")
	text = text " " $0
}

END {
	print_option()
}

function print_option() {
	if (name)
		printf "%s\t%s\t%s\t%s\t%s\n", name, value, text ~ /several times/ ? "many" : "", text, group
	name = ""
}
