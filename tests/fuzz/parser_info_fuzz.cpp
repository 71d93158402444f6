// SPDX-License-Identifier: GPL-2.0-only
//
// The reader of what a BPF object says of its parser: the input is the object, whoever made it.
#include <linux/libra.h>

#include <algorithm>

#include "fuzz.h"
#include "userspace/parser_info.h"

namespace {

bool is_plain(const std::string& text, std::size_t room, const char* others) {
    return !text.empty() && text.size() < room &&
           std::all_of(text.begin(), text.end(), [others](char c) {
               return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') ||
                      std::string_view(others).find(c) != std::string_view::npos;
           });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // A copy of just these bytes, not aligned, so that whatever reads beyond them is seen.
    const std::vector<std::uint8_t> copy(data, data + size);
    const auto info = libra::read_parser_info(std::as_bytes(std::span(copy)));
    if (!info) {
        require(!info.error().message().empty(), "refused without a word");
        return 0;
    }
    require(is_plain(info->name, LIBRA_NAME_MAX, "_-"), "a name that the kernel does not take");
    require(is_plain(info->version, LIBRA_VERSION_MAX, ".+~_-ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            "a version that cannot be printed");
    require(info->abi >= LIBRA_PARSER_ABI_MIN && info->abi <= LIBRA_PARSER_ABI, "another ABI");
    // The kernel reads the name out of the struct_ops: it has to be there as well.
    const std::string_view text(reinterpret_cast<const char*>(copy.data()), copy.size());
    const auto first = text.find(info->name);
    require(first != std::string_view::npos, "a name that is not in the object");
    return 0;
}
