# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# How tests of scripts compare and count, in TAP, and a directory for them. Sourced, never run.

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0 bad=0

# expect WHAT WANTED GOT
expect() {
	number=$((number + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $number - $1"
	else
		bad=$((bad + 1))
		echo "not ok $number - $1"
		echo "#   wanted '$2', got '$3'"
	fi
}

# status COMMAND...: its exit status; what it says is in $work/stdout and $work/stderr
status() {
	local rc=0
	"$@" >"$work/stdout" 2>"$work/stderr" || rc=$?
	echo "$rc"
}

# expected: the plan, and whether all was
expected() {
	echo "1..$number"
	[ "$bad" = 0 ]
}
