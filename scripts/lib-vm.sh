# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The parts of scripts/vm that can be told apart from a run: the initramfs, the
# accelerator, and what on a console is a complaint. Sourced, never run.

# panic=-1 and -no-reboot turn an oops into the end of the run. The watchdogs'
# limits are stretched: an emulated CPU of a busy host is not a stuck one.
# shellcheck disable=SC2034 # read by scripts/vm
GUEST_ARGS='console=ttyS0 loglevel=7 oops=panic panic=-1 tsc=nowatchdog'
GUEST_ARGS+=' rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30'

# Interrupts of the debug kernels come from the MP table: with all its checks, and
# an emulated CPU, the interpreter of ACPI's _PRT needs 25 s for each device. What
# else it is able to is for a hunt, because it doubles the time that all the rest
# takes: --append 'slub_debug=FZPU page_owner=on page_poison=1'.
# shellcheck disable=SC2034
DEBUG_ARGS='acpi=noirq'

# The target of guest/stage2, behind multi-user.target. Units are not told on the console, which
# is searched for what the kernel says; their journal is. Nobody logs in there. udev would load
# drivers for all that a PC has, of which the guest uses nothing: an emulated CPU needs longer for
# these than for all the rest.
# shellcheck disable=SC2034
INIT_ARGS='systemd.unit=libra-vm.target systemd.show_status=no systemd.log_target=journal'
INIT_ARGS+=' systemd.getty_auto=no module_blacklist=kvm_amd,kvm_intel,kvm,ata_piix,ata_generic,'
INIT_ARGS+='pata_acpi,i2c_piix4,psmouse,powernow_k8,acpi_cpufreq,aesni_intel,sha512_ssse3,joydev'

# What must be loaded to reach the root file system, where it is not built in.
BOOT_MODULES=(virtio_pci 9pnet_virtio 9p overlay)

# boot_modules DIR: the files of those modules and of what they depend on, in
# the order in which to load them.
boot_modules() {
	local dir=$1 m file deps d
	declare -A seen=()
	for m in "${BOOT_MODULES[@]}"; do
		grep -q "/$m\.ko$" "$dir/modules.builtin" && continue
		file=$(grep -o "^[^:]*/$m\.ko[^:]*:.*" "$dir/modules.dep") ||
			die "the kernel in $dir has no module $m" \
				"take one with 9p and overlayfs (Debian's cloud flavour has none)"
		deps=${file#*:} file=${file%%:*}
		# modules.dep lists the deepest dependency last.
		for d in $(tr ' ' '\n' <<<"$deps" | tac) "$file"; do
			[ -z "${seen[$d]-}" ] || continue
			seen[$d]=1
			printf '%s\n' "$dir/$d"
		done
	done
}

# stale_int3 KERNEL_BUILD: print the path of the module that lets a kernel, built there,
# live with what scripts/vm --parallel does to it; made once per kernel.
stale_int3() {
	local from=$TOP/scripts/guest/stale-int3 build=$1 dir key
	need_command make demo
	key=$(cat "$build/include/config/kernel.release" "$build/.config" "$from"/* | sha256sum | cut -c1-16)
	fill_stale_int3() {
		cp "$from"/* "$1/"
		quiet "$1/log" make -C "$build" M="$1" modules
	}
	dir=$(cache_entry "stale-int3-$key" fill_stale_int3)
	printf '%s\n' "$dir/stale_int3.ko"
}

# initramfs MODULES [FILE]...: print the path of one that fits these modules, busybox and
# our init, made once per content. Each FILE is a module that is loaded before them.
initramfs() {
	local modules=$1 files=("${@:2}") dir key f
	if [ -n "$modules" ]; then
		for dir in "$modules"/*/; do
			mapfile -t -O ${#files[@]} files < <(boot_modules "${dir%/}")
		done
	fi
	key=$(cat "$TOP/scripts/guest/init" "$(command -v busybox)" \
		${files[@]+"${files[@]}"} | sha256sum | cut -c1-16)
	fill_initramfs() {
		local root=$1/root i=10
		mkdir -p "$root"/{bin,modules,proc,dev,rw,root}
		cp "$(command -v busybox)" "$root/bin/busybox"
		# Debian's busybox-static needs nothing more, its busybox a few libraries.
		ldd "$root/bin/busybox" 2>/dev/null | grep -o '/[^ ]*' | while IFS= read -r f; do
			install -D "$f" "$root$f"
		done || :
		install -m 755 "$TOP/scripts/guest/init" "$root/init"
		for f in ${files[@]+"${files[@]}"}; do
			case $f in
			*.xz) xz -dc "$f" >"$root/modules/$i-$(basename "$f" .xz)" ;;
			*.zst) zstd -dcq "$f" >"$root/modules/$i-$(basename "$f" .zst)" ;;
			*) cp "$f" "$root/modules/$i-$(basename "$f")" ;;
			esac
			i=$((i + 1))
		done
		( cd "$root" && find . | busybox cpio -o -H newc >../initrd 2>/dev/null )
		rm -rf "$root"
	}
	dir=$(cache_entry "initramfs-$key" fill_initramfs)
	printf '%s\n' "$dir/initrd"
}

# accel_args kvm|tcg|parallel: sets QEMU and ACCEL_ARGS, and adds to GUEST_ARGS.
# LIBRA_ICOUNT=N: the guest's time is its instructions, 2^N ns for each; only while it
# idles, real time. What else the machine does then hardly shows in its clocks. (With
# sleep=off, time would leap wherever it waits for its files.)
accel_args() {
	local thread=single qemu
	QEMU=(qemu-system-x86_64)
	case $1 in
	kvm) ACCEL_ARGS=(-accel kvm -cpu host) ;;
	tcg | parallel)
		# With a thread per CPU, a CPU may keep an int3 of the kernel's text
		# patching after the kernel has taken it back and waited for every CPU:
		# "Oops: int3", now and then, even at boot without any module. One
		# thread is exact, at the price of the second core, and of every race
		# that takes two. Before 8.1, QEMU has more ways to it than the one
		# that guest/stale-int3 explains, and copes with.
		if [ "$1" = parallel ]; then
			thread=multi
			qemu=${LIBRA_QEMU:-$("$TOP/scripts/fetch-qemu")}
			# What it has unpacked does not find its own data.
			QEMU=("$qemu" -L "$(dirname "$qemu")/../share/qemu")
		fi
		ACCEL_ARGS=(-accel "tcg,thread=$thread" -cpu max)
		# The flags behind a CMPXCHG16B of QEMU 7.2 hold bits of what an earlier
		# instruction added. Linux uses it where it allocates; an interrupt right
		# there returned with them: a double fault, or traps nobody had set.
		# HAProxy does not start without it, so it is the kernel that does.
		GUEST_ARGS+=' clearcpuid=cx16'
		# At boot the kernel waits for ten ticks by counting instructions; on a busy
		# host none may come meanwhile, and it panics: "IO-APIC + timer doesn't work".
		GUEST_ARGS+=' no_timer_check'
		;;
	*) die "unknown accelerator $1" "use kvm or tcg" ;;
	esac
	[ "$1" != tcg ] || [ -z "${LIBRA_ICOUNT-}" ] ||
		ACCEL_ARGS+=(-icount "shift=$LIBRA_ICOUNT")
}

# probe_accel KERNEL INITRD: kvm if a guest gets as far as our init in a few
# seconds, else tcg. That /dev/kvm exists proves nothing: in a nested machine it
# may fail on an instruction or crawl. The answer holds until the next boot.
probe_accel() {
	local kernel=$1 initrd=$2 note answer=tcg
	note=$CACHE/accel-$(cat /proc/sys/kernel/random/boot_id)
	if [ -f "$note" ]; then
		cat "$note"
		return
	fi
	if [ -w /dev/kvm ]; then
		say "probing KVM"
		accel_args kvm
		if timeout -k 1 8 "${QEMU[@]}" -nodefaults -no-user-config \
			-display none -no-reboot -machine pc -smp 2 -m 512M -nic none \
			-kernel "$kernel" -initrd "$initrd" "${ACCEL_ARGS[@]}" \
			-append "$GUEST_ARGS libra.probe" -serial stdio \
			</dev/null 2>/dev/null | grep '^libra-vm: up' >/dev/null; then
			answer=kvm
		fi
	fi
	say "accelerator: $answer"
	rm -f "$CACHE"/accel-*
	echo "$answer" >"$note.tmp.$$"
	mv "$note.tmp.$$" "$note"
	echo "$answer"
}

# libras_races CONSOLE: print it without those reports of data races in which nothing
# of Libra's appears. A report stands between two lines of "=".
libras_races() {
	awk '
	function flush() { if (!race || ours) printf "%s", block; block = ""; race = ours = 0 }
	/(^|[] ])==========+$/ {
		if (inside) { block = block $0 "\n"; flush(); inside = 0; next }
		flush(); inside = 1
	}
	{ block = block $0 "\n" }
	/BUG: KCSAN/ { race = 1 }
	/\[libra\]|[ \/]libra_/ { ours = 1 }
	!inside { flush() }
	END { if (inside) { race = 0; flush() } }' "$1"
}

# splat CONSOLE: print what a kernel complained of; status 1 if it did not. The
# patterns are tied to the start of the message: "Spectre V2 : WARNING:" is a
# boot-time remark, and "traps: nginx[1] general protection" a program's fault.
splat() {
	local stamp='^(\[ *[0-9]+\.[0-9]+\](\[[^]]*\])? )?'
	local what='(BUG:|WARNING:|Oops|Kernel panic|kernel BUG at|general protection fault|'
	what+='(watchdog|NMI watchdog): BUG|INFO: (task |trying to register|possible|lockdep|rcu_)|'
	what+='rcu: (INFO|.*stall)|refcount_t:|UBSAN:|KASAN:|KCSAN:|BUG [a-z]|'
	what+='=+ *BUG|kmemleak: ([0-9]+ new|Cannot (allocate a k|insert)|Memory pool)|unregister_netdevice: waiting|'
	what+='pagealloc: (single bit error|memory corruption)|ref_tracker: |ODEBUG: |'
	what+='divide error|invalid opcode|stack segment|int3:|double fault|'
	what+='list_(add|del) corruption|DEBUG_LOCKS_WARN_ON|Out of memory: Killed)'
	local first
	first=$(grep -nE -m 1 "$stamp$what" "$1") || return 1
	first=${first%%:*}
	# "cut here" and lockdep's frame stand above the first match.
	first=$((first > 2 ? first - 2 : 1))
	sed -n "$first,$((first + 79))p" "$1"
}
