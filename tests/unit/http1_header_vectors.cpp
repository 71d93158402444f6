// SPDX-License-Identifier: GPL-2.0-only
//
// Vectors about one header: what is strict enough to be read, and what is not
// because parsers differ over it. Most of these are known request-smuggling
// shapes.
#include "http1_vectors.h"

namespace {

using std::string_literals::operator""s;

std::string field_lines(int count) {
    std::string text;
    for (int i = 0; i < count; i++)
        text += "a: b\r\n";
    return text;
}

// A header block of exactly @size bytes around a body length of 2.
std::string header_of(std::size_t size) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: ";
    return head + std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
}

Vector response_vector(std::string name, std::vector<Segment> segments) {
    return {std::move(name),
            LIBRA_ROLE_ACTIVE,
            0,
            {request({meta("GET / HTTP/1.1\r\n\r\n")}), response(std::move(segments))}};
}

Vector request_vector(std::string name, std::vector<Segment> segments) {
    return {std::move(name), LIBRA_ROLE_ACTIVE, 0, {request(std::move(segments))}};
}

// A response is read although @fields look unusual.
Vector reads(std::string name, const std::string& fields) {
    return response_vector(std::move(name),
                           {meta("HTTP/1.1 200 OK\r\n" + fields + "\r\n"), payload("hello")});
}

// A response is not read.
Vector refuses(std::string name, http1_event why, const std::string& fields) {
    return response_vector(std::move(name),
                           {pass(why, "HTTP/1.1 200 OK\r\n" + fields + "\r\nhello")});
}

Vector refuses_status(std::string name, const std::string& line) {
    return response_vector(std::move(name),
                           {pass(HTTP1_PASS_START, line + "\r\nContent-Length: 5\r\n\r\nhello")});
}

Vector refuses_request(std::string name, http1_event why, const std::string& text) {
    return request_vector(std::move(name), {pass(why, text)});
}

std::vector<Vector> lengths() {
    const auto why = HTTP1_PASS_LENGTH;
    return {
        reads("length_lower_case", "content-length: 5\r\n"),
        reads("length_mixed_case", "cOnTeNt-LeNgTh: 5\r\n"),
        reads("length_without_space", "Content-Length:5\r\n"),
        reads("length_among_others", "A: b\r\nContent-Length: 5\r\nDate: x:y:z\r\n"),
        reads("length_beside_lookalikes",
              "Content-Lengths: 9\r\nContent-Lengt: 9\r\nXContent-Length: 9\r\n"
              "Content_Length: 9\r\nContent-Length: 5\r\nTransfer-Encodings: x\r\n"),
        // 'x' is what the parser fills short names up with.
        reads("length_beside_padded_lookalikes",
              "Content-Lengthxx: 9\r\nContent-Length: 5\r\nTransfer-Encodingxxxxxxx: x\r\n"),
        refuses("length_twice", why, "Content-Length: 5\r\nContent-Length: 5\r\n"),
        refuses("length_twice_unequal", why, "Content-Length: 5\r\nContent-Length: 6\r\n"),
        refuses("length_list", why, "Content-Length: 5, 5\r\n"),
        refuses("length_negative", why, "Content-Length: -5\r\n"),
        refuses("length_signed", why, "Content-Length: +5\r\n"),
        refuses("length_hex", why, "Content-Length: 0x5\r\n"),
        refuses("length_octal", why, "Content-Length: 05\r\n"),
        refuses("length_double_zero", why, "Content-Length: 00\r\n"),
        refuses("length_fraction", why, "Content-Length: 5.0\r\n"),
        refuses("length_exponent", why, "Content-Length: 5e0\r\n"),
        refuses("length_with_letters", why, "Content-Length: 5a\r\n"),
        refuses("length_empty", why, "Content-Length:\r\n"),
        refuses("length_blank", why, "Content-Length: \r\n"),
        refuses("length_two_blanks", why, "Content-Length:  5\r\n"),
        refuses("length_tab", why, "Content-Length:\t5\r\n"),
        refuses("length_blank_behind", why, "Content-Length: 5 \r\n"),
        refuses("length_inner_blank", why, "Content-Length: 5 5\r\n"),
        refuses("length_quoted", why, "Content-Length: \"5\"\r\n"),
        refuses("length_nul", HTTP1_PASS_NUL, "Content-Length: 5\0\r\n"s),
        refuses("length_19_digits", why, "Content-Length: 1000000000000000000\r\n"),
        refuses("length_2_to_the_64_plus_5", why, "Content-Length: 18446744073709551621\r\n"),
        refuses("length_folded", why, "Content-Length:\r\n 5\r\n"),
    };
}

std::vector<Vector> codings() {
    const auto why = HTTP1_PASS_CODING;
    const std::string length = "Content-Length: 5\r\n";
    const std::string chunked = "Transfer-Encoding: chunked\r\n";
    const auto takes = [](std::string name, const std::string& fields) {
        return response_vector(std::move(name),
                               {meta("HTTP/1.1 200 OK\r\n" + fields + "\r\n"), framing("5\r\n"),
                                part("hello"), meta("\r\n0\r\n\r\n")});
    };
    const auto refuses_start = [&](std::string name, const std::string& request_line,
                                   const std::string& status_line) {
        return Vector{std::move(name),
                      LIBRA_ROLE_ACTIVE,
                      0,
                      {request({meta(request_line + "\r\n\r\n")}),
                       response({pass(why, status_line + "\r\n" + chunked + "\r\n0\r\n\r\n")})}};
    };
    return {
        takes("coding_lower_case", "transfer-encoding: chunked\r\n"),
        takes("coding_upper_case", "TRANSFER-ENCODING: CHUNKED\r\n"),
        takes("coding_without_space", "Transfer-Encoding:chunked\r\n"),
        takes("coding_among_others", "A: b\r\n" + chunked + "B: Content-Length: 5\r\n"),
        refuses("coding_before_length", why, chunked + length),
        refuses("coding_behind_length", why, length + chunked),
        refuses("coding_twice", why, chunked + chunked),
        refuses("coding_twice_unequal", why, chunked + "Transfer-Encoding: identity\r\n"),
        refuses("coding_gzip_chunked", why, "Transfer-Encoding: gzip, chunked\r\n"),
        refuses("coding_chunked_gzip", why, "Transfer-Encoding: chunked, gzip\r\n"),
        refuses("coding_identity", why, "Transfer-Encoding: identity\r\n"),
        refuses("coding_misspelt", why, "Transfer-Encoding: xchunked\r\n"),
        refuses("coding_cut", why, "Transfer-Encoding: chunke\r\n"),
        refuses("coding_too_long", why, "Transfer-Encoding: chunkedx\r\n"),
        refuses("coding_almost", why, "Transfer-Encoding: chunkec\r\n"),
        refuses("coding_empty", why, "Transfer-Encoding:\r\n"),
        refuses("coding_blank", why, "Transfer-Encoding: \r\n"),
        refuses("coding_two_blanks", why, "Transfer-Encoding:  chunked\r\n"),
        refuses("coding_blank_behind", why, "Transfer-Encoding: chunked \r\n"),
        refuses("coding_tab", why, "Transfer-Encoding:\tchunked\r\n"),
        refuses("coding_with_vertical_tab", why, "Transfer-Encoding:\vchunked\r\n"),
        refuses("coding_quoted", why, "Transfer-Encoding: \"chunked\"\r\n"),
        refuses("coding_with_parameter", why, "Transfer-Encoding: chunked;a=b\r\n"),
        refuses("coding_folded", why, "Transfer-Encoding:\r\n chunked\r\n"),
        refuses("coding_control_for_a_letter", why, "Transfer-Encoding: \x43HUN\x4b\x45\x04\r\n"),
        refuses_start("coding_in_http_1_0", "GET / HTTP/1.1", "HTTP/1.0 200 OK"),
        refuses_start("coding_to_a_head", "HEAD / HTTP/1.1", "HTTP/1.1 200 OK"),
        refuses_start("coding_in_204", "GET / HTTP/1.1", "HTTP/1.1 204 No Content"),
        refuses_start("coding_in_304", "GET / HTTP/1.1", "HTTP/1.1 304 Not Modified"),
        response_vector("coding_in_100", {pass(HTTP1_PASS_LENGTH, "HTTP/1.1 100 Continue\r\n" +
                                                                      chunked + "\r\n0\r\n\r\n")}),
        refuses_request("coding_and_length_in_a_request", why,
                        "POST / HTTP/1.1\r\n" + length + chunked + "\r\n"),
        refuses_request("coding_in_an_http_1_0_request", why,
                        "POST / HTTP/1.0\r\n" + chunked + "\r\n"),
    };
}

std::vector<Vector> fields() {
    const auto why = HTTP1_PASS_FIELD;
    const std::string length = "Content-Length: 5\r\n";
    return {
        reads("field_empty_value", "A:\r\n" + length),
        reads("field_odd_value", "A: \t\x80\xff\x01 ,;:= \r\n" + length),
        reads("field_name_of_64", std::string(64, 'n') + ": b\r\n" + length),
        refuses("field_name_of_65", why, std::string(65, 'n') + ": b\r\n" + length),
        refuses("field_without_colon", why, length + "chunked\r\n"),
        refuses("field_without_name", why, length + ": b\r\n"),
        refuses("field_blank_before_colon", why, length + "Transfer-Encoding : chunked\r\n"),
        refuses("field_tab_before_colon", why, length + "Transfer-Encoding\t: chunked\r\n"),
        refuses("field_blank_in_name", why, length + "Transfer Encoding: chunked\r\n"),
        refuses("field_blank_before_name", why, length + " Transfer-Encoding: chunked\r\n"),
        refuses("field_folded", why, "A: b\r\n c\r\n" + length),
        refuses("field_folded_by_tab", why, length + "\tA: b\r\n"),
        refuses("field_blank_line_with_space", why, length + " \r\n"),
        refuses("field_nul_in_name", HTTP1_PASS_NUL, "A\0: b\r\n"s + length),
        refuses("field_control_in_name", why, length + "\x01Transfer-Encoding: chunked\r\n"),
        refuses("field_delete_in_name", why, length + "A\x7f: b\r\n"),
        refuses("field_high_byte_in_name", why, length + "\xa0Transfer-Encoding: chunked\r\n"),
        refuses("field_nul_in_value", HTTP1_PASS_NUL, "A: b\0c\r\n"s + length),
    };
}

std::vector<Vector> line_ends() {
    const auto why = HTTP1_PASS_LINE_END;
    const std::string length = "Content-Length: 5\r\n";
    return {
        refuses("line_bare_lf", why, "A: b\n" + length),
        refuses("line_bare_lf_hides_coding", why, length + "A: b\nTransfer-Encoding: chunked\r\n"),
        refuses("line_lf_lf", why, length + "A: b\n\nA: b\r\n"),
        refuses("line_lf_crlf", why, length + "A: b\n\r\nA: b\r\n"),
        refuses("line_crlf_lf", why, length + "\nA: b\r\n"),
        refuses("line_cr_cr_lf", why, length + "A: b\r\r\n"),
        refuses("line_bare_cr_in_value", why, length + "A: b\rTransfer-Encoding: chunked\r\n"),
        refuses("line_bare_cr_in_name", why, "A\rB: c\r\n" + length),
        refuses("line_bare_cr_in_length", why, "Content-Length: 5\r6\r\n"),
        response_vector("line_bare_cr_at_status", {pass(why, "HTTP/1.1 200 OK\rA: b\r\n\r\n")}),
        refuses_request("line_bare_lf_at_request", why, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        // RFC 9112, 2.2: a server ignores at least one.
        request_vector("line_crlf_before_request", {meta("\r\n"), meta("GET / HTTP/1.1\r\n\r\n")}),
        request_vector("line_crlfs_before_request",
                       {meta("\r\n"), meta("\r\n"), meta("GET / HTTP/1.1\r\n\r\n")}),
        request_vector("line_cr_of_crlf_before_request", {more("\r")}),
        refuses_request("line_lf_before_request", HTTP1_PASS_START, "\nGET / HTTP/1.1\r\n\r\n"),
        refuses_request("line_cr_before_request", HTTP1_PASS_START, "\rGET / HTTP/1.1\r\n\r\n"),
        refuses_request("line_blank_before_request", HTTP1_PASS_START,
                        " \r\nGET / HTTP/1.1\r\n\r\n"),
        response_vector("line_crlf_before_response",
                        {pass(HTTP1_PASS_START, "\r\nHTTP/1.1 200 OK\r\n\r\n")}),
        {"line_crlf_behind_body",
         LIBRA_ROLE_PASSIVE,
         0,
         {request({meta("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"), copied(payload("a")),
                   meta("\r\n"), meta("\r\n")})}},
        {"line_crlf_between_requests",
         LIBRA_ROLE_PASSIVE,
         0,
         {request({meta("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"), copied(payload("a")),
                   meta("\r\n"), meta("GET / HTTP/1.1\r\n\r\n")}),
          response({meta("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                    meta("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), payload("ok")})}},
        // Behind an Upgrade these may be bytes of another protocol.
        {"line_crlf_behind_upgrade",
         LIBRA_ROLE_PASSIVE,
         0,
         {request({meta("GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n"),
                   pass(HTTP1_PASS_TUNNEL, "\r\nGET / HTTP/1.1\r\n\r\n")})}},
    };
}

std::vector<Vector> start_lines() {
    const auto why = HTTP1_PASS_START;
    const std::string end = "\r\n\r\n";
    return {
        request_vector("start_http_1_0", {meta("GET / HTTP/1.0" + end)}),
        request_vector("start_options_asterisk", {meta("OPTIONS * HTTP/1.1" + end)}),
        request_vector("start_absolute_target", {meta("GET http://a/b?c HTTP/1.1" + end)}),
        request_vector("start_method_of_16", {meta("ABCDEFGHIJKLMNOP / HTTP/1.1" + end)}),
        {"start_method_like_padded_head",
         LIBRA_ROLE_ACTIVE,
         0,
         {request({meta("HEADAAAA / HTTP/1.1" + end), meta("CONNECTA / HTTP/1.1" + end),
                   meta("GET / HTTP/1.1" + end)}),
          response({meta("HTTP/1.1 200 OK\r\nContent-Length: 2" + end), payload("ok")})}},
        request_vector("start_half", {more("GET / HTTP/1.1\r\nHost: a\r\n")}),
        refuses_request("start_method_of_17", why, "ABCDEFGHIJKLMNOPQ / HTTP/1.1" + end),
        refuses_request("start_http_0_9", why, "GET /\r\n"),
        refuses_request("start_http_1_2", why, "GET / HTTP/1.2" + end),
        refuses_request("start_http_2", why, "GET / HTTP/2.0" + end),
        refuses_request("start_http_lower_case", why, "GET / http/1.1" + end),
        refuses_request("start_two_blanks", why, "GET  / HTTP/1.1" + end),
        refuses_request("start_two_blanks_behind", why, "GET /  HTTP/1.1" + end),
        refuses_request("start_blank_at_end", why, "GET / HTTP/1.1 " + end),
        refuses_request("start_blank_in_target", why, "GET /a HTTP/1.1 HTTP/1.1" + end),
        refuses_request("start_tab", why, "GET\t/ HTTP/1.1" + end),
        refuses_request("start_without_target", why, "GET HTTP/1.1" + end),
        refuses_request("start_digit_in_method", why, "GET1 / HTTP/1.1" + end),
        refuses_request("start_lower_case_in_method", why, "GeT / HTTP/1.1" + end),
        refuses_request("start_nul_in_target", HTTP1_PASS_NUL, "GET /\0 HTTP/1.1\r\n\r\n"s),
        refuses_request("start_tls_data", why, "\x17\x03\x03\x02"),
        refuses_status("status_http_0_9", "HTTP/0.9 200 OK"),
        refuses_status("status_http_2", "HTTP/2 200"),
        refuses_status("status_http_lower_case", "http/1.1 200 OK"),
        refuses_status("status_icy", "ICY 200 OK"),
        refuses_status("status_of_2_digits", "HTTP/1.1 20"),
        refuses_status("status_of_4_digits", "HTTP/1.1 2000 OK"),
        refuses_status("status_below_100", "HTTP/1.1 099 OK"),
        refuses_status("status_600", "HTTP/1.1 600 OK"),
        refuses_status("status_two_blanks", "HTTP/1.1  200 OK"),
        refuses_status("status_tab", "HTTP/1.1 200\tOK"),
        refuses_status("status_letters", "HTTP/1.1 2x0 OK"),
        refuses_status("status_cut", "HTTP/1.1"),
    };
}

std::vector<Vector> limits() {
    const auto why = HTTP1_PASS_TOO_LARGE;
    const std::string too_long = header_of(65537);
    return {
        response_vector("limit_header", {meta(header_of(65536)), payload("ok")}),
        response_vector("limit_header_exceeded", {pass(why, too_long + "ok")}),
        request_vector("limit_endless_line", {pass(why, std::string(65536, 'A'))}),
        request_vector("limit_endless_line_not_yet", {more(std::string(65535, 'A'))}),
        // 1024 lines with the start line, but without the blank one.
        reads("limit_lines", field_lines(1022) + "Content-Length: 5\r\n"),
        refuses("limit_lines_exceeded", why, field_lines(1023) + "Content-Length: 5\r\n"),
        refuses("limit_lines_exceeded_by_far", why, field_lines(2000)),
    };
}

}  // namespace

std::vector<Vector> http1_header_vectors() {
    std::vector<Vector> all;
    for (const auto& more : {lengths(), codings(), fields(), line_ends(), start_lines(), limits()})
        all.insert(all.end(), more.begin(), more.end());
    return all;
}
