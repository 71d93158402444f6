// SPDX-License-Identifier: GPL-2.0-only
// Whether this kernel can run Libra, found out before anything is loaded, so
// that the answer names the mend and not the first call that failed.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "error.h"

namespace libra {

// The files a kernel with Libra has. The root is for tests.
Status check_kernel_files(const std::filesystem::path& root = "/");

// That the kernel's libra and this librad mean the same ABI, by the kernel's BTF.
Status check_kernel_abi();

Status check_privileges();

// False if net.libra.enabled is 0 in this network namespace.
bool libra_enabled();

// How long what is on its way gets when a parser ends. Tokens that a proxy holds are redeemed
// after the end of a policy, but where a message begins only with its parser: without, it is
// a fail-stop. Not for long: a proxy may have dropped them.
inline constexpr std::chrono::seconds kTokensLeave{3};

// Until no payload is kept for tokens in this network namespace; false if there still is some.
bool wait_for_anchors(std::chrono::milliseconds longest);

}  // namespace libra
