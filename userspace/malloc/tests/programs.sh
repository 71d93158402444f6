#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Real programs do and say the same with the library preloaded as without it.
#
# Usage: programs.sh LIBRARY
set -euo pipefail

library=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C LIBRA_MALLOC_MIN=4096
failed=0

# same COMMAND...: with its output, its messages and its status
same() {
	local status_with=0 status_without=0
	"$@" >"$work/without" 2>&1 <"$work/input" || status_without=$?
	LD_PRELOAD=$library "$@" >"$work/with" 2>&1 <"$work/input" || status_with=$?
	if [ $status_with = $status_without ] && cmp -s "$work/with" "$work/without"; then
		echo "ok   $1 (status $status_with)"
	else
		echo "FAIL $*: status $status_without without, $status_with with the library"
		diff "$work/without" "$work/with" | head -n 20
		failed=1
	fi
}

seq 1 700000 | sed 's/.*\(.\)$/\1 &/' >"$work/input"
for number in {1..2000}; do : >"$work/file.$number"; done

same ls -l "$work/input"
same ls "$work"
same sort --parallel=4 -S 3M
same sort -rn --parallel=2
same gzip -c -n
# shellcheck disable=SC2016 # sed's
same sed -n '$p'
same python3 -c '
import hashlib, subprocess, sys, threading
data = sys.stdin.buffer.read()
parts = [bytearray(data[i:i + 100000]) for i in range(0, len(data), 5000)]
def work(n):
    for i in range(n, len(parts), 4):
        parts[i].extend(bytes(50000)); parts[i].reverse()
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(hashlib.sha256(b"".join(parts)).hexdigest())
print(subprocess.run(["sh", "-c", "echo from a child"], capture_output=True).stdout)
'
# shellcheck disable=SC2016 # the other shell's
same bash -c 'x=$(seq 1 50000); for i in 1 2 3; do (y=$x$x; echo ${#y}) & wait; done'
if command -v nginx >/dev/null; then
	mkdir "$work/logs"
	echo 'events {} pid nginx.pid; error_log stderr; http { access_log off; }' >"$work/nginx.conf"
	same nginx -t -p "$work/" -c nginx.conf
else
	echo "skip nginx: not installed"
fi
exit $failed
