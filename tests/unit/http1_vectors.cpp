// SPDX-License-Identifier: GPL-2.0-only
//
// Vectors about whole messages: which bytes are body, and which answer belongs
// to which request.
#include "http1_vectors.h"

namespace {

constexpr auto kPassive = LIBRA_ROLE_PASSIVE;
constexpr auto kActive = LIBRA_ROLE_ACTIVE;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kHead = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kPost5 = "POST /u HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
const std::string kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kOk5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
const std::string kOk0 = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const std::string k101 =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

std::string repeat(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; i++)
        all += text;
    return all;
}

std::vector<Segment> repeat(const Segment& segment, int times) {
    return std::vector<Segment>(times, segment);
}

std::vector<Segment> operator+(std::vector<Segment> list, const Segment& last) {
    list.push_back(last);
    return list;
}

// Like rest(), but a request on its way in.
Segment copied_rest(std::string bytes) {
    return {LIBRA_PASS, std::move(bytes), 0, HTTP1_PASS_TUNNEL, LIBRA_PAYLOAD_UNTIL_CLOSE};
}

// A response to one GET.
Vector answer(std::string name, std::vector<Segment> segments) {
    return {std::move(name), kActive, 0, {request({meta(kGet)}), response(std::move(segments))}};
}

std::vector<Vector> bodies() {
    return {
        answer("response_with_length", {meta(kOk5), payload("hello")}),
        answer("response_without_body", {meta(kOk0)}),
        answer("body_looks_like_a_header",
               {meta("HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n"), payload(kOk5)}),
        answer("body_not_all_there", {meta(kOk5), of(5, payload("he"))}),
        answer("body_of_2_to_the_59",
               {meta("HTTP/1.1 200 OK\r\nContent-Length: 576460752303423488\r\n\r\n"),
                of(576460752303423488, payload("h"))}),
        answer("http_1_0_with_length",
               {meta("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n"), payload("ok")}),
        answer("no_reason_phrase",
               {meta("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n"), payload("ok")}),
        answer("empty_reason_phrase",
               {meta("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n"), payload("ok")}),
        answer("error_status_has_a_body",
               {meta("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n"), payload("no")}),
        answer("206_with_length",
               {meta("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n"
                     "Content-Length: 2\r\n\r\n"),
                payload("ok")}),
        answer("205_without_content",
               {meta("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")}),
        answer(
            "205_with_length",
            {pass(HTTP1_PASS_LENGTH, "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok")}),
        answer("205_chunked", {pass(HTTP1_PASS_LENGTH,
                                    "HTTP/1.1 205 Reset Content\r\n"
                                    "Transfer-Encoding: chunked\r\n\r\n")}),
        answer("204_has_no_body",
               {meta("HTTP/1.1 204 No Content\r\n\r\n"), pass(HTTP1_PASS_UNMATCHED, "x")}),
        answer("204_with_length_0", {meta("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")}),
        answer("204_with_length",
               {pass(HTTP1_PASS_LENGTH, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok")}),
        answer("304_has_no_body", {meta("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"),
                                   pass(HTTP1_PASS_UNMATCHED, "HTTP")}),
        answer("304_without_length", {meta("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n")}),
        answer("until_close", {meta("HTTP/1.1 200 OK\r\n\r\n"), rest("hello" + kOk5)}),
        answer("until_close_in_http_1_0", {meta("HTTP/1.0 404 No\r\n\r\n"), rest("hello")}),
        answer("until_close_and_nothing_came", {meta("HTTP/1.1 200 OK\r\n\r\n")}),
        answer("205_without_length",
               {pass(HTTP1_PASS_LENGTH, "HTTP/1.1 205 Reset Content\r\n\r\nhello")}),
        answer("identity_coding", {pass(HTTP1_PASS_CODING,
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n"
                                        "Content-Length: 5\r\n\r\nhello")}),
        {"request_body_towards_upstream", kActive, 0, {request({meta(kPost5), payload("hello")})}},
        {"request_body_from_client",
         kPassive,
         0,
         {request({meta(kPost5), copied(payload("hello"))})}},
        {"request_body_from_client_not_all_there",
         kPassive,
         0,
         {request({meta(kPost5), of(5, copied(payload("h")))})}},
        {"request_body_from_client_anchored",
         kPassive,
         LIBRA_F_ANCHOR_REQUESTS,
         {request({meta(kPost5), payload("hello"), meta(kGet)})}},
        {"get_with_a_body",
         kPassive,
         0,
         {request({meta("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"), copied(payload("abc")),
                   meta(kGet)})}},
        {"post_without_length_has_no_body",
         kPassive,
         0,
         {request({meta("POST / HTTP/1.1\r\nHost: a\r\n\r\n"), meta(kGet)})}},
    };
}

std::vector<Vector> pairing() {
    return {
        {"keepalive_client_side",
         kPassive,
         0,
         {request({meta(kGet)}), response({meta(kOk5), payload("hello")}), request({meta(kGet)}),
          response({meta(kOk0)}), request({meta(kPost5), copied(payload("world"))}),
          response({meta(kOk5), payload("hello")})}},
        {"pipelined",
         kPassive,
         0,
         {request({meta(kGet), meta(kHead), meta(kPost5), copied(payload("hello")), meta(kGet)}),
          response({meta(kOk5), payload("hello"), meta(kOk5), meta(kOk0), meta(kOk5),
                    payload("world")})}},
        {"head",
         kActive,
         0,
         {request({meta(kHead)}), response({meta(kOk5)}), request({meta(kGet)}),
          response({meta(kOk5), payload("hello")})}},
        {"head_without_length",
         kActive,
         0,
         {request({meta(kHead)}), response({meta("HTTP/1.1 200 OK\r\n\r\n")})}},
        {"head_is_case_sensitive_so_lower_case_is_unclear",
         kActive,
         0,
         {request({pass(HTTP1_PASS_START, "head / HTTP/1.1\r\n\r\n")}),
          response({pass(HTTP1_PASS_UNMATCHED, kOk5)})}},
        {"a_longer_method_is_not_head",
         kActive,
         0,
         {request({meta("HEADER / HTTP/1.1\r\n\r\n")}), response({meta(kOk5), payload("hello")})}},
        {"response_before_any_request",
         kActive,
         0,
         {response({pass(HTTP1_PASS_UNMATCHED, kOk5 + "hello")}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"response_to_half_a_request",
         kPassive,
         0,
         {request({more("GET / HTT")}),
          response({pass(HTTP1_PASS_UNMATCHED, "HTTP/1.1 408 Timeout\r\n\r\n")})}},
        {"second_response_to_one_request",
         kActive,
         0,
         {request({meta(kGet)}), response({meta(kOk0), pass(HTTP1_PASS_UNMATCHED, kOk5)})}},
        {"response_before_the_request_body",
         kPassive,
         0,
         {request({meta(kPost5), of(5, copied(payload("he")))}), response({meta(kOk0)})}},
        {"100_continue",
         kPassive,
         0,
         {request({meta("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")}),
          response({meta("HTTP/1.1 100 Continue\r\n\r\n")}), request({copied(payload("ok"))}),
          response({meta(kOk5), payload("hello")})}},
        {"103_keeps_the_head",
         kActive,
         0,
         {request({meta(kHead)}),
          response({meta("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), meta(kOk5)})}},
        {"1xx_with_a_length",
         kActive,
         0,
         {request({meta(kGet)}),
          response(
              {pass(HTTP1_PASS_LENGTH, "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n")})}},
        {"64_unanswered",
         kPassive,
         0,
         {request(repeat(meta(kGet), 63) + meta(kHead)),
          response(repeat(meta(kOk0), 63) + meta(kOk5))}},
        {"65_unanswered",
         kPassive,
         0,
         {request(repeat(meta(kGet), 64) + pass(HTTP1_PASS_PIPELINE, kGet)),
          response(repeat(meta(kOk0), 64) + pass(HTTP1_PASS_UNMATCHED, kOk0))}},
        {"answers_to_requests_before_an_unclear_one",
         kPassive,
         0,
         {request({meta(kHead), meta(kGet), pass(HTTP1_PASS_START, "\x16\x03\x01")}),
          response({meta(kOk5), meta(kOk5), payload("hello"),
                    pass(HTTP1_PASS_UNMATCHED, kOk5 + "hello")})}},
        {"requests_go_on_behind_an_unclear_coding",
         kActive,
         0,
         {request({meta(kGet)}),
          response({pass(HTTP1_PASS_CODING, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")}),
          request(repeat(meta(kGet), 70)), request({meta(kPost5), payload("hello")}),
          response({unseen(repeat(kOk0, 2))})}},
        {"requests_go_on_behind_an_endless_response",
         kActive,
         0,
         {request({meta(kGet)}), response({meta("HTTP/1.1 200 OK\r\n\r\n"), rest("hello")}),
          request(repeat(meta(kGet), 70)), request({meta(kPost5), payload("hello")}),
          response({unseen(repeat(kOk0, 2))})}},
        {"requests_go_on_behind_an_odd_field",
         kActive,
         0,
         {request({meta(kGet)}),
          response({pass(HTTP1_PASS_FIELD, "HTTP/1.1 200 OK\r\nA : b\r\n\r\n")}),
          request({meta(kPost5), payload("hello")})}},
        {"requests_stop_behind_an_odd_status_line",
         kActive,
         0,
         {request({meta(kGet)}), response({pass(HTTP1_PASS_LINE_END, "HTTP/1.1 200 OK\n\n")}),
          request({pass(HTTP1_PASS_TUNNEL, kPost5)})}},
    };
}

std::vector<Vector> upgrades() {
    const std::string frames = "\x81\x05hello" + kPost5 + "hello";
    const std::string old_upgrade =
        "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    const auto odd_101 = [](std::string name, const std::string& text) {
        return Vector{std::move(name),
                      kPassive,
                      LIBRA_F_ANCHOR_REQUESTS,
                      {request({meta(kUpgrade)}), response({pass(HTTP1_PASS_TUNNEL, text)}),
                       request({pass(HTTP1_PASS_TUNNEL, kPost5)})}};
    };
    // The header of the answer is clear, and its body is not.
    const auto declined_by = [](std::string name, http1_event why, const std::string& text) {
        return Vector{std::move(name),
                      kActive,
                      0,
                      {request({meta(kUpgrade)}), response({pass(why, text)}),
                       request({pass(HTTP1_PASS_TUNNEL, kPost5)})}};
    };
    return {
        {"websocket",
         kPassive,
         0,
         {request({meta(kUpgrade)}), response({meta(k101), rest("\x81\x05hello" + kOk5)}),
          request({copied_rest(frames)}), response({unseen(kOk5)})}},
        {"websocket_towards_upstream",
         kActive,
         0,
         {request({meta(kUpgrade)}), response({meta(k101)}), request({rest(frames)}),
          response({rest(frames)})}},
        {"websocket_behind_other_messages",
         kActive,
         0,
         {request({meta(kGet), meta(kHead)}), response({meta(kOk5), payload("hello")}),
          request({meta(kUpgrade)}),
          response({meta(kOk5), meta("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), meta(k101),
                    rest(frames)}),
          request({rest(frames)})}},
        {"upgrade_client_in_a_hurry",
         kPassive,
         LIBRA_F_ANCHOR_REQUESTS,
         {request({meta(kUpgrade), pass(HTTP1_PASS_TUNNEL, kPost5 + "hello")}),
          response({meta(k101), rest(kOk5)}), request({unseen(kPost5)})}},
        {"upgrade_client_in_a_hurry_declined",
         kActive,
         0,
         {request({meta(kUpgrade), pass(HTTP1_PASS_TUNNEL, kGet)}),
          response({meta(kOk5), payload("hello"), pass(HTTP1_PASS_UNMATCHED, kOk5)}),
          request({unseen(kGet)})}},
        {"upgrade_declined",
         kActive,
         0,
         {request({meta(kUpgrade)}), response({meta(kOk5), payload("hello")}),
          request({meta(kPost5), payload("hello")}), response({meta(kOk0)}),
          request({meta(kUpgrade)}), response({meta(k101), rest("x")}), request({rest("x")})}},
        {"upgrade_declined_and_asked_for_again",
         kActive,
         0,
         {request({meta(kUpgrade)}), response({meta(kOk0)}), request({meta(kGet)}),
          response({pass(HTTP1_PASS_TUNNEL, k101)}), request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"upgrade_declined_in_an_unclear_way",
         kActive,
         0,
         {request({meta(kUpgrade)}),
          response({pass(HTTP1_PASS_FIELD, "HTTP/1.1 200 OK\r\nA : b\r\n\r\n")}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        declined_by("upgrade_declined_by_204_with_coding", HTTP1_PASS_CODING,
                    "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        declined_by("upgrade_declined_by_204_with_length", HTTP1_PASS_LENGTH,
                    "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"),
        declined_by("upgrade_declined_by_205_with_length", HTTP1_PASS_LENGTH,
                    "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\n"),
        {"upgrade_behind_an_unclear_answer",
         kActive,
         0,
         {request({meta(kGet)}),
          response({pass(HTTP1_PASS_FIELD, "HTTP/1.1 200 OK\r\nA : b\r\n\r\n")}),
          request({meta(kUpgrade), pass(HTTP1_PASS_TUNNEL, kPost5)})}},
        {"upgrade_answered_by_half",
         kActive,
         0,
         {request({meta(kUpgrade)}), response({more("HTTP/1.1 200 OK\r\n")}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)}),
          response({of(38, meta("Content-Length: 2\r\n\r\n")), payload("ok")})}},
        {"upgrade_with_a_body",
         kActive,
         0,
         {request({meta("POST / HTTP/1.1\r\nupgrade: h2c\r\nContent-Length: 2\r\n\r\n"),
                   payload("ok"), pass(HTTP1_PASS_TUNNEL, "PRI * HTTP/2.0\r\n")}),
          response({pass(HTTP1_PASS_TUNNEL, k101)})}},
        {"upgrade_with_a_chunked_body",
         kActive,
         0,
         {request({meta("POST / HTTP/1.1\r\nupgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"),
                   framing("2\r\n"), part("ok")}),
          response({pass(HTTP1_PASS_TUNNEL, k101)}),
          request({meta("\r\n0\r\n\r\n"), pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"upgrade_with_a_body_declined",
         kActive,
         0,
         {request({meta("POST / HTTP/1.1\r\nupgrade: h2c\r\nContent-Length: 2\r\n\r\n"),
                   payload("ok")}),
          response({meta(kOk0)}), request({meta(kGet)}), response({meta(kOk0)})}},
        {"upgrade_in_http_1_0",
         kActive,
         0,
         {request({meta(old_upgrade)}), response({pass(HTTP1_PASS_TUNNEL, k101)}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        odd_101("101_in_http_1_0",
                "HTTP/1.0 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        odd_101("101_to_nothing", "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n\r\n"),
        odd_101("101_with_length",
                "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n"),
        odd_101("101_with_coding",
                "HTTP/1.1 101 Switching\r\nUpgrade: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        {"upgrade_insecure_requests_is_another_field",
         kActive,
         0,
         {request({meta("GET / HTTP/1.1\r\nUpgrade-Insecure-Requests: 1\r\n\r\n"), meta(kGet)})}},
        {"upgrade_advertised_in_a_response",
         kActive,
         0,
         {request({meta(kGet)}),
          response({meta("HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\n"
                         "Content-Length: 2\r\n\r\n"),
                    payload("ok")}),
          request({meta(kGet)})}},
        {"101_out_of_the_blue",
         kActive,
         0,
         {request({meta(kGet)}), response({pass(HTTP1_PASS_TUNNEL, k101)}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"101_to_the_request_before",
         kActive,
         0,
         {request({meta(kGet), meta(kUpgrade)}), response({pass(HTTP1_PASS_TUNNEL, k101)}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"101_while_a_request_comes_in",
         kPassive,
         0,
         {request({meta(kGet), more("GET / HT")}), response({pass(HTTP1_PASS_TUNNEL, k101)}),
          request({pass(HTTP1_PASS_TUNNEL, "TP/1.1\r\n\r\n")})}},
    };
}

std::vector<Vector> tunnels() {
    const std::string connect = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
    const std::string old_connect = "CONNECT a:443 HTTP/1.0\r\n\r\n";
    const std::string established = "HTTP/1.1 200 Connection established\r\n\r\n";
    return {
        {"connect",
         kPassive,
         0,
         {request({meta(connect)}), response({meta(established), rest("\x16\x03\x01")}),
          request({copied_rest("\x16\x03\x01")})}},
        {"connect_in_http_1_0",
         kActive,
         0,
         {request({meta(old_connect)}), response({meta("HTTP/1.0 200 OK\r\n\r\n")}),
          request({rest(kGet)}), response({rest(kOk5)})}},
        {"connect_behind_a_get",
         kActive,
         0,
         {request({meta(kGet), meta(connect)}),
          response({meta(kOk5), payload("hello"), meta(established), rest("x")}),
          request({rest(kGet)})}},
        {"connect_declined",
         kActive,
         0,
         {request({meta(connect)}),
          response({meta("HTTP/1.1 407 Who\r\nContent-Length: 5\r\n\r\n"), payload("hello")}),
          request({meta(connect)}), response({meta(established), rest("x")}),
          request({rest(kGet)})}},
        {"connect_declined_by_a_redirect",
         kActive,
         0,
         {request({meta(connect)}),
          response({meta("HTTP/1.1 300 Choose\r\nContent-Length: 5\r\n\r\n"), payload("hello")}),
          request({meta(kGet)})}},
        {"connect_client_in_a_hurry",
         kPassive,
         LIBRA_F_ANCHOR_REQUESTS,
         {request({meta(connect), pass(HTTP1_PASS_TUNNEL, kPost5 + "hello")}),
          response({meta(established), rest("x")})}},
        {"connect_answered_with_length",
         kActive,
         0,
         {request({meta(connect)}), response({pass(HTTP1_PASS_TUNNEL, kOk0)}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"connect_answered_with_coding",
         kActive,
         0,
         {request({meta(connect)}),
          response(
              {pass(HTTP1_PASS_TUNNEL, "HTTP/1.1 299 OK\r\nTransfer-Encoding: chunked\r\n\r\n")}),
          request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"connect_answered_with_101",
         kActive,
         0,
         {request({meta("CONNECT a:1 HTTP/1.1\r\nUpgrade: x\r\n\r\n")}),
          response({pass(HTTP1_PASS_TUNNEL, k101)}), request({pass(HTTP1_PASS_TUNNEL, kGet)})}},
        {"connect_with_length",
         kPassive,
         0,
         {request({pass(HTTP1_PASS_TUNNEL, "CONNECT a:1 HTTP/1.1\r\nContent-Length: 0\r\n\r\n")}),
          response({pass(HTTP1_PASS_UNMATCHED, established)})}},
        {"connect_with_coding",
         kPassive,
         0,
         {request({pass(HTTP1_PASS_TUNNEL,
                        "CONNECT a:1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")})}},
        {"connect_is_not_a_get_that_failed",
         kActive,
         0,
         {request({meta(connect)}),
          response({meta(kOk5.substr(0, 9) + "404 No\r\n\r\n"), rest("x")}),
          request({meta(kGet)})}},
        {"http2_preface",
         kPassive,
         0,
         {request({pass(HTTP1_PASS_START, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")})}},
    };
}

}  // namespace

std::vector<Vector> http1_shape_vectors() {
    std::vector<Vector> all = bodies();
    for (const auto& more : {pairing(), upgrades(), tunnels(), http1_chunk_vectors()})
        all.insert(all.end(), more.begin(), more.end());
    return all;
}

std::vector<Vector> http1_vectors() {
    std::vector<Vector> all = http1_shape_vectors();
    const auto headers = http1_header_vectors();
    all.insert(all.end(), headers.begin(), headers.end());
    return of_parser(kHttp1, std::move(all));
}
