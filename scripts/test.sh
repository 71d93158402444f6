#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that can fail, on Debian's own kernel and on the patched one. The
# last line is the verdict: N passed, N failed[, N skipped]. With CI=true a
# skipped test is a failed one.
#
# Usage: scripts/test.sh
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-build.sh"
. "$(dirname "$0")/lib-test.sh"

[ $# = 0 ] || die "takes no arguments"
rm -rf "$LOGS"
mkdir -p "$LOGS"

"$TOP/scripts/install-deps" test

# The kernel takes longest, when the cache is cold. It gives way to the rest.
say "building the patched kernel in the background"
nice -n 10 "$TOP/scripts/build-kernel" >"$LOGS/kernel" 2>"$LOGS/kernel.progress" &
kernel_build=$!
guests=()
trap 'kill_tree "$kernel_build" ${guests[@]+"${guests[@]}"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$TOP"
parts=()
for part in scripts .ci tests tools bench; do
	[ ! -e "$part" ] || parts+=("$part")
done
mapfile -t shell_scripts < <(grep -rlIE '^#!.*\b(ba|da)?sh\b|^# shellcheck shell=' "${parts[@]}")
mapfile -t python_scripts < <(grep -rlI '^#!.*python3' "${parts[@]}"; find tests -name '*.py')

check "shellcheck" shellcheck "${shell_scripts[@]}"
check "python syntax" python3 -c 'import ast, sys
for name in sys.argv[1:]: ast.parse(open(name).read(), name)' "${python_scripts[@]}"
check "series" scripts/export-series --check
tap scripts tests/scripts/run
check "module builds without a warning" module_is_clean
check "user side builds" build_everything
ctest_results

# A guest emulates its CPUs in one thread (see accel_args), so the two share the
# machine well.
run_guest stock &
guests+=($!)

say "waiting for the patched kernel"
tail -n +1 -f --pid "$kernel_build" "$LOGS/kernel.progress" >&2 &
kernels=(stock)
if wait "$kernel_build"; then
	result ok "patched kernel builds"
	kernels+=(patched)
	run_guest patched &
	guests+=($!)
else
	result fail "patched kernel builds (all of it in build/logs/kernel.progress)"
fi
watch_guests "${guests[@]}"
for kernel in "${kernels[@]}"; do
	tap "$kernel" replay "$kernel"
	check "demo on the $kernel kernel" replay "demo-$kernel"
done
verdict
