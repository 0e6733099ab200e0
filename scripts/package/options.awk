# Reads `camfeed --help`; prints its options in their order, one a line, in four columns with tabs
# between them: the name without dashes; what its value is called, or nothing for a switch; `many` when
# it may be given several times; its description.

function add(name) {
	names[++count] = name
}

/^Usage: / {
	rest = $0
	while (match(rest, /\[--[a-z-]+( <[^>]*>)?\]/)) {
		option = substr(rest, RSTART + 3, RLENGTH - 4)
		rest = substr(rest, RSTART + RLENGTH)
		name = option
		sub(/ .*/, "", name)
		if (option ~ /</) {
			value = option
			sub(/^[^<]*</, "", value)
			sub(/>$/, "", value)
			if (sub(/\.\.\.$/, "", value))
				many[name] = "many"
			values[name] = value
		}
	}
	next
}

/^[A-Z][a-z]*:$/ {
	in_options = $0 == "Options:"
	next
}

in_options && /^  --/ {
	name = substr($1, 3)
	sub(/,$/, "", name)
	add(name)
	line = $0
	sub(/^  --[a-z-]+(, help)? */, "", line)
	texts[name] = line
	next
}

in_options && NF {
	line = $0
	sub(/^ +/, "", line)
	texts[names[count]] = texts[names[count]] " " line
}

END {
	for (i = 1; i <= count; i++) {
		name = names[i]
		printf "%s\t%s\t%s\t%s\n", name, values[name], many[name], texts[name]
	}
}
