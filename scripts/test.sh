#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything that can fail, on Debian's own kernel and on the patched one, and what
# moves memory on the patched one's debug build. The last line is the verdict:
# N passed, N failed[, N skipped]. With CI=true a skipped test is a failed one.
#
# Usage: scripts/test.sh [--long] [--debian-13]
#   --long  and more on the patched and the debug kernel, soaks of 200 000 and 33 000 messages,
#           and five minutes of each fuzz target: an hour and a half more
#   --debian-13  and what may differ from release to release in a guest of Debian 13, with its own
#           kernel, compilers, proxies and OpenSSL (scripts/test-debian)
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-build.sh"
. "$(dirname "$0")/lib-test.sh"

long='' debian_13=''
for option in "$@"; do
	case $option in
	--long) long=1 ;;
	--debian-13) debian_13=1 ;;
	*) die "unknown argument $option" "the options are --long and --debian-13" ;;
	esac
done
rm -rf "$LOGS"
mkdir -p "$LOGS"

"$TOP/scripts/install-deps" test

# The kernels take longest, when the cache is cold. They give way to the rest, and
# the one that more is to be run on comes first.
say "building the patched kernel in the background"
touch "$LOGS"/kernel-{patched,debug}.progress
build_kernel patched build-kernel &
patched_build=$!
{ tail -f --pid "$patched_build" /dev/null; build_kernel debug build-kernel --debug; } &
debug_build=$!
{ tail -f --pid "$debug_build" /dev/null; build_kernel um build-um; } &
um_build=$!
guests=()
trap 'kill_tree "$patched_build" "$debug_build" "$um_build" ${guests[@]+"${guests[@]}"}' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$TOP"
parts=()
for part in scripts .ci tests tools bench userspace; do
	[ ! -e "$part" ] || parts+=("$part")
done
mapfile -t shell_scripts < <(grep -rlIE '^#!.*\b(ba|da)?sh\b|^# shellcheck shell=' "${parts[@]}")
mapfile -t python_scripts < <(grep -rlI '^#!.*python3' "${parts[@]}"; find tests -name '*.py')

check "shellcheck" shellcheck "${shell_scripts[@]}"
check "python syntax" python3 -c 'import ast, sys
for name in sys.argv[1:]: ast.parse(open(name).read(), name)' "${python_scripts[@]}"
check "series" scripts/export-series --check
check "counters, sysctls, tracepoints are documented, memory operations tested" tests/scripts/documented
check "mutations apply" tests/invariants/run --check
tap scripts tests/scripts/run
check "module builds without a warning" module_is_clean
check "results are of this data path" bench/current
check "README has the figures of the results" bench/readme --check \
	--native bench/results/um/result.json bench/results/stock/result.json
check "README has the figures of lazy mode" bench/readme --check --lazy \
	--native bench/results/um-lazy/result.json bench/results/lazy/result.json
check "sparse" scripts/build-module --sparse
tap kunit scripts/kunit --log "$LOGS/kunit.console"
check "user side builds" build_everything
check "the kernel's selftests build" tests/kernel-selftests/build
ctest_results
# A guest emulates its CPUs in one thread (see accel_args), so the two share the
# machine well.
run_guest stock &
guests+=($!)
# It compiles all of the user side anew, where the guests leave time.
run_packages &
packages=$!
guests+=("$packages")

kernels=(stock)
# await_kernel KERNEL PID: as soon as it is built, its guest starts.
await_kernel() {
	say "waiting for the $1 kernel"
	tail -n +1 -f --pid "$2" "$LOGS/kernel-$1.progress" >&2 &
	if wait "$2"; then
		result ok "$1 kernel builds"
		kernels+=("$1")
		if [ "$1" = debug ]; then
			# It is slow enough to fail for that, so no more than two at a time.
			{ await_one_of "${guests[0]}" "${guests[-1]}"; run_guest "$1"; } &
		else
			run_guest "$1" &
		fi
		guests+=($!)
	else
		result fail "$1 kernel builds (all of it in build/logs/kernel-$1.progress)"
	fi
}
await_kernel patched "$patched_build"
await_kernel debug "$debug_build"
watch_guests "${guests[@]}"
tap packages replay packages
for kernel in "${kernels[@]}"; do
	tap "$kernel" replay "$kernel"
	[ "$kernel" != debug ] || continue
	tap "selftests-$kernel" replay "selftests-$kernel"
	check "demo on the $kernel kernel" replay "demo-$kernel"
done
check "bench --quick" replay bench
check "bench --quick is complete, and its bytes are exact" bench/check "$BUILD/bench/quick/result.json"
wait "$um_build" || : # said by the next
# User-mode Linux has no time to give to others: alone.
check "user-mode Linux builds" scripts/build-um
check "bench in user-mode Linux" bench/run --where vm --kernel um --matrix bench/matrix/um.toml \
	--size 1K 64K --repetitions 1 --shorten 10 --out "$BUILD/bench/um"
check "bench in user-mode Linux is complete, and its bytes are exact" \
	bench/check "$BUILD/bench/um/result.json"
if [ -n "$long" ]; then
	tap long-soak guest patched 7200 "$TOP/tests/vm/test_soak.py" --messages 200000
	tap walk-12 "$TOP/tests/packages/walk" 12
	tap long-lazy-soak guest stock 3600 "$TOP/tests/vm/test_lazy_soak.py" --messages 33000
fi
if [ -n "$debian_13" ]; then
	tap roots-13 tests/scripts/roots 13
	tap debian-13 scripts/test-debian 13
	tap walk-13 "$TOP/tests/packages/walk" 13
fi
verdict
