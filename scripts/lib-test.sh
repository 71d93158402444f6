# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# How test.sh runs and counts. Sourced, never run.

LOGS=$BUILD/logs
passed=0 failed=0 skipped=0
failures=()

# result ok|fail|skip NAME
result() {
	case $1 in
	ok) passed=$((passed + 1)) ;;
	fail) failed=$((failed + 1)) failures+=("$2") ;;
	skip) skipped=$((skipped + 1)) ;;
	esac
	say "$1: $2"
}

# check NAME COMMAND...: one test. Its output is shown only if it fails.
check() {
	local name=$1 log rc=0
	shift
	log=$LOGS/${name//[^a-z0-9]/-}
	# A command of ours may be a function that relies on errexit, which `||`
	# would switch off.
	set +e
	( set -e; "$@" ) >"$log" 2>&1
	rc=$?
	set -e
	if [ "$rc" = 0 ]; then
		result ok "$name"
	else
		tail -n 60 "$log" >&2
		result fail "$name (status $rc, all of it in ${log#"$TOP/"})"
		# Its last words go with the verdict.
		failures[-1]+=$'\n'$(tail -n 12 "$log" | cut -c 1-300 | sed 's/^/  /')
	fi
}

# tap NAME COMMAND...: as many tests as the command reports in TAP. A command
# that fails without saying which, or that stops early, is a failure of its own.
tap() {
	local name=$1 log rc=0 line before=$failed seen=0 plan=''
	shift
	log=$LOGS/$name.tap
	set +e
	while IFS= read -r line; do
		case $line in
		'ok '*'# SKIP'*) result skip "$name: ${line#ok }"; seen=$((seen + 1)) ;;
		'ok '*) result ok "$name: ${line#ok }"; seen=$((seen + 1)) ;;
		'not ok '*) result fail "$name: ${line#not ok }"; seen=$((seen + 1)) ;;
		1..[0-9]*) plan=${line#1..} ;;
		# What a failed test has to say goes with the verdict, too.
		'#   '*)
			[ "$failed" = "$before" ] || failures[-1]+=$'\n'"  ${line#'#   '}"
			printf '%s\n' "$line" >&2
			;;
		*) printf '%s\n' "$line" >&2 ;;
		esac
	done < <( "$@" 2>"$log.err" | tee "$log"; exit "${PIPESTATUS[0]}" )
	wait $!
	rc=$?
	set -e
	if [ "$rc" != 0 ]; then
		tail -n 100 "$log.err" >&2
	fi
	if [ "$plan" != "$seen" ]; then
		result fail "$name: ended after $seen of ${plan:-an unknown number of} tests (status $rc)"
	elif [ "$rc" != 0 ] && [ "$failed" = "$before" ]; then
		result fail "$name: every test passed, but the run ended with status $rc"
	fi
}

# An earlier build has had its warnings already: start from nothing.
module_is_clean() {
	local log
	rm -rf "$BUILD/module/$(headers_version)"
	log=$("$TOP/scripts/build-module" 2>&1 >/dev/null)
	echo "$log"
	! grep -qi 'warning' <<<"$log"
}

# build_everything: (reads $long)
build_everything() {
	# shellcheck disable=SC2034 # of lib-build.sh
	cmake_options=(-DLIBRA_FUZZ=ON -DLIBRA_FUZZ_SECONDS="${long:+300}" -DLIBRA_CLANG_ALSO=clang-19)
	configure_user
	build_user
}

# Every test that ctest knows counts.
ctest_results() {
	local log=$LOGS/ctest line
	ctest --test-dir "$BUILD" --output-on-failure --no-tests=error >"$log" 2>&1 || :
	while IFS= read -r line; do
		line=${line#*: }
		case $line in
		*' Passed '*) result ok "unit: ${line%% ..*}" ;;
		*'***Skipped'* | *'***Not Run (Disabled)'*) result skip "unit: ${line%% ..*}" ;;
		*) result fail "unit: ${line%% ..*}" ;;
		esac
	done < <(grep -E '^ *[0-9]+/[0-9]+ Test +#' "$log")
	grep -q '^100% tests passed' "$log" && return
	[ "$failed" != 0 ] || result fail "unit: ctest found no tests, all of it in build/logs/ctest"
	# What those that failed had to say, at most 100 lines of each.
	awk '/^ *[0-9]+\/[0-9]+ Test +#/ { left = / Passed / ? 0 : 100 }
		/^ *Start +[0-9]+:/ { left = 0 }
		left-- > 0' "$log" | cut -c 1-2000 >&2
}

verdict() {
	local f
	for f in ${failures[@]+"${failures[@]}"}; do
		echo "FAILED: $f"
	done
	if [ "${CI:-}" = true ] && [ "$skipped" != 0 ]; then
		echo "FAILED: $skipped skipped, which CI does not accept"
		failed=$((failed + skipped)) skipped=0
	fi
	echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
	[ "$failed" = 0 ]
}

# build_kernel KERNEL SCRIPT [ARG]...
build_kernel() {
	nice -n 10 "$TOP/scripts/$2" "${@:3}" >"$LOGS/kernel-$1" 2>"$LOGS/kernel-$1.progress"
}

# Where the memory of sockets and anchors comes and goes: what a debug kernel has the
# time for. With --long it has more. Never test_limits and the two of netem: at this speed
# clients and proxies give up before small segments, and slow readers, are through.
DEBUG_SUBJECTS=(kill vanish isolation lazy lazy_model)
DEBUG_SUBJECTS_LONG=(lazy_matrix lazy_life lazy_unload lazy_soak lazy_live lazy_limits reset hostile
	transparency live_policy unload opt_in shapes)

# What is alike on both kernels: no hook of its own, nor an option that only one has. Without
# --long either runs on one of them, so that both take the same time.
ALIKE_ON_STOCK=(isolation looks lazy_life lazy_limits lazy_live lazy_model lazy_netem lazy_soak lazy_tls
	lazy_stress limits matrix_haproxy matrix_nginx netem scrub daemon doctor checked proc_files
	parser_plugin)
ALIKE_ON_PATCHED=(hostile tls_device explain watching parser_restart)
# systemd does not start on the patched kernel's lean configuration.
ONLY_ON_STOCK=(attach_service)

# subjects_of KERNEL: (reads $long) options of run-all.
subjects_of() {
	local s
	local -A left_out=()
	local -a subjects elsewhere=("${ALIKE_ON_STOCK[@]}")
	if [ "$1" = debug ]; then
		subjects=("${DEBUG_SUBJECTS[@]}")
		[ -z "$long" ] || subjects+=("${DEBUG_SUBJECTS_LONG[@]}")
	else
		[ "$1" != stock ] || elsewhere=("${ALIKE_ON_PATCHED[@]}")
		[ -n "$long" ] || for s in "${elsewhere[@]}"; do
			left_out[$s]=1
		done
		[ "$1" = stock ] || for s in "${ONLY_ON_STOCK[@]}"; do
			left_out[$s]=1
		done
		for s in "$TOP"/tests/vm/test_*.py; do
			s=${s##*/test_}
			[ -n "${left_out[${s%.py}]-}" ] || subjects+=("${s%.py}")
		done
	fi
	printf -- '--only %s\n' "${subjects[@]}"
}

# run_guest KERNEL: (reads $long) its tests and then its demo, told to files for replay.
run_guest() {
	local kernel=$1
	local -a only
	read -ra only -d '' < <(subjects_of "$kernel") || :
	if [ "$kernel" = debug ]; then
		record debug guest debug "${long:+9}2400" "$TOP/tests/vm/run-all" --quick \
			--time-limit 1800 "${only[@]}"
		return
	fi
	record "$kernel" guest "$kernel" 3900 "$TOP/tests/vm/run-all" --quick --time-limit 900 \
		"${only[@]}"
	record "selftests-$kernel" guest "$kernel" 900 "$TOP/tests/kernel-selftests/run" --quick \
		--programs "$("$TOP/tests/kernel-selftests/build")"
	[ "$kernel" != stock ] ||
		record bench "$TOP/bench/run" --where vm --kernel stock --quick --build "$BUILD" \
			--out "$BUILD/bench/quick" --time-limit 1500
	record "demo-$kernel" guest "$kernel" 900 "$TOP/tests/demo/run" --quick \
		--out /out/demo-quick.json
}

# (reads $long)
run_packages() {
	local -a quick=(--quick)
	[ -z "$long" ] || quick=()
	record packages nice -n 10 "$TOP/tests/packages/run" ${quick[@]+"${quick[@]}"}
}

record() {
	local name=$1 rc=0
	shift
	"$@" >"$LOGS/$name.out" 2>"$LOGS/$name.err" || rc=$?
	echo "$rc" >"$LOGS/$name.rc"
}

# replay NAME: what record() kept, with its status.
replay() {
	cat "$LOGS/$1.out"
	cat "$LOGS/$1.err" >&2
	return "$(cat "$LOGS/$1.rc")"
}

# kill_tree PID...: end what we started, with what it started: a job in the
# background does not hear of an interrupt.
kill_tree() {
	local pid
	local -a children
	for pid in "$@"; do
		mapfile -t children < <(pgrep -P "$pid")
		kill "$pid" 2>/dev/null || :
		kill_tree ${children[@]+"${children[@]}"}
	done
}

# await_one_of PID...: until one of them has ended.
await_one_of() {
	local pid
	while :; do
		for pid in "$@"; do
			kill -0 "$pid" 2>/dev/null || return 0
		done
		sleep 5
	done
}

# watch_guests PID...: a sign of life now and then, until all have ended.
watch_guests() {
	local pid kernel told=''
	for pid in "$@"; do
		while kill -0 "$pid" 2>/dev/null; do
			sleep 5
			for kernel in stock patched debug; do
				[ -f "$LOGS/$kernel.out" ] || continue
				told+=" $kernel $(grep -cE '^(not )?ok ' "$LOGS/$kernel.out" || :)"
				[ ! -f "$LOGS/$kernel.rc" ] || told+=" (and its last steps)"
			done
			[ $((SECONDS / 5 % 6)) != 0 ] || say "tests so far:$told"
			told=''
		done
	done
}
