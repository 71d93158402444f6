// SPDX-License-Identifier: GPL-2.0-only
#include "client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace libra {
namespace {
// librad answers in milliseconds; an emulated machine takes its time. What it shows to the
// verifier may take the verifier long.
constexpr timeval kTimeout = {.tv_sec = 10, .tv_usec = 0};
constexpr timeval kVerifierTimeout = {.tv_sec = 300, .tv_usec = 0};

timeval timeout_of(const Request& request) {
    const bool verifies = std::holds_alternative<ParserLoadRequest>(request) ||
                          std::holds_alternative<ParserReplaceRequest>(request);
    return verifies ? kVerifierTimeout : kTimeout;
}
}  // namespace

Result<Client> Client::connect(const std::string& socket_path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_path.size() >= sizeof(address.sun_path))
        return Error(fmt::format("socket path '{}' is too long", socket_path), ENAMETOOLONG);
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());

    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd)
        return Error::from_errno("cannot open a socket");
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof(kTimeout));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address))) {
        const int error = errno;
        const char* mend = error == ENOENT || error == ECONNREFUSED
                               ? " (is librad running? else start it, or name its --socket)"
                               : "";
        auto failed =
            Error::from_errno(fmt::format("cannot reach librad at {}", socket_path), error);
        return Error(failed.message() + mend, error);
    }
    return Client(std::move(fd));
}

Result<std::string> Client::ask(const Request& request) {
    const std::string line = to_line(to_json(request));
    if (line.size() > kMaxLine)
        return Error("the request is too long", EMSGSIZE);
    for (std::size_t sent = 0; sent < line.size();) {
        const ssize_t size = send(fd_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (size < 0)
            return Error::from_errno("cannot send to librad");
        sent += static_cast<std::size_t>(size);
    }

    const timeval timeout = timeout_of(request);
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    std::string answer;
    std::array<char, 16 * 1024> buffer{};
    while (answer.find('\n') == std::string::npos) {
        const ssize_t size = recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EAGAIN)
            return Error(fmt::format("librad did not answer within {} s", timeout.tv_sec),
                         ETIMEDOUT);
        if (size < 0)
            return Error::from_errno("cannot receive from librad");
        if (size == 0)
            return Error("librad closed the connection without an answer", ECONNRESET);
        answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
    answer.resize(answer.find('\n'));
    return answer;
}

}  // namespace libra
