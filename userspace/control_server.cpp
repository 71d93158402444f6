// SPDX-License-Identifier: GPL-2.0-only
#include "control_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <utility>

#include "protocol.h"

namespace libra {
namespace {
// By edges: a connection for which there is no descriptor would be reported without end.
constexpr std::uint32_t kListenerEvents = EPOLLIN | EPOLLET;

// The socket is of mode 0600 by now. Without such a group it stays so.
Status open_to(const std::string& path, const std::string& name) {
    std::array<char, 16 * 1024> buffer{};
    struct group entry {};
    struct group* found = nullptr;
    if (const int error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found))
        return Error::from_errno(fmt::format("cannot look up the group {}", name), error);
    if (!found) {
        spdlog::info("there is no group {}: the control socket is root's alone", name);
        return Ok{};
    }
    if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) || chmod(path.c_str(), 0660))
        return Error::from_errno(fmt::format("cannot give {} to the group {}", path, name));
    return Ok{};
}

// Who connected, as the kernel saw it then.
bool is_root(int fd) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && peer.uid == 0;
}
}  // namespace

Result<ControlLock> ControlLock::take(const std::string& socket_path) {
    if (socket_path.empty() || socket_path.size() >= sizeof(sockaddr_un::sun_path))
        return Error(fmt::format("socket path '{}' must have 1 to {} bytes", socket_path,
                                 sizeof(sockaddr_un::sun_path) - 1),
                     EINVAL);
    const std::filesystem::path parent = std::filesystem::path(socket_path).parent_path();
    if (!parent.empty() && mkdir(parent.c_str(), 0755) && errno != EEXIST)
        return Error::from_errno(fmt::format("cannot create {}", parent.string()));

    const std::string lock_path = socket_path + ".lock";
    UniqueFd fd(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd)
        return Error::from_errno(fmt::format("cannot open {}", lock_path));
    if (flock(fd.get(), LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            return Error(fmt::format("another librad already serves {}; stop it, or choose "
                                     "another --socket",
                                     socket_path),
                         EADDRINUSE);
        return Error::from_errno(fmt::format("cannot lock {}", lock_path));
    }

    // We hold the lock, so a socket that is there was left by a dead librad.
    struct stat info {};
    if (lstat(socket_path.c_str(), &info) == 0) {
        if (!S_ISSOCK(info.st_mode))
            return Error(fmt::format("{} exists and is not a socket", socket_path), EEXIST);
        if (unlink(socket_path.c_str()))
            return Error::from_errno(fmt::format("cannot remove stale {}", socket_path));
    }
    return ControlLock(socket_path, std::move(fd));
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const ControlLock& lock,
                                                            EventLoop& loop, RequestHandler handler,
                                                            const std::string& group) {
    // not make_unique: the constructor is private
    std::unique_ptr<ControlServer> server(
        new ControlServer(lock.socket_path(), loop, std::move(handler)));

    server->listener_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!server->listener_)
        return Error::from_errno("cannot open a socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, server->path_.data(), server->path_.size());
    const mode_t old_mask = umask(0177);
    const int bound =
        bind(server->listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    const int bind_error = errno;
    umask(old_mask);
    if (bound)
        return Error::from_errno(fmt::format("cannot bind {}", server->path_), bind_error);
    if (!group.empty()) {
        if (auto status = open_to(server->path_, group); !status)
            return std::move(status).error();
    }
    if (listen(server->listener_.get(), 16))
        return Error::from_errno(fmt::format("cannot listen on {}", server->path_));

    auto* self = server.get();
    if (auto status = loop.add(server->listener_.get(), kListenerEvents,
                               [self](std::uint32_t) { self->accept_client(); });
        !status)
        return std::move(status).error();
    return server;
}

ControlServer::~ControlServer() {
    for (const auto& [fd, client] : clients_)
        loop_.remove(fd);
    if (listener_) {
        loop_.remove(listener_.get());
        unlink(path_.c_str());
    }
}

void ControlServer::accept_client() {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
        // Who waits is accepted with the next one who comes, unless there is room to be made.
        if ((errno != EMFILE && errno != ENFILE) || clients_.empty())
            return;
        drop_quietest();
    }
    loop_.modify(listener_.get(), kListenerEvents);  // is there another one?
    if (!fd)
        return;
    if (clients_.size() >= kMaxClients)
        drop_quietest();
    const int number = fd.get();
    if (!loop_.add(number, EPOLLIN,
                   [this, number](std::uint32_t events) { serve(number, events); }))
        return;
    Client& client = clients_[number];
    client.trusted = is_root(fd.get());
    client.fd = std::move(fd);
    client.last_heard = ++clock_;
}

// Idle clients must not keep a new one out, nor others keep root out.
void ControlServer::drop_quietest() {
    const auto quietest =
        std::min_element(clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
            return std::pair(a.second.trusted, a.second.last_heard) <
                   std::pair(b.second.trusted, b.second.last_heard);
        });
    if (quietest != clients_.end())
        drop(quietest->first);
}

void ControlServer::drop(int fd) {
    loop_.remove(fd);
    clients_.erase(fd);
}

void ControlServer::serve(int fd, std::uint32_t events) {
    const auto it = clients_.find(fd);
    if (it == clients_.end())
        return;
    Client& client = it->second;
    client.last_heard = ++clock_;
    // While an answer is unsent nothing is read: a client that does not take
    // its answers costs one answer's memory.
    const bool alive =
        !(events & EPOLLERR) && (!client.out.empty() || receive(client)) && answer(client);
    if (!alive)
        return drop(fd);
    loop_.modify(fd, client.out.empty() ? EPOLLIN : EPOLLOUT);
}

// False once the client is of no more use.
bool ControlServer::receive(Client& client) {
    std::array<char, 16 * 1024> buffer{};
    const ssize_t size = recv(client.fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    if (size == 0)
        client.closing = true;  // it may still wait for answers
    client.in.append(buffer.data(), static_cast<std::size_t>(size));
    return true;
}

bool ControlServer::answer(Client& client) {
    for (;;) {
        if (!send_pending(client))
            return false;
        if (!client.out.empty())
            return true;
        const auto end = client.in.find('\n');
        if (end != std::string::npos && end <= kMaxLine) {
            client.out = handler_(std::string_view(client.in).substr(0, end), client.trusted);
            client.in.erase(0, end + 1);
        } else if (client.in.size() > kMaxLine) {
            client.out =
                error_line(Error(fmt::format("a request is at most {} bytes long", kMaxLine)));
            client.in.clear();
            client.closing = true;
        } else {
            return !client.closing;
        }
    }
}

bool ControlServer::send_pending(Client& client) {
    while (!client.out.empty()) {
        const ssize_t size =
            send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        client.out.erase(0, static_cast<std::size_t>(size));
    }
    return true;
}

}  // namespace libra
