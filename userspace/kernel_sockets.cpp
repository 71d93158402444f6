// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_sockets.h"

#include <fmt/format.h>

#include "proc_fields.h"

namespace libra {
namespace {

KernelDirection direction_of(const ProcLine& line, const std::string& name) {
    KernelDirection direction;
    direction.state = line.text(name);
    direction.why = line.text(name + "_why");
    direction.payload = line.number<std::uint64_t>(name + "_payload");
    direction.kept = line.number<std::uint64_t>(name + "_kept");
    return direction;
}

Result<KernelSocket> socket_of(const ProcLine& line) {
    const auto local = parse_endpoint(line.text("local"), Prefix::refused);
    const auto peer = parse_endpoint(line.text("peer"), Prefix::refused);
    const std::string role = line.text("role");
    if (line.kind() != "socket" || !local || !peer || (role != "client" && role != "upstream"))
        return Error("a line is not that of a connection", EPROTO);

    KernelSocket socket;
    socket.local = *local;
    socket.peer = *peer;
    socket.inode = line.number<std::uint64_t>("inode");
    socket.client = role == "client";
    socket.mode = line.text("mode");
    socket.domain = line.text("domain");
    socket.policy = line.number<std::uint32_t>("policy");
    socket.parser = line.text("parser");
    socket.stranger = line.number<int>("stranger") != 0;
    socket.requests = line.number<int>("requests") != 0;
    socket.rx = direction_of(line, "rx");
    socket.tx = direction_of(line, "tx");
    socket.tls_rx = line.number<int>("tls_rx") != 0;
    socket.tls_tx = line.number<int>("tls_tx") != 0;
    socket.charge = line.number<std::int64_t>("charge");
    socket.held_by = line.number<std::int64_t>("held_by");
    socket.unused = line.number<std::int64_t>("unused");
    if (line.text("passing") != "-")
        socket.passing = line.text("passing");
    socket.passing_seconds = line.number<std::uint64_t>("passing_s");
    socket.used = line.number<int>("used") != 0;
    socket.sessions = line.numbers<pid_t>("sessions");
    return socket;
}

}  // namespace

Result<std::vector<KernelSocket>> parse_kernel_sockets(std::string_view text) {
    const auto lines = parse_proc_lines(text, kSocketsTitle);
    if (!lines)
        return lines.error();
    std::vector<KernelSocket> sockets;
    for (const ProcLine& line : *lines) {
        auto socket = socket_of(line);
        if (!socket)
            return socket.error();
        sockets.push_back(std::move(*socket));
    }
    return sockets;
}

Result<std::vector<KernelSocket>> read_kernel_sockets(const std::string& net) {
    const std::string path = net + "/libra_sockets";
    const auto text = read_proc_file(path);
    if (!text)
        return text.error();
    auto sockets = parse_kernel_sockets(*text);
    if (!sockets)
        return std::move(sockets).error().context(path);
    return sockets;
}

}  // namespace libra
