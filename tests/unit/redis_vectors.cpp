// SPDX-License-Identifier: GPL-2.0-only
#include "redis_vectors.h"

namespace {

std::string big(char c = 'v', std::size_t size = 5000) {
    return std::string(size, c);
}

// A string that is worth it, as its three segments.
std::vector<Segment> string_of(const std::string& bytes, char type = '$') {
    return {framing(type + std::to_string(bytes.size()) + "\r\n"), part(bytes), framing("\r\n")};
}

Segment because(libra_reason reason, std::string bytes) {
    return pass(kReasonEvent + reason, std::move(bytes));
}

std::vector<Segment> operator+(std::vector<Segment> first, const std::vector<Segment>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

Vector server(std::string name, std::vector<Segment> segments) {
    return {std::move(name), LIBRA_ROLE_ACTIVE, 0, {response(std::move(segments))}};
}

Vector client(std::string name, std::vector<Segment> segments) {
    return {std::move(name), LIBRA_ROLE_ACTIVE, 0, {request(std::move(segments))}};
}

std::vector<Vector> items() {
    return {
        {"set_and_get",
         LIBRA_ROLE_PASSIVE,
         LIBRA_F_ANCHOR_REQUESTS,
         {request(
              std::vector{framing("*3\r\n"), framing("$3\r\nSET\r\n"), framing("$3\r\nkey\r\n")} +
              string_of(big())),
          response({framing("+OK\r\n")}),
          request({framing("*2\r\n"), framing("$3\r\nGET\r\n"), framing("$3\r\nkey\r\n")}),
          response(string_of(big()))}},
        server("each_type_of_line",
               {framing("+OK\r\n"), framing("-ERR unknown\r\n"), framing(":-12\r\n"),
                framing("_\r\n"), framing("#t\r\n"), framing(",1.5e3\r\n"),
                framing("(34928903284092385094\r\n"), framing("*0\r\n"), framing("~2\r\n"),
                framing(":1\r\n"), framing(":2\r\n"), framing("%1\r\n"), framing("|1\r\n"),
                framing(">3\r\n"), framing("$0\r\n\r\n"), framing("$-1\r\n"), framing("*-1\r\n")}),
        server("each_type_of_string",
               string_of(big('a')) + string_of("txt:" + big('b'), '=') + string_of(big('c'), '!')),
        server("streamed", std::vector{framing("$?\r\n"), framing(";4\r\nHell\r\n")} +
                               string_of(big(), ';') +
                               std::vector{framing(";0\r\n"), framing("*?\r\n"), framing(":1\r\n"),
                                           framing(".\r\n"), framing("+OK\r\n")}),
        server("what_strings_hold_is_not_read",
               string_of("\r\n$3\r\n" + big('\n')) + std::vector{framing("$4\r\n\r\n$9\r\n")}),
        server("just_worth_it",
               string_of(big('x', 4096)) +
                   std::vector{framing("$4095\r\n" + big('y', 4095) + "\r\n"), framing("+\r\n")}),
        server("rest_to_come", {framing("$100000\r\n"), of(100000, part("begins"))}),
        server("short_rest_to_come", {of(106, framing("$99\r\nbegins"))}),
        client("inline", {framing("PING\r\n"), framing("set a b\n"), framing("*1\r\n")}),
    };
}

std::vector<Vector> limits() {
    return {
        server("waits_for_a_line", {framing("+OK\r\n"), more("$12")}),
        server("waits_for_the_end", {framing("$4096\r\n"), part(big('x', 4096)), more("\r")}),
        server("ten_digits", {framing("$9999999999\r\n"), of(9999999999, part("x"))}),
        server("eleven_digits", {because(LIBRA_REASON_LIMIT, "$10000000000\r\n")}),
        server("endless_number", {because(LIBRA_REASON_LIMIT, "*0000000000000000")}),
        server("long_error", {framing("-" + std::string(16381, 'e') + "\r\n"), framing("+\r\n")}),
        server("endless_error", {because(LIBRA_REASON_LIMIT, "-" + std::string(16400, 'e'))}),
    };
}

std::vector<Vector> passes() {
    std::vector<Vector> all;
    const auto refuses = [&all](const char* name, const std::string& bytes,
                                libra_reason why = LIBRA_REASON_FOREIGN) {
        all.push_back(server(name, {framing("+OK\r\n"), because(why, bytes)}));
    };
    refuses("inline_of_a_server", "PONG\r\n");
    refuses("another_protocol", "\x16\x03\x01");
    refuses("no_digits", "$\r\n");
    refuses("signed", "$+5\r\n");
    refuses("minus_two", "$-2\r\n");
    refuses("unknown_count", "*?1\r\n");
    refuses("letters", "*1a\r\n");
    refuses("blank", "$ 5\r\n");
    refuses("replication", "$EOF:0123\r\n");
    refuses("bare_lf", "+OK\n", LIBRA_REASON_AMBIGUOUS);
    refuses("only_lf", "\n");
    all.push_back(server("string_without_end", {framing("$4096\r\n"), part(big('x', 4096)),
                                                because(LIBRA_REASON_AMBIGUOUS, "+OK\r\n")}));
    all.push_back(server("string_with_half_an_end", {framing("$4096\r\n"), part(big('x', 4096)),
                                                     because(LIBRA_REASON_AMBIGUOUS, "\r+")}));
    return all;
}

}  // namespace

std::vector<Vector> redis_vectors() {
    std::vector<Vector> all = items();
    for (auto& more : {limits(), passes()})
        all.insert(all.end(), more.begin(), more.end());
    return of_parser(kRedis, std::move(all));
}
