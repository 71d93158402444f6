// SPDX-License-Identifier: GPL-2.0-only
#include "tls.h"

#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace libra::bench {
namespace {

int clamp(std::size_t count) {
    return static_cast<int>(std::min<std::size_t>(count, INT_MAX));
}

}  // namespace

TlsContext::TlsContext() : context_(::SSL_CTX_new(::TLS_client_method())) {
    if (!context_)
        throw Error("OpenSSL: no context to be had");
    ::SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
    ::SSL_CTX_set_mode(context_.get(),
                       SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

Tls::Tls(const TlsContext& context, const Fd& fd) : ssl_(::SSL_new(context.get())) {
    if (!ssl_ || ::SSL_set_fd(ssl_.get(), fd.get()) != 1)
        throw Error("OpenSSL: no connection to be had");
    ::SSL_set_connect_state(ssl_.get());
}

ssize_t Tls::receive(char* to, std::size_t count) {
    ::ERR_clear_error();
    return outcome(::SSL_read(ssl_.get(), to, clamp(count)));
}

ssize_t Tls::send(const char* from, std::size_t count) {
    ::ERR_clear_error();
    return outcome(::SSL_write(ssl_.get(), from, clamp(count)));
}

ssize_t Tls::outcome(int result) {
    if (result > 0)
        return result;
    const int kept = errno;
    const int error = ::SSL_get_error(ssl_.get(), result);
    wants_room_ = error == SSL_ERROR_WANT_WRITE;
    switch (error) {
        case SSL_ERROR_ZERO_RETURN:
            return 0;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            errno = EAGAIN;
            return -1;
        case SSL_ERROR_SYSCALL:
            errno = kept != 0 ? kept : EPROTO;
            return -1;
        default:
            errno = EPROTO;
            return -1;
    }
}

}  // namespace libra::bench
