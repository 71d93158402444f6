# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Completion of libractl's command line: libractl itself knows what may come next.

_libractl() {
	local word
	COMPREPLY=()
	while IFS=$'\t' read -r word _; do
		COMPREPLY+=("$word")
	done < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _libractl libractl
