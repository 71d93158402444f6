# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What demo.sh and test.sh build alike, and how both run something in a guest.
# Sourced, never run.

BUILD=${LIBRA_BUILD:-$TOP/build}

# configure_user: set up build/ for the BPF objects, the user side and its tests, with
# more options for CMake if there are any in cmake_options.
cmake_options=()
configure_user() {
	local ktools kver
	ktools=$("$TOP/scripts/build-ktools")
	kver=$(headers_version)
	mkdir -p "$BUILD"
	quiet "$BUILD/configure.log" cmake -S "$TOP" -B "$BUILD" -G Ninja \
		-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache \
		-DLIBRA_KTOOLS="$ktools" \
		-DLIBRA_VMLINUX="/usr/src/linux-headers-$kver/vmlinux" \
		${cmake_options[@]+"${cmake_options[@]}"}
}

# build_user [TARGET]...
build_user() {
	say "building the BPF objects and the user side"
	CCACHE_DIR=$CACHE/ccache CCACHE_BASEDIR=$TOP CCACHE_NOHASHDIR=1 quiet "$BUILD/build.log" \
		cmake --build "$BUILD" ${1:+--target "$@"}
}

# guest KERNEL SECONDS COMMAND [ARG]...: run a command of our tests on the stock
# or another kernel of scripts/vm, with build/out-KERNEL as its /out, the console's output
# in build/console-KERNEL.log, and told where the module is if it is not in the
# kernel's own directory.
guest() {
	local kernel=$1 limit=$2
	shift 2
	[ "$kernel" != stock ] ||
		set -- "$@" --libra-ko "$BUILD/module/$(headers_version)/libra.ko"
	"$TOP/scripts/vm" "--$kernel" --time-limit "$limit" --out "$BUILD/out-$kernel" \
		--log "$BUILD/console-$kernel.log" -- "$@" --build "$BUILD"
}
