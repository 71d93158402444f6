# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every script here shares: where things live, how progress and errors
# look, which kernel apt gives us, and how an entry of the cache is made once.
# Sourced, never run.

# shellcheck disable=SC2034 # read by the scripts that source this file
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/libra
SERIES=6.12
shopt -s inherit_errexit
PATH=$PATH:/usr/sbin:/sbin	# not everybody's shell looks there

# Under pipefail a reader that stops early (head, grep -q) makes its pipe fail now
# and then: the writer may or may not be done. None is used here.

# --- messages ----------------------------------------------------------------

# Seconds count from the outermost script, so that nested steps line up.
export LIBRA_STARTED=${LIBRA_STARTED:-$EPOCHSECONDS}

say() {
	printf '[%4ds] %s\n' $((EPOCHSECONDS - LIBRA_STARTED)) "$*" >&2
}

# script_help FILE: what the comment at its top says.
script_help() { sed -n '3,/^set/{/^set/d;s/^# \?//;p}' "$1"; }

# die CAUSE [MEND]
die() {
	printf '%s: %s%s\n' "${0##*/}" "$1" "${2:+; $2}" >&2
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "needs root" "run it with sudo"
}

need_command() {
	command -v "$1" >/dev/null ||
		die "$1 is not installed" "run scripts/install-deps $2"
}

# quiet LOG COMMAND...: keep a noisy command's output for the day it fails.
quiet() {
	local log=$1 rc=0
	shift
	"$@" >"$log" 2>&1 || rc=$?
	if [ "$rc" != 0 ]; then
		tail -n 40 "$log" >&2
		die "'$1 ${2-} ...' failed (status $rc)" "the whole output is in $log"
	fi
}

# --- versions ----------------------------------------------------------------

# The upstream version of the installed kernel source, e.g. 6.12.117.
source_version() {
	local v
	v=$(dpkg-query -W -f '${db:Status-Status} ${source:Upstream-Version}' \
		"linux-source-$SERIES" 2>/dev/null) || v=
	[ "${v%% *}" = installed ] ||
		die "linux-source-$SERIES is not installed" "run scripts/install-deps test"
	printf '%s\n' "${v#* }"
}

source_tarball() {
	local t=/usr/src/linux-source-$SERIES.tar.xz
	[ -f "$t" ] || die "$t is missing" \
		"reinstall it with apt-get install --reinstall linux-source-$SERIES"
	printf '%s\n' "$t"
}

# The newest kernel whose headers are installed, e.g. 6.12.117+deb12-amd64.
headers_version() {
	local v
	v=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
		"linux-headers-$SERIES.*-amd64" 2>/dev/null |
		sed -n "s/^installed linux-headers-\($SERIES\.[0-9]*+[^-]*-amd64\)$/\1/p" |
		sort -V | tail -n 1)
	[ -n "$v" ] || die "no headers of a Debian $SERIES kernel are installed" \
		"run scripts/install-deps demo"
	printf '%s\n' "$v"
}

# The C library that what we build here is linked with: an entry of the cache that holds
# programs has it in its name, as other releases may share the cache (scripts/in-root).
libc_version() { getconf GNU_LIBC_VERSION | tr -d ' '; }

# apt_mirror SUITE: where apt has Debian's main component of this suite from, if it has.
# shellcheck disable=SC2016 # apt-get expands it
apt_mirror() {
	apt-get indextargets --format '$(REPO_URI)' "Codename: $1" 'Component: main' \
		'Created-By: Packages' | sed -n 1p
}

# --- the cache ---------------------------------------------------------------

# cache_entry NAME FUNCTION: print the path of a finished entry. Where there is
# none, FUNCTION fills an empty directory, which takes the entry's name only
# when all of it is there. Two callers at once: one builds, the other waits.
cache_entry() {
	local name=$1 fill=$2 dir=$CACHE/$1 tmp lock
	if [ ! -d "$dir" ]; then
		mkdir -p "$CACHE"
		exec {lock}>"$CACHE/.$name.lock"
		flock "$lock"
		if [ ! -d "$dir" ]; then
			tmp=$CACHE/.$name.tmp
			rm -rf "$tmp"	# what a killed run left; the lock is ours
			mkdir "$tmp"
			# Not `|| return`: that would switch off errexit inside.
			( set -e; exec {lock}>&-; "$fill" "$tmp" ) >&2
			mv "$tmp" "$dir"
		fi
		exec {lock}>&-
	fi
	printf '%s\n' "$dir"
}

# --- trees -------------------------------------------------------------------

# sync_tree FROM TO LIST: make the files of FROM appear in TO, writing only what
# differs, so that make rebuilds only what changed. LIST remembers which files
# are ours; one that is gone from FROM goes from TO as well.
sync_tree() {
	local from=$1 to=$2 list=$3 f
	( cd "$from" && find . -type f -printf '%P\n' | sort ) >"$list.new"
	while IFS= read -r f; do
		cmp -s "$from/$f" "$to/$f" || install -D -m 644 "$from/$f" "$to/$f"
		[ ! -x "$from/$f" ] || chmod 755 "$to/$f"
	done <"$list.new"
	if [ -f "$list" ]; then
		comm -23 "$list" "$list.new" | while IFS= read -r f; do
			rm -f "$to/$f"
		done
	fi
	mv "$list.new" "$list"
}

# has_btf FILE: whether an ELF file carries BTF.
has_btf() {
	readelf -SW "$1" | grep ' \.BTF ' >/dev/null
}
