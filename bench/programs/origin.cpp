// SPDX-License-Identifier: GPL-2.0-only
#include "origin.h"

#include <algorithm>
#include <string_view>

#include "common/text.h"

namespace libra::bench {
namespace {

constexpr std::uint64_t kTurn = 1024 * 1024;  // bytes before the others get theirs

// Takes the prefix off the target and, behind a slash, which body it means: 0 if it says none.
std::optional<std::uint64_t> take_body(std::string_view& target, std::string_view prefix) {
    std::uint64_t body = 0;
    if (!target.starts_with(prefix))
        return {};
    target.remove_prefix(prefix.size());
    if (const auto slash = target.find('/'); slash != std::string_view::npos) {
        if (!test::parse_number(target.substr(slash + 1), body, 10))
            return {};
        target = target.substr(0, slash);
    }
    return body;
}

// The body of prefix N or prefix N/BODY.
std::optional<Asked> asked_in(std::string_view target, std::string_view prefix) {
    Asked asked;
    const auto body = take_body(target, prefix);
    if (!body || !test::parse_number(target, asked.size, 10) || asked.size > kMostBytes)
        return {};
    asked.begin = begin_of(*body);
    return asked;
}

// The body that an upload to /verify or /verify/BODY claims to be.
std::optional<std::uint64_t> claimed_in(std::string_view target) {
    const auto body = take_body(target, "/verify");
    return target.empty() ? body : std::nullopt;
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
      pattern_(make_pattern(kMostBytes, kBodies)),
      framed_(in_chunks(pattern_.slice(0, kMostBytes / chunk * chunk), chunk)),
      framed_chunk_(framed_.size() / (kMostBytes / chunk)) {
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
    if (!uploads(head))
        return;
    if (const auto body = claimed_in(head.target))
        connection.check.emplace(pattern_.slice(begin_of(*body), kMostBytes));
}

void Origin::answer(Connection& connection) {
    const Head& head = connection.reader.head();
    connection.last = !head.keep_alive;
    if (head.method == "GET") {
        if (const auto asked = asked_in(head.target, "/bytes/"))
            return answer_bytes(connection, *asked);
        if (const auto asked = asked_in(head.target, "/chunked/"))
            return answer_chunked(connection, *asked);
    }
    if (connection.check || (uploads(head) && head.target == "/sink")) {
        if (connection.check && !connection.check->exact())
            return answer_text(connection, "400 Bad Request", connection.check->difference());
        return answer_text(connection, "200 OK", "ok");
    }
    answer_text(connection, "404 Not Found",
                "there are GET /bytes/N[/BODY] and /chunked/N[/BODY] (N up to " +
                    std::to_string(kMostBytes) + "), PUT and POST /sink and /verify[/BODY]");
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

void Origin::answer_bytes(Connection& connection, const Asked& asked) {
    connection.out.push_back({.text = "HTTP/1.1 200 OK\r\n" + fields(connection) +
                                      "Content-Type: application/octet-stream\r\nContent-Length: " +
                                      std::to_string(asked.size) + "\r\n\r\n"});
    if (asked.size > 0)
        connection.out.push_back({.text = {}, .body = pattern_.slice(asked.begin, asked.size)});
}

// Those of body 0 that are whole lie there framed. What is shorter, or another body, which
// nobody measures, is framed here.
void Origin::answer_chunked(Connection& connection, const Asked& asked) {
    auto& out = connection.out;
    const bool old = connection.reader.head().http_1_0;  // knows no chunks
    if (old)
        connection.last = true;
    out.push_back({.text = "HTTP/1.1 200 OK\r\n" + fields(connection) +
                           "Content-Type: application/octet-stream\r\n" +
                           (old ? "" : "Transfer-Encoding: chunked\r\n") + "\r\n"});
    auto rest = pattern_.slice(asked.begin, asked.size);
    if (old) {
        out.push_back({.text = {}, .body = rest});
        return;
    }
    if (const std::uint64_t whole = asked.size / chunk_; asked.begin == 0 && whole > 0) {
        out.push_back(
            {.text = {}, .body = std::string_view(framed_).substr(0, whole * framed_chunk_)});
        rest.remove_prefix(whole * chunk_);
    }
    out.push_back({.text = in_chunks(rest, chunk_).append(kLastChunk)});
}

Origin::Sent Origin::flush(Connection& connection) {
    auto& out = connection.out;
    std::uint64_t sent = 0;
    while (!out.empty()) {
        if (sent >= kTurn)
            return Sent::kBlocked;
        Piece& piece = out.front();
        const std::string_view left = piece.left();
        const ssize_t count =
            ::send(connection.fd.get(), left.data(), std::min<std::uint64_t>(left.size(), kTurn),
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
