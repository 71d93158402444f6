// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_payload.h"

#include <algorithm>
#include <array>

#include "proc_fields.h"

namespace libra {
namespace {

// As enum libra_part of net/libra/lazy/stream.h has them.
constexpr std::array<std::string_view, 8> kParts = {
    "the first page", "up to 16 KB", "up to 32 KB", "up to 64 KB",
    "up to 256 KB",   "up to 1 MB",  "beyond 1 MB", "pages that were looked at",
};

PayloadProcess process_of(const ProcLine& line) {
    PayloadProcess process;
    process.pid = line.number<pid_t>("pid");
    process.mapped = line.number<std::uint64_t>("mapped");
    process.charge = line.number<std::int64_t>("charge");
    process.limit = line.number<std::uint64_t>("limit");
    process.at_limit = line.number<std::uint64_t>("at_limit");
    process.locked = line.number<int>("locked") != 0;
    process.native = line.number<int>("native") != 0;
    return process;
}

PayloadStream stream_of(const ProcLine& line) {
    PayloadStream stream;
    stream.port = line.number<std::uint16_t>("port");
    stream.peer_port = line.number<std::uint16_t>("peer_port");
    stream.lazy = line.number<std::uint64_t>("lazy");
    stream.touched = line.number<std::uint64_t>("touched");
    stream.pauses = line.number<std::uint32_t>("pauses");
    stream.copied_until = line.number<std::uint64_t>("copied_until");
    stream.trial = line.number<int>("trial") != 0;
    stream.seconds = line.number<std::uint64_t>("seconds");
    stream.scores = line.numbers<int>("scores");
    return stream;
}

}  // namespace

const PayloadStream* PayloadProcess::stream(std::uint16_t port, std::uint16_t peer_port) const {
    const auto found = std::find_if(streams.begin(), streams.end(), [&](const auto& stream) {
        return stream.port == port && stream.peer_port == peer_port;
    });
    return found == streams.end() ? nullptr : &*found;
}

std::string_view part_name(std::size_t part) {
    return part < kParts.size() ? kParts[part] : std::string_view();
}

Result<std::vector<PayloadProcess>> parse_kernel_payload(std::string_view text) {
    const auto lines = parse_proc_lines(text, kPayloadTitle);
    if (!lines)
        return lines.error();
    std::vector<PayloadProcess> processes;
    for (const ProcLine& line : *lines) {
        const auto pid = line.number<pid_t>("pid");
        const bool known = !processes.empty() && processes.back().pid == pid;
        if (pid > 0 && line.kind() == "process") {
            processes.push_back(process_of(line));
        } else if (known && line.kind() == "stream") {
            processes.back().streams.push_back(stream_of(line));
        } else if (!(pid > 0 && line.kind() == "stream")) {
            /* A stream alone is of a process that ended between two reads. */
            return Error("a line is neither a process nor a stream of it", EPROTO);
        }
    }
    return processes;
}

Result<std::vector<PayloadProcess>> read_kernel_payload(const std::string& net) {
    const std::string path = net + "/libra_payload";
    const auto text = read_proc_file(path);
    if (!text)
        return text.error();
    auto processes = parse_kernel_payload(*text);
    if (!processes)
        return std::move(processes).error().context(path);
    return processes;
}

}  // namespace libra
