# SPDX-License-Identifier: GPL-2.0-only
"""What the demo and the VM tests share: servers, Libra's controls, TAP."""
