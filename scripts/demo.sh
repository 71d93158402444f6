#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# From a bare Debian machine to a table: install what is missing, build, boot a
# kernel in a VM, and let an unmodified nginx and HAProxy forward files there,
# plain, in lazy mode and in token mode, every byte compared.
#
# Usage: scripts/demo.sh [--patched] [--quick]
#   (default)   Debian's own kernel and libra.ko; results in build/demo.json
#   --patched   a kernel built with our series;   results in build/demo-patched.json
#   --quick     fewer requests
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-build.sh"

kernel=stock purpose=demo json=$BUILD/demo.json quick=''
for arg; do
	case $arg in
	--patched) kernel=patched purpose=patched json=$BUILD/demo-patched.json ;;
	--quick) quick=--quick ;;
	*) die "unknown argument $arg" "it takes --patched and --quick" ;;
	esac
done

"$TOP/scripts/install-deps" "$purpose"
configure_user
build_user librad libractl libra-load libra-malloc
case $kernel in
stock) "$TOP/scripts/build-module" >/dev/null ;;
patched) "$TOP/scripts/build-kernel" >/dev/null ;;
esac

say "booting the $kernel kernel"
rm -f "$json" "$BUILD/out-$kernel/demo.json"
status=0
guest "$kernel" 1800 "$TOP/tests/demo/run" --out /out/demo.json ${quick:+"$quick"} || status=$?
[ ! -f "$BUILD/out-$kernel/demo.json" ] || mv "$BUILD/out-$kernel/demo.json" "$json"
[ "$status" = 0 ] || die "the demo failed (status $status)" \
	"above is why; the console is in build/console-$kernel.log"
say "done; the results are in ${json#"$TOP/"}"
