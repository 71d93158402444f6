// SPDX-License-Identifier: GPL-2.0-only
// The control socket: lines in, lines out, whatever the client does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "error.h"
#include "event_loop.h"
#include "unique_fd.h"

namespace libra {

// Answers a request line with a line. Must not throw. @trusted: the client is root.
using RequestHandler = std::function<std::string(std::string_view line, bool trusted)>;

// The right to serve a socket path: held by one process at a time.
class ControlLock {
  public:
    static Result<ControlLock> take(const std::string& socket_path);
    const std::string& socket_path() const { return path_; }

  private:
    ControlLock(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

    std::string path_;
    UniqueFd fd_;
};

class ControlServer {
  public:
    static constexpr std::size_t kMaxClients = 32;

    // Listens; the socket is removed when the server goes. Root may use it, and members of
    // @group (none: nobody else). The lock and the loop must outlive it.
    static Result<std::unique_ptr<ControlServer>> start(const ControlLock& lock, EventLoop& loop,
                                                        RequestHandler handler,
                                                        const std::string& group = "");
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    ~ControlServer();

  private:
    struct Client {
        UniqueFd fd;
        std::string in;
        std::string out;
        std::uint64_t last_heard = 0;
        bool trusted = false;
        bool closing = false;  // closed once it has its answers
    };

    ControlServer(std::string path, EventLoop& loop, RequestHandler handler)
        : path_(std::move(path)), loop_(loop), handler_(std::move(handler)) {}

    void accept_client();
    void drop_quietest();
    void drop(int fd);
    void serve(int fd, std::uint32_t events);
    bool receive(Client& client);
    bool answer(Client& client);
    bool send_pending(Client& client);

    std::string path_;
    EventLoop& loop_;
    RequestHandler handler_;
    UniqueFd listener_;
    std::unordered_map<int, Client> clients_;
    std::uint64_t clock_ = 0;
};

}  // namespace libra
