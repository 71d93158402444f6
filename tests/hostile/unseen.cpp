// SPDX-License-Identifier: GPL-2.0-only
#include "unseen.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/error.h"
#include "piece.h"

namespace libra::test {
namespace {

constexpr int kWait = 10'000;  // milliseconds

// Writes to one end and reads from the other.
std::string through(const Fd& in, const Fd& out, const std::string& memory) {
    std::string arrived;
    std::string bytes(65536, '\0');
    std::size_t written = 0;
    while (arrived.size() < memory.size()) {
        const ssize_t sent = ::write(in.get(), memory.data() + written, memory.size() - written);
        if (sent < 0 && errno != EAGAIN)
            return arrived;  // a fail-stop
        written += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        pollfd poll = {.fd = out.get(), .events = POLLIN, .revents = 0};
        if (::poll(&poll, 1, kWait) != 1)
            throw Error("bytes that were written did not arrive");
        const ssize_t count = ::read(out.get(), bytes.data(), bytes.size());
        if (count <= 0)
            return arrived;
        arrived.append(bytes, 0, static_cast<std::size_t>(count));
    }
    return arrived;
}

std::string through_link(const Link& link, const std::string& memory) {
    return through(link.proxy, link.peer, memory);
}

std::string through_pipe(const std::string& memory) {
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        throw Error::from_errno("pipe");
    const Fd out(ends[0]);
    const Fd in(ends[1]);
    return through(in, out, memory);
}

std::string through_file(const std::string& memory) {
    const Fd file(::memfd_create("hostile", MFD_CLOEXEC));
    if (!file)
        throw Error::from_errno("memfd_create");
    std::string back(memory.size(), '\0');
    if (::write(file.get(), memory.data(), memory.size()) != static_cast<ssize_t>(memory.size()) ||
        ::pread(file.get(), back.data(), back.size(), 0) != static_cast<ssize_t>(back.size()))
        throw Error::from_errno("writing a file");
    return back;
}

Unseen describe(std::string way, const std::string& arrived, std::string_view body,
                const std::string& magic) {
    Unseen unseen;
    unseen.way = std::move(way);
    unseen.bytes = arrived.size();
    for (std::size_t at = 0; at < arrived.size(); ++at)
        unseen.native += at < body.size() && arrived[at] == body[at];
    for (std::size_t at = arrived.find(magic); at != std::string::npos;
         at = arrived.find(magic, at + 1))
        ++unseen.tokens;
    for (std::size_t at = arrived.find(kStale); at != std::string::npos;
         at = arrived.find(kStale, at + kStale.size()))
        unseen.stale += kStale.size();
    return unseen;
}

}  // namespace

std::string read_body(const Network& network, std::string_view body, const std::string& request) {
    const Link link = network.upstream();
    if (!request.empty())
        say(link.proxy, link.peer, request);
    set_buffers(link.peer, static_cast<int>(body.size()) * 4, 0);
    set_buffers(link.proxy, 0, static_cast<int>(body.size()) * 4);
    if (::send(link.peer.get(), body.data(), body.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(body.size()))
        throw Error::from_errno("sending a body at once");
    std::string memory;
    while (memory.size() < body.size())
        memory += kStale;
    memory.resize(body.size());
    std::size_t got = 0;
    while (got < memory.size()) {
        pollfd poll = {.fd = link.proxy.get(), .events = POLLIN, .revents = 0};
        if (::poll(&poll, 1, kWait) != 1)
            throw Error("a body did not arrive");
        const ssize_t count = ::recv(link.proxy.get(), memory.data() + got, memory.size() - got, 0);
        if (count <= 0)
            throw Error::from_errno("reading a body");
        got += static_cast<std::size_t>(count);
    }
    return memory;
}

std::vector<Unseen> forward_unseen(const Network& network, const Blob& blob,
                                   const std::string& magic, std::size_t size) {
    const auto body = blob.slice(0, size);
    std::vector<Unseen> all;
    const auto note = [&](const char* way, const std::string& arrived) {
        all.push_back(describe(way, arrived, body, magic));
    };
    // The client first: a domain whose clients pass anchors nothing.
    const Link client = network.client();
    note("attached", through_link(client, read_body(network, body)));
    note("unattached", through_link(network.unattached(), read_body(network, body)));
    note("pipe", through_pipe(read_body(network, body)));
    note("file", through_file(read_body(network, body)));
    return all;
}

std::string learn_magic(const Network& network, bool http1) {
    std::string body(65536, 'a');  // a magic does not begin with ASCII
    if (http1)
        body = "HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + body;
    const std::string memory = read_body(network, body, http1 ? kRequest : "");
    const auto at = static_cast<std::size_t>(
        std::mismatch(body.begin(), body.end(), memory.begin()).first - body.begin());
    return at + kVpiSize > memory.size() ? "" : memory.substr(at, kMagicSize);
}

}  // namespace libra::test
