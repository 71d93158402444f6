# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The patched kernel's sources: which files the hooks touch, what they look like
# when patched, and how a build tree is brought to that state and configured.
# Sourced, never run.

PATCHES=$TOP/kernel-patches

# With unpatched=1, a kernel without anything of ours, to compare with.
unpatched=''
# A directory with patches that are not of the series.
more_hooks=''

# The hooks in the order of the series.
hooks() {
	[ -n "$unpatched" ] ||
		find "$PATCHES/hooks" ${more_hooks:+"$more_hooks"} -name '[0-9]*.patch' 2>/dev/null | sort
}

# touched HOOK...: the existing files that they change.
touched() {
	[ $# = 0 ] || sed -n 's|^--- a/\([^\t]*\).*|\1|p' "$@" | sort -u
}

# overlay DIR: lay our new files over a tree.
overlay() {
	[ -z "$unpatched" ] || return 0
	cp -r "$PATCHES/new/." "$1/"
	install -D -m 644 "$TOP/Kconfig.libra" "$1/net/libra/Kconfig"
}

# lean_config [FRAGMENT]: what a kernel has to boot in scripts/vm, and more.
lean_config() {
	sed "${unpatched:+/^CONFIG_LIBRA/d}" "$PATCHES/config/lean.config"
	[ -z "${1-}" ] || cat "$1"
	echo 'CONFIG_LOCALVERSION="-libra"'
}

# config_key CONFIG...: names a configuration by all that goes into it.
config_key() {
	{
		source_version
		gcc -dumpfullversion
		hooks | xargs -d '\n' -r cat
		cat "$TOP/Kconfig.libra"
		printf '%s\n' "$@"
	} | sha256sum | cut -c1-12
}

# kernel_key CONFIG: names a kernel by all that goes into it.
kernel_key() {
	{
		config_key "$@"
		[ -n "$unpatched" ] || (
			cd "$PATCHES/new" && find . -type f -print0 | sort -z | xargs -0 sha256sum
		)
	} | sha256sum | cut -c1-12
}

# pristine_files DIR FILE...: unpack these files of the kernel source into DIR.
pristine_files() {
	local dir=$1
	shift
	[ $# = 0 ] || tar -C "$dir" --strip-components=1 -xJf "$(source_tarball)" \
		"${@/#/linux-source-$SERIES/}"
}

# patched_files DIR: DIR holds the pristine files that the hooks touch; apply
# the hooks, and lay the new files over them.
patched_files() {
	local dir=$1 h
	while IFS= read -r h; do
		# No fuzz: git am takes none either.
		patch -d "$dir" -p1 -s -f --fuzz=0 --no-backup-if-mismatch <"$h" >&2 ||
			die "${h#"$TOP/"} does not apply to linux-source-$(source_version)" \
				"refresh its context lines"
	done < <(hooks)
	overlay "$dir"
}

# sync_kernel TREE: bring the tree to the state of hooks and overlay. Whatever
# an earlier state left is undone, and only files that differ are written. What
# the hooks touch is kept aside as it came.
sync_kernel() {
	local tree=$1 state=$1/.libra f
	local -a files
	mapfile -t hook_files < <(hooks)
	mapfile -t files < <(touched ${hook_files[@]+"${hook_files[@]}"})
	mkdir -p "$state/pristine"
	rm -rf "$state/new"
	mkdir "$state/new"
	for f in ${files[@]+"${files[@]}"}; do
		[ -f "$tree/$f" ] || die "a hook changes $f, which linux-source lacks"
		if [ ! -f "$state/pristine/$f" ]; then
			install -D -m 644 "$tree/$f" "$state/pristine/$f.new"
			mv "$state/pristine/$f.new" "$state/pristine/$f"
		fi
		install -D -m 644 "$state/pristine/$f" "$state/new/$f"
	done
	patched_files "$state/new"
	# Files that no hook touches any more go back to what they were.
	( cd "$state/pristine" && find . -type f -printf '%P\n' ) | while IFS= read -r f; do
		[ -e "$state/new/$f" ] || install -D -m 644 "$state/pristine/$f" "$state/new/$f"
	done
	sync_tree "$state/new" "$tree" "$state/files"
	rm -rf "$state/new"
}

# kernel_tree NAME: the sources as Debian ships them, in a tree of this name,
# which is ours alone until we end. Sets tree, state (a directory of our own
# within it) and kmake (make in it; whatever builds it, ccache knows it).
kernel_tree() {
	tree=$(cache_entry "tree-$(source_version)${1:+-$1}" unpack_kernel)
	state=$tree/.libra
	mkdir -p "$state"
	exec {tree_lock}>"$state/lock"
	flock -n "$tree_lock" || { say "waiting for another build in $tree"; flock "$tree_lock"; }
	export CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$tree CCACHE_NOHASHDIR=1
	export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
	export KBUILD_BUILD_USER=libra KBUILD_BUILD_HOST=libra KBUILD_BUILD_VERSION=1
	kmake=(make -C "$tree" CC='ccache gcc' HOSTCC='ccache gcc')
}

unpack_kernel() {
	local free
	free=$(df --output=avail -m "$CACHE" | tail -n 1)
	[ "$free" -ge 6000 ] || die "$CACHE has $free MB free, a kernel build needs 6000" \
		"make room or set XDG_CACHE_HOME"
	say "unpacking linux-source-$(source_version)"
	tar -C "$1" --strip-components=1 -xJf "$(source_tarball)"
}

# configure_kernel CONFIG: tinyconfig and these options. Where nothing changed,
# nothing is written, because make would compile everything again.
configure_kernel() {
	local config=$1 missing key
	key=$(config_key "$config")
	[ "$key" != "$(cat "$state/config.key" 2>/dev/null)" ] || return 0
	say "configuring"
	quiet "$state/log" "${kmake[@]}" KCONFIG_CONFIG=.libra/config tinyconfig
	printf '%s\n' "$config" >>"$state/config"
	quiet "$state/log" "${kmake[@]}" KCONFIG_CONFIG=.libra/config olddefconfig
	missing=$(grep -E '^(CONFIG_|# CONFIG_.* is not set)' <<<"$config" |
		grep -vxFf "$state/config") || :
	[ -z "$missing" ] || die "the configuration lost: $(tr '\n' ' ' <<<"$missing")" \
		"add what these options depend on to the fragment"
	cmp -s "$state/config" "$tree/.config" || cp "$state/config" "$tree/.config"
	echo "$key" >"$state/config.key"
}

# make_um TREE CONFIG [MAKE_ARGUMENT]...: user-mode Linux with the patches, in the tree
# of this name; it is $tree/linux.
make_um() {
	local c
	for c in make gcc bc bison flex ccache patch; do
		need_command "$c" patched
	done
	kernel_tree "$1"
	kmake+=(ARCH=um "${@:3}")
	sync_kernel "$tree"
	configure_kernel "$2"
	say "building user-mode Linux ($1)"
	quiet "$state/log" "${kmake[@]}" -j"$(nproc)" linux {tree_lock}>&-
	grep -A 4 'warning:' "$state/log" | grep -A 4 'libra' >&2 || :
}

# prune_results FLAVOUR N: an edit makes a new result; the last N are enough.
prune_results() {
	find "$CACHE" -maxdepth 1 -name "$1-$(source_version)-*" -printf '%T@ %p\n' | sort -rn |
		tail -n "+$(($2 + 1))" | cut -d' ' -f2- | xargs -r -d '\n' rm -rf
}
