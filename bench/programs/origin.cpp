// SPDX-License-Identifier: GPL-2.0-only
#include "origin.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace libra::bench {
namespace {

constexpr std::uint64_t kTurn = 1024 * 1024;  // bytes before the others get theirs

// The N of prefix N, if it is a size that the pattern has.
std::optional<std::uint64_t> size_in(std::string_view target, std::string_view prefix) {
    if (!target.starts_with(prefix))
        return {};
    target.remove_prefix(prefix.size());
    std::uint64_t size = 0;
    const char* const end = target.data() + target.size();
    const auto parsed = std::from_chars(target.data(), end, size);
    if (parsed.ec != std::errc() || parsed.ptr != end || size > kPatternSize)
        return {};
    return size;
}

bool uploads(const Head& head) {
    return head.method == "PUT" || head.method == "POST";
}

}  // namespace

Origin::Origin(const Endpoint& endpoint, std::size_t chunk)
    : chunk_(chunk),
      endpoint_(endpoint),
      listener_(listen_on(endpoint)),
      stop_(stop_signal()),
      pattern_(make_pattern(kPatternSize)),
      framed_(in_chunks(pattern_.slice(0, kPatternSize / chunk * chunk), chunk)),
      framed_chunk_(framed_.size() / (kPatternSize / chunk)) {
    epoll_.add(listener_, EPOLLIN, static_cast<std::uint64_t>(listener_.get()));
    epoll_.add(stop_, EPOLLIN, static_cast<std::uint64_t>(stop_.get()));
}

void Origin::run() {
    announce(listener_, endpoint_);
    for (;;) {
        for (const epoll_event& event : epoll_.wait(std::chrono::nanoseconds(-1))) {
            const auto fd = static_cast<std::size_t>(event.data.u64);
            if (static_cast<int>(fd) == stop_.get())
                return;
            if (static_cast<int>(fd) == listener_.get())
                accept_all();
            else if (!serve(*connections_[fd]))
                connections_[fd].reset();
        }
    }
}

void Origin::accept_all() {
    while (Fd fd = accept_from(listener_)) {
        const auto index = static_cast<std::size_t>(fd.get());
        if (connections_.size() <= index)
            connections_.resize(index + 1);
        epoll_.add(fd, EPOLLIN, index);
        connections_[index] = std::make_unique<Connection>();
        connections_[index]->fd = std::move(fd);
    }
}

bool Origin::serve(Connection& connection) {
    using Result = MessageReader::Result;
    for (;;) {
        switch (flush(connection)) {
            case Sent::kBlocked:
                watch(connection, true);
                return true;
            case Sent::kFailed:
                return false;
            case Sent::kAll:
                break;
        }
        if (connection.last)
            return false;
        switch (connection.reader.read(connection.fd,
                                       connection.check ? &*connection.check : nullptr)) {
            case Result::kMore:
                watch(connection, false);
                return true;
            case Result::kHead:
                choose_check(connection);
                break;
            case Result::kDone:
                answer(connection);
                connection.check.reset();
                connection.reader.restart();
                break;
            case Result::kBad:
                connection.last = true;
                answer_text(connection, "400 Bad Request", "not a request");
                break;
            case Result::kClosed:
            case Result::kTruncated:
            case Result::kFailed:
                return false;
        }
    }
}

void Origin::choose_check(Connection& connection) {
    const Head& head = connection.reader.head();
    if (uploads(head) && head.target == "/verify")
        connection.check.emplace(pattern_.all());
}

void Origin::answer(Connection& connection) {
    const Head& head = connection.reader.head();
    connection.last = !head.keep_alive;
    if (head.method == "GET") {
        if (const auto size = size_in(head.target, "/bytes/"))
            return answer_bytes(connection, *size);
        if (const auto size = size_in(head.target, "/chunked/"))
            return answer_chunked(connection, *size);
    }
    if (uploads(head) && (head.target == "/sink" || head.target == "/verify")) {
        if (connection.check && !connection.check->exact())
            return answer_text(connection, "400 Bad Request", connection.check->difference());
        return answer_text(connection, "200 OK", "ok");
    }
    answer_text(connection, "404 Not Found",
                "there are GET /bytes/N and /chunked/N (N up to " + std::to_string(kPatternSize) +
                    "), PUT and POST /sink and /verify");
}

std::string Origin::fields(const Connection& connection) const {
    if (connection.last)
        return "Connection: close\r\n";
    return connection.reader.head().http_1_0 ? "Connection: keep-alive\r\n" : "";
}

void Origin::answer_text(Connection& connection, const std::string& status,
                         const std::string& body) {
    connection.out.push_back({.text = "HTTP/1.1 " + status + "\r\n" + fields(connection) +
                                      "Content-Length: " + std::to_string(body.size()) +
                                      "\r\n\r\n" + body});
}

void Origin::answer_bytes(Connection& connection, std::uint64_t size) {
    connection.out.push_back({.text = "HTTP/1.1 200 OK\r\n" + fields(connection) +
                                      "Content-Type: application/octet-stream\r\nContent-Length: " +
                                      std::to_string(size) + "\r\n\r\n"});
    if (size > 0)
        connection.out.push_back({.text = {}, .body = pattern_.slice(0, size)});
}

// The whole chunks lie there framed; the last, shorter one is framed here.
void Origin::answer_chunked(Connection& connection, std::uint64_t size) {
    auto& out = connection.out;
    const bool old = connection.reader.head().http_1_0;  // knows no chunks
    if (old)
        connection.last = true;
    out.push_back({.text = "HTTP/1.1 200 OK\r\n" + fields(connection) +
                           "Content-Type: application/octet-stream\r\n" +
                           (old ? "" : "Transfer-Encoding: chunked\r\n") + "\r\n"});
    if (old) {
        out.push_back({.text = {}, .body = pattern_.slice(0, size)});
        return;
    }
    const std::uint64_t whole = size / chunk_;
    if (whole > 0)
        out.push_back(
            {.text = {}, .body = std::string_view(framed_).substr(0, whole * framed_chunk_)});
    const auto rest = pattern_.slice(whole * chunk_, size - whole * chunk_);
    if (!rest.empty()) {
        const std::string head = in_chunks(rest, chunk_).substr(0, 20);
        out.push_back({.text = head.substr(0, head.find('\n') + 1)});
        out.push_back({.text = {}, .body = rest});
        out.push_back({.text = "\r\n"});
    }
    out.push_back({.text = std::string(kLastChunk)});
}

Origin::Sent Origin::flush(Connection& connection) {
    auto& out = connection.out;
    std::uint64_t sent = 0;
    while (!out.empty()) {
        if (sent >= kTurn)
            return Sent::kBlocked;
        Piece& piece = out.front();
        const std::string_view left = piece.left();
        const ssize_t count = ::send(connection.fd.get(), left.data(),
                                     std::min<std::uint64_t>(left.size(), kTurn),
                                     MSG_NOSIGNAL | (out.size() > 1 ? MSG_MORE : 0));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN ? Sent::kBlocked : Sent::kFailed;
        sent += static_cast<std::uint64_t>(count);
        piece.sent += static_cast<std::size_t>(count);
        if (piece.left().empty())
            out.pop_front();
    }
    return Sent::kAll;
}

// Who does not read his answer gets no other: one direction at a time.
void Origin::watch(Connection& connection, bool writing) {
    if (connection.writing == writing)
        return;
    connection.writing = writing;
    epoll_.modify(connection.fd, writing ? EPOLLOUT : EPOLLIN,
                  static_cast<std::uint64_t>(connection.fd.get()));
}

}  // namespace libra::bench
