// SPDX-License-Identifier: GPL-2.0-only
#include "tls_vectors.h"

namespace {

using std::string_literals::operator""s;

constexpr int kChange = 20, kAlert = 21, kHandshake = 22, kData = 23, kHeartbeat = 24;

std::string change(int minor = 3) {
    return tls_record_of(kChange, minor, "\x01");
}
std::string alert(int minor = 3) {
    return tls_record_of(kAlert, minor, "\x01\x00"s);
}
std::string handshake(const std::string& fragment, int minor = 3) {
    return tls_record_of(kHandshake, minor, fragment);
}
std::string client_hello() {
    return handshake(tls_hello_of(1, 200), 1);
}
std::string server_hello() {
    return handshake(tls_hello_of(2, 80));
}
// Application data as its two segments, and its header for @size bytes.
std::string data_header(std::size_t size, int minor = 3) {
    return tls_record_of(kData, minor, std::string(size, 'd')).substr(0, 5);
}

std::vector<Segment> operator+(std::vector<Segment> first, const std::vector<Segment>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

std::vector<Segment> data(const std::string& bytes, int minor = 3) {
    return {framing(data_header(bytes.size(), minor)), part(bytes)};
}

// What a client says.
Vector says(std::string name, std::vector<Segment> segments) {
    return {std::move(name), LIBRA_ROLE_ACTIVE, 0, {request(std::move(segments))}};
}

// A client says @bytes first of all, or behind its hello.
Vector refuses(std::string name, tls_event why, const std::string& bytes) {
    return says(std::move(name), {pass(why, bytes)});
}
Vector refuses_behind(std::string name, tls_event why, const std::string& bytes) {
    return says(std::move(name), {meta(client_hello()), pass(why, bytes)});
}

std::vector<Vector> versions() {
    std::vector<Vector> all;
    for (int minor = 0; minor <= 4; minor++)
        all.push_back(
            {"version_3_" + std::to_string(minor),
             LIBRA_ROLE_PASSIVE,
             LIBRA_F_ANCHOR_REQUESTS,
             {request({meta(handshake(tls_hello_of(1, 50), minor))}),
              response({meta(handshake(tls_hello_of(2, 50), minor))}),
              request({meta(change(minor)), meta(handshake("\x10key", minor))}),
              response({meta(change(minor)), meta(handshake("\x14"
                                                            "fin",
                                                            minor))}),
              request(data("GET / HTTP/1.1\r\n\r\n", minor)), response(data("hello", minor)),
              request({meta(alert(minor))}), response({meta(alert(minor))})}});
    return all;
}

std::vector<Vector> streams() {
    const auto three = [](const std::string& a, const std::string& b, const std::string& c) {
        return data(a) + data(b) + data(c);
    };
    const std::string full(18432, 'f');
    return {
        {"tls_1_3",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(client_hello())}),
          response(std::vector{meta(server_hello()), meta(change())} + data("certificates") +
                   data("finished")),
          request(std::vector{meta(change())} + data("finished") + data("GET /")),
          response(three("ticket", "hello", "world"))}},
        {"tls_1_3_early_data",
         LIBRA_ROLE_ACTIVE,
         0,
         {request(std::vector{meta(client_hello()), meta(change())} + data("early"))}},
        {"tls_1_3_retry",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(client_hello())}), response({meta(server_hello()), meta(change())}),
          request({meta(change()), meta(client_hello())}),
          response(std::vector{meta(server_hello())} + data("hello"))}},
        {"tls_1_2_renegotiation",
         LIBRA_ROLE_ACTIVE,
         0,
         {request(std::vector{meta(client_hello())} + data("a")),
          response(std::vector{meta(server_hello())} + data("a")),
          request(std::vector{meta(handshake("\xa5\x5a encrypted")), meta(change())} + data("b"))}},
        {"server_that_refuses",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(client_hello())}), response({meta(alert())})}},
        {"heartbeat",
         LIBRA_ROLE_ACTIVE,
         0,
         {request(std::vector{meta(client_hello()), meta(tls_record_of(kHeartbeat, 3, "ping"))} +
                  data("a"))}},
        says("empty_data", std::vector{meta(client_hello()), meta(data_header(0))} + data("a") +
                               std::vector{meta(data_header(0)), meta(data_header(0))}),
        says("full_records", std::vector{meta(client_hello())} + data(full) + data(full) +
                                 std::vector{meta(handshake(full))} + data("a")),
        says("data_like_a_record", std::vector{meta(client_hello())} + data(alert()) +
                                       data(data_header(5)) + std::vector{meta(alert())}),
        says("data_not_all_there",
             {meta(client_hello()), framing(data_header(100)), of(100, part("hello"))}),
        says("record_not_all_there",
             {meta(client_hello()),
              of(105, meta(tls_record_of(kHandshake, 3, std::string(100, 'h')).substr(0, 50)))}),
        says("header_not_all_there", {meta(client_hello()), more(data_header(100).substr(0, 4))}),
        // 0x4800 is the longest; its first byte alone must not be too much.
        says("header_of_the_longest_not_all_there",
             {meta(client_hello()), more("\x17\x03\x03\x48")}),
    };
}

std::vector<Vector> hellos() {
    const std::string hello = tls_hello_of(1, 200);
    const auto cut = [&](std::vector<std::size_t> sizes) {
        std::vector<Segment> segments;
        std::size_t at = 0;
        for (const std::size_t size : sizes) {
            segments.push_back(meta(handshake(hello.substr(at, size))));
            at += size;
        }
        return segments;
    };
    return {
        says("hello_in_two", cut({100, 104}) + data("a")),
        says("hello_in_its_header", cut({2, 202}) + data("a")),
        says("hello_behind_its_header", cut({4, 200}) + data("a")),
        says("hello_bytewise", cut({1, 1, 1, 1, 1, 199}) + data("a")),
        says("hello_and_more_in_one_record",
             std::vector{meta(handshake(hello + tls_hello_of(11, 3000)))} + data("a")),
        says("hello_in_two_and_more",
             cut({100}) + std::vector{meta(handshake(hello.substr(100) + "more"))} + data("a")),
        says("hello_of_64k",
             {meta(handshake(tls_hello_of(1, 65536).substr(0, 16384))),
              meta(handshake(std::string(16384, 'h'))), meta(handshake(std::string(16384, 'h'))),
              meta(handshake(std::string(16384, 'h'))), meta(handshake("1234")),
              framing(data_header(1)), part("a")}),
        says("hello_of_64k_interrupted", {meta(handshake(tls_hello_of(1, 65536).substr(0, 16384))),
                                          pass(TLS_PASS_HELLO, data_header(1) + "a")}),
        says("hello_not_all_there", {of(209, meta(client_hello().substr(0, 100)))}),
        says("hello_header_not_all_there", {more(client_hello().substr(0, 8))}),
        says("hello_interrupted_by_data",
             cut({100}) + std::vector{pass(TLS_PASS_HELLO, data_header(1) + "a")}),
        says("hello_one_byte_short",
             cut({203}) + std::vector{pass(TLS_PASS_HELLO, data_header(1) + "a")}),
        says("hello_interrupted_in_its_header",
             cut({3}) + std::vector{pass(TLS_PASS_HELLO, data_header(1) + "a")}),
        says("hello_interrupted_by_change", cut({4}) + std::vector{pass(TLS_PASS_HELLO, change())}),
        says("hello_and_an_alert",
             cut({4}) + std::vector{meta(alert())} + std::vector{pass(TLS_PASS_HELLO, change())}),
        says("hello_of_nothing", std::vector{meta(handshake(tls_hello_of(1, 0)))} + data("a")),
        refuses("hello_missing", TLS_PASS_HELLO, data_header(1) + "a"),
        refuses("hello_behind_a_change", TLS_PASS_HELLO, change() + client_hello()),
        refuses("hello_of_a_server", TLS_PASS_HELLO, server_hello()),
        refuses("hello_is_another_message", TLS_PASS_HELLO, handshake(tls_hello_of(11, 50))),
        {"hello_of_a_client_from_a_server",
         LIBRA_ROLE_ACTIVE,
         0,
         {response({pass(TLS_PASS_HELLO, client_hello())})}},
        {"directions_do_not_depend_on_each_other",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({pass(TLS_PASS_TYPE, "GET / HTTP/1.1\r\n")}),
          response(std::vector{meta(server_hello())} + data("a")), request({unseen("x")}),
          response({pass(TLS_PASS_VERSION, "\x17\x02")})}},
    };
}

std::vector<Vector> garbage() {
    const std::string body(5, 'b');
    return {
        refuses("ssl_2_hello", TLS_PASS_TYPE, "\x80\x2e\x01\x03\x01\x00\x15"s),
        refuses("http", TLS_PASS_TYPE, "GET / HTTP/1.1\r\n\r\n"),
        refuses("zeros", TLS_PASS_TYPE, std::string(5, '\0')),
        refuses("type_19", TLS_PASS_TYPE, tls_record_of(19, 3, body)),
        refuses("type_25", TLS_PASS_TYPE, tls_record_of(25, 3, body)),
        refuses_behind("type_19_later", TLS_PASS_TYPE, tls_record_of(19, 3, body)),
        refuses_behind("type_25_later", TLS_PASS_TYPE, tls_record_of(25, 3, body)),
        refuses_behind("http_later", TLS_PASS_TYPE, "HTTP/1.1 200 OK\r\n\r\n"),
        refuses("version_3_5", TLS_PASS_VERSION, handshake(tls_hello_of(1, 50), 5)),
        refuses("version_2_0", TLS_PASS_VERSION, "\x16\x02"),
        refuses("version_4_0", TLS_PASS_VERSION, "\x16\x04\x00\x00\x05"s),
        refuses("dtls", TLS_PASS_VERSION, "\x16\xfe\xfd\x00\x00"s),
        refuses_behind("version_3_5_later", TLS_PASS_VERSION, "\x17\x03\x05\x00\x05"s),
        refuses_behind("length_of_18433", TLS_PASS_LENGTH, "\x17\x03\x03\x48\x01"),
        refuses_behind("length_of_18688", TLS_PASS_LENGTH, "\x17\x03\x03\x49"),
        refuses_behind("length_of_65535", TLS_PASS_LENGTH, "\x17\x03\x03\xff\xff"),
        refuses("length_of_18433_at_first", TLS_PASS_LENGTH, "\x16\x03\x03\x48\x01"),
        refuses("empty_handshake", TLS_PASS_LENGTH, handshake("")),
        refuses_behind("empty_handshake_later", TLS_PASS_LENGTH, handshake("")),
        refuses_behind("empty_alert", TLS_PASS_LENGTH, tls_record_of(kAlert, 3, "")),
        refuses_behind("empty_change", TLS_PASS_LENGTH, tls_record_of(kChange, 3, "")),
    };
}

}  // namespace

std::string tls_record_of(int type, int minor, const std::string& fragment) {
    const std::size_t size = fragment.size();
    return std::string{static_cast<char>(type), 3, static_cast<char>(minor),
                       static_cast<char>(size >> 8), static_cast<char>(size)} +
           fragment;
}

std::string tls_hello_of(int type, std::size_t size) {
    return std::string{static_cast<char>(type), static_cast<char>(size >> 16),
                       static_cast<char>(size >> 8), static_cast<char>(size)} +
           std::string(size, 'h');
}

std::vector<Vector> tls_vectors() {
    std::vector<Vector> all = versions();
    for (const auto& more : {streams(), hellos(), garbage()})
        all.insert(all.end(), more.begin(), more.end());
    return of_parser(kTls, std::move(all));
}
