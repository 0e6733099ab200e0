# Reads a script of scripts/ and writes its page: the comment at its head is its help, whose first line
# says what it does. `name` is what it is called, `day` the date of the page.

NR == 1 { next }
!/^#/ { exit }

{
	sub(/^# ?/, "")
	gsub(/\\/, "\\e")
	gsub(/-/, "\\-")
	gsub(/…/, "\\[u2026]")
	gsub(/[\047]/, "\\(aq")
	gsub(/`/, "\\(ga")
	if (/^\./)
		$0 = "\\&" $0
	lines[++count] = $0
}

END {
	if (!count)
		exit 1
	title = lines[1]
	sub(/\.$/, "", title)
	print ".Dd " day "\n.Dt " toupper(name) " 1\n.Os\n.Sh NAME\n.Nm " name "\n.Nd " tolower(substr(title, 1, 1)) substr(title, 2)
	print ".Sh DESCRIPTION\n.Bd -literal"
	for (i = 3; i <= count; i++)
		print lines[i] ? lines[i] : "\\&"
	print ".Ed\n.Sh SEE ALSO\n.Xr camfeed 1"
}
