// SPDX-License-Identifier: GPL-2.0-only
//
// Vectors about chunked bodies: what is framing, what is payload, where the
// message ends, and sizes that parsers could read in two ways.
#include "http1_vectors.h"

namespace {

using std::string_literals::operator""s;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kOk5 = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";

std::vector<Segment> operator+(std::vector<Segment> first, const std::vector<Segment>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

// A response with the body @segments.
Vector body(std::string name, const std::vector<Segment>& segments) {
    return {std::move(name),
            LIBRA_ROLE_ACTIVE,
            0,
            {request({meta(kGet)}), response(std::vector{meta(kChunked)} + segments)}};
}

// The first chunk's size line is @line, and its data is 5 bytes.
Vector reads(std::string name, const std::string& line) {
    return body(std::move(name), {framing(line + "\r\n"), part("hello"), meta("\r\n0\r\n\r\n")});
}

// The body is one chunk and then @tail, which ends it.
Vector ends(std::string name, const std::string& tail) {
    return body(std::move(name), {framing("5\r\n"), part("hello"), meta("\r\n" + tail)});
}

// The first size line, and what follows, is @text, which is not read.
Vector refuses(std::string name, const std::string& text, http1_event why = HTTP1_PASS_CHUNK) {
    return body(std::move(name), {pass(why, text)});
}

// Behind the first chunk's data comes @text, which is not read.
Vector refuses_behind(std::string name, const std::string& text,
                      http1_event why = HTTP1_PASS_CHUNK) {
    return body(std::move(name), {framing("5\r\n"), part("hello"), pass(why, text)});
}

std::vector<Vector> bodies() {
    const std::string last = "\r\n0\r\n\r\n";
    return {
        body("chunks", {framing("5\r\n"), part("hello"), framing("\r\n1\r\n"), part(" "),
                        framing("\r\n0a\r\n"), part("0123456789"), meta(last)}),
        body("chunks_none", {meta("0\r\n\r\n")}),
        body("chunks_not_all_there", {framing("ff\r\n"), of(255, part("hello"))}),
        body("chunks_size_not_all_there", {framing("5\r\n"), part("hello"), more("\r\n1")}),
        body("chunks_crlf_not_all_there", {framing("5\r\n"), part("hello"), more("\r")}),
        body("chunks_blank_line_not_all_there",
             {framing("5\r\n"), part("hello"), more("\r\n0\r\n")}),
        body("chunks_trailer_not_all_there",
             {framing("5\r\n"), part("hello"), more("\r\n0\r\nA: b\r\n\r")}),
        body("chunk_of_2_to_the_60_less_1",
             {framing("fffffffffffffff\r\n"), of(1152921504606846975, part("hello"))}),
        body("chunk_like_an_end", {framing("7\r\n"), part("\r\n0\r\n\r\n"), meta(last)}),
        body("chunk_like_a_size", {framing("5\r\n"), part("\r\n5\r\n"), meta(last)}),
        body("chunk_like_an_answer", {framing("26\r\n"), part(kOk5), meta(last)}),
        {"chunks_keepalive",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(kGet), meta(kGet), meta("HEAD / HTTP/1.1\r\n\r\n"), meta(kGet)}),
          response({meta(kChunked), framing("5\r\n"), part("hello"), meta(last), meta(kChunked),
                    meta("0\r\n\r\n"), meta(kOk5), meta(kOk5), payload("world")}),
          request({meta(kGet)}),
          response({meta(kChunked), framing("1\r\n"), part("a"), meta(last)})}},
        {"chunks_and_then_no_request",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(kGet)}),
          response({meta(kChunked), meta("0\r\n\r\n"), pass(HTTP1_PASS_UNMATCHED, kOk5)})}},
        {"chunks_requests_go_on_behind_a_bad_one",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(kGet)}),
          response({meta(kChunked), framing("1\r\n"), part("a"), pass(HTTP1_PASS_CHUNK, "\r\nx")}),
          request({meta("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), payload("hello")})}},
        {"chunks_answers_are_matched_behind_a_bad_request",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(kPost), framing("1\r\n"), part("a"), pass(HTTP1_PASS_CHUNK, "\r\nx")}),
          response({meta(kOk5), payload("hello"), pass(HTTP1_PASS_UNMATCHED, kOk5)})}},
    };
}

std::vector<Vector> requests() {
    return {
        {"chunked_request_towards_upstream",
         LIBRA_ROLE_ACTIVE,
         0,
         {request(
              {meta(kPost), framing("5\r\n"), part("hello"), meta("\r\n0\r\n\r\n"), meta(kGet)}),
          response({meta(kOk5), payload("hello"), meta(kOk5), payload("world")})}},
        {"chunked_request_from_client",
         LIBRA_ROLE_PASSIVE,
         0,
         {request({meta(kPost), copied(framing("5\r\n")), copied(part("hello")),
                   copied(framing("\r\n1;a=b\r\n")), copied(part(" ")),
                   meta("\r\n0\r\nA: b\r\n\r\n"), meta(kGet)}),
          response({meta(kOk5), payload("hello"), meta(kOk5), payload("world")})}},
        {"chunked_request_from_client_anchored",
         LIBRA_ROLE_PASSIVE,
         LIBRA_F_ANCHOR_REQUESTS,
         {request(
             {meta(kPost), framing("5\r\n"), part("hello"), meta("\r\n0\r\n\r\n"), meta(kGet)})}},
        {"chunked_request_of_nothing",
         LIBRA_ROLE_PASSIVE,
         0,
         {request({meta(kPost), meta("0\r\n\r\n"), meta(kGet)})}},
        {"chunked_request_answered_early",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta(kPost), framing("5\r\n"), of(5, part("he"))}),
          response({meta(kOk5), payload("hello")})}},
        {"chunked_request_behind_100",
         LIBRA_ROLE_PASSIVE,
         0,
         {request({meta("PUT / HTTP/1.1\r\nExpect: 100-continue\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n")}),
          response({meta("HTTP/1.1 100 Continue\r\n\r\n")}),
          request({copied(framing("2\r\n")), copied(part("ok")), meta("\r\n0\r\n\r\n")}),
          response({meta(kOk5), payload("hello")})}},
    };
}

std::vector<Vector> sizes() {
    const std::string data = "\r\nhello\r\n0\r\n\r\n";
    const auto line_end = HTTP1_PASS_LINE_END;
    return {
        reads("size_leading_zeros", "00005"),
        reads("size_of_15_digits", "000000000000005"),
        reads("size_with_empty_extension", "5;"),
        reads("size_with_extension", "5;a=b;c"),
        reads("size_with_odd_extension", "5; a = \"b;\t\x80\x01 0x7\""),
        reads("size_line_of_4096", "5;" + std::string(4092, 'e')),
        body("size_line_of_4096_behind_data",
             {framing("5\r\n"), part("hello"), framing("\r\n1;" + std::string(4090, 'e') + "\r\n"),
              part("a"), meta("\r\n0\r\n\r\n")}),
        body("size_in_either_case", {framing("Ab\r\n"), of(171, part("hello"))}),
        body("size_of_all_digits",
             {framing("123456789abcDEF\r\n"), of(81985529216486895, part("hello"))}),
        refuses("size_of_16_digits", "0000000000000005" + data),
        refuses("size_overflow", "10000000000000005" + data),
        refuses("size_missing", data),
        refuses("size_missing_before_extension", ";a=b" + data),
        refuses("size_blank_before", " 5" + data),
        refuses("size_tab_before", "\t5" + data),
        refuses("size_blank_behind", "5 " + data),
        refuses("size_blank_before_extension", "5 ;a" + data),
        refuses("size_tab_behind", "5\t" + data),
        refuses("size_prefix", "0x5" + data),
        refuses("size_sign", "+5" + data),
        refuses("size_negative", "-5" + data),
        refuses("size_quoted", "\"5\"" + data),
        refuses("size_with_letter", "5g" + data),
        refuses("size_with_underscore", "5_0" + data),
        refuses("size_with_high_byte", "\xb5" + data),
        refuses("size_with_comma", "5,5" + data),
        refuses("size_below_the_digits", "/5" + data),
        refuses("size_above_the_digits", "5:" + data),
        refuses("size_below_the_letters", "5@" + data),
        refuses("size_below_the_small_letters", "5`" + data),
        refuses("size_nul", "5\0"s + data, HTTP1_PASS_NUL),
        refuses("size_nul_in_extension", "5;\0"s + data, HTTP1_PASS_NUL),
        refuses("size_bare_lf", "5\nhello\r\n0\r\n\r\n", line_end),
        refuses("size_bare_lf_in_extension", "5;a\nx\r\nhello\r\n0\r\n\r\n", line_end),
        refuses("size_bare_cr_in_extension", "5;a\rx\r\nhello\r\n0\r\n\r\n", line_end),
        refuses("size_cr_cr_lf", "5\r\r\nhello\r\n0\r\n\r\n", line_end),
        refuses("size_line_of_4097", "5;" + std::string(4093, 'e') + data),
        refuses("size_line_without_end", "5;" + std::string(4094, 'e')),
        body("size_line_of_4095_without_end", {more("5;" + std::string(4093, 'e'))}),
        refuses_behind("size_line_of_4097_behind_data",
                       "\r\n1;" + std::string(4091, 'e') + "\r\na\r\n0\r\n\r\n"),
    };
}

std::vector<Vector> data_ends() {
    return {
        refuses_behind("data_longer", "x\r\n0\r\n\r\n"),
        refuses_behind("data_longer_by_two", "xx0\r\n\r\n"),
        refuses_behind("data_lf", "\n0\r\n\r\n"),
        refuses_behind("data_lf_lf", "\n\n0\r\n\r\n"),
        refuses_behind("data_cr_only", "\r0\r\n\r\n"),
        refuses_behind("data_without_end", "0\r\n\r\n"),
        refuses_behind("data_blank_line", "\r\n\r\n0\r\n\r\n"),
        refuses_behind("data_header", kOk5),
    };
}

std::vector<Vector> trailers() {
    std::string many;
    for (int i = 0; i < 1023; i++)
        many += "a: b\r\n";
    const std::string name = "0\r\nA: ";
    // With the CRLF before it and the blank line behind it.
    const std::string large = name + std::string(65536 - name.size() - 6, 'x');
    return {
        ends("trailer", "0\r\nA: b\r\n\r\n"),
        ends("trailer_some", "0\r\nA: b\r\nDigest: x:y\r\nUpgrade: z\r\n\r\n"),
        ends("last_chunk_of_some_zeros", "000\r\n\r\n"),
        ends("last_chunk_of_15_zeros", "000000000000000\r\n\r\n"),
        ends("last_chunk_with_extension", "0;a=b\r\n\r\n"),
        ends("trailer_limit_lines", "0\r\n" + many + "\r\n"),
        ends("trailer_limit", large + "\r\n\r\n"),
        body("trailer_without_chunks", {meta("0\r\nA: b\r\n\r\n")}),
        refuses_behind("last_chunk_of_16_zeros", "\r\n0000000000000000\r\n\r\n"),
        refuses_behind("trailer_length", "\r\n0\r\nContent-Length: 5\r\n\r\n"),
        refuses_behind("trailer_coding", "\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        refuses_behind("trailer_folded", "\r\n0\r\nA: b\r\n c\r\n\r\n", HTTP1_PASS_FIELD),
        refuses_behind("trailer_request", "\r\n0\r\nGET / HTTP/1.1\r\n\r\n", HTTP1_PASS_FIELD),
        refuses_behind("trailer_blank_before_colon", "\r\n0\r\nA : b\r\n\r\n", HTTP1_PASS_FIELD),
        refuses_behind("trailer_bare_lf", "\r\n0\r\nA: b\n\r\n", HTTP1_PASS_LINE_END),
        refuses_behind("trailer_bare_cr", "\r\n0\r\nA: b\rc\r\n\r\n", HTTP1_PASS_LINE_END),
        refuses_behind("trailer_nul", "\r\n0\r\nA: \0b\r\n\r\n"s, HTTP1_PASS_NUL),
        refuses_behind("trailer_end_lf", "\r\n0\r\n\n", HTTP1_PASS_LINE_END),
        refuses_behind("trailer_too_many", "\r\n0\r\na: b\r\n" + many + "\r\n",
                       HTTP1_PASS_TOO_LARGE),
        refuses_behind("trailer_too_large", "\r\n" + large + "x\r\n\r\n", HTTP1_PASS_TOO_LARGE),
    };
}

}  // namespace

std::vector<Vector> http1_chunk_vectors() {
    std::vector<Vector> all = bodies();
    for (const auto& more : {requests(), sizes(), data_ends(), trailers()})
        all.insert(all.end(), more.begin(), more.end());
    return all;
}
