# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Packages of Debian suites that the machine does not have among its own. They are asked
# for by the name of their suite, from the mirror that the machine has the rest from, and
# checked with Debian's keys; the machine's own lists, pins and packages stay as they are.
# Sourced, never run.

# debian_release: this machine's, e.g. bookworm.
debian_release() {
	# shellcheck source=/dev/null
	( . /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME" )
}

# debian_mirror: where the machine has its packages from. Where that is, only apt can tell
# in all cases. LIBRA_MIRROR in the environment is another one.
debian_mirror() {
	local release mirror=${LIBRA_MIRROR:-}
	if [ -z "$mirror" ]; then
		release=$(debian_release) ||
			die "this is not Debian" "set LIBRA_MIRROR to a mirror of it"
		mirror=$(apt_mirror "$release")
		[ -n "$mirror" ] || die "apt has no list of Debian $release" "run apt-get update"
	fi
	printf '%s\n' "$mirror"
}

# only_suites DIR SUITE...: sets apt, the arguments by which apt-get and apt-cache know these
# suites, and nothing else; not even what is installed. What they keep is in DIR.
only_suites() {
	local dir=$1 mirror suite keys=/usr/share/keyrings/debian-archive-keyring.gpg
	shift
	[ -f "$keys" ] || die "$keys is missing" "run apt-get install debian-archive-keyring"
	mirror=$(debian_mirror)
	mkdir -p "$dir"/{lists,archives}/partial
	: >"$dir/status"
	for suite; do
		echo "deb [signed-by=$keys] $mirror $suite main"
	done >"$dir/sources.list"
	apt=(-q -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=-
		-o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=-
		-o "Dir::State::lists=$dir/lists" -o "Dir::State::status=$dir/status"
		-o "Dir::Cache=$dir" -o APT::Sandbox::User=root
		-o APT::Install-Recommends=false -o APT::Update::Error-Mode=any)
	say "asking for the packages of $*"
	apt-get "${apt[@]}" update >"$dir/log" 2>&1 || {
		tail -n 10 "$dir/log" >&2
		die "$mirror does not give us Debian's $*" \
			"try later, or set LIBRA_MIRROR to a mirror that has them"
	}
}

# unpack_debs DIR DEB...: all of them, with their links into /usr kept.
unpack_debs() {
	local dir=$1 deb
	shift
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -C "$dir" -x --no-same-owner --keep-directory-symlink
	done
}
