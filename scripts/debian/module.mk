# SPDX-License-Identifier: GPL-2.0-only
#
# The Makefile that dkms starts, at the top of what scripts/module-source lays out.
# KERNEL is the kernel's build directory.
KBUILD = $(MAKE) -C $(KERNEL) M=$(CURDIR)/net/libra

# Without its types (BTF) the module would load, and then no parser of token mode could.
modules:
	$(KBUILD) modules
	readelf -SW net/libra/libra.ko | grep ' \.BTF ' >/dev/null || { \
		echo 'libra.ko has no BTF: is pahole installed, and are these headers Debian'\''s own?'; \
		exit 1; }

clean:
	$(KBUILD) clean

.PHONY: modules clean
