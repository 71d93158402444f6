# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The patched kernel's sources: which files the hooks touch, what they look like
# when patched, and how a build tree is brought to that state. Sourced, never
# run.

PATCHES=$TOP/kernel-patches

# The hooks in the order of the series.
hooks() {
	find "$PATCHES/hooks" -name '[0-9]*.patch' 2>/dev/null | sort
}

# touched HOOK...: the existing files that they change.
touched() {
	[ $# = 0 ] || sed -n 's|^--- a/\([^\t]*\).*|\1|p' "$@" | sort -u
}

# config_key [FRAGMENT]: names a configuration by all that goes into it.
config_key() {
	{
		source_version
		gcc -dumpfullversion
		hooks | xargs -d '\n' -r cat
		cat "$PATCHES/config/lean.config" ${1:+"$1"}
		[ ! -f "$TOP/Kconfig.libra" ] || cat "$TOP/Kconfig.libra"
	} | sha256sum | cut -c1-12
}

# kernel_key [FRAGMENT]: names a patched kernel by all that goes into it.
kernel_key() {
	{
		config_key "$@"
		( cd "$PATCHES/new" && find . -type f -print0 | sort -z | xargs -0 sha256sum )
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
	cp -r "$PATCHES/new/." "$dir/"
	if [ -f "$TOP/Kconfig.libra" ]; then
		install -D -m 644 "$TOP/Kconfig.libra" "$dir/net/libra/Kconfig"
	fi
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
