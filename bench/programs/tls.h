// SPDX-License-Identifier: GPL-2.0-only
// TLS in user space, as a client: for proxies that encrypt what they forward. Certificates are
// not checked, because both ends are ours.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <memory>

#include "net.h"

namespace libra::bench {

class TlsContext {
  public:
    TlsContext();  // throws Error
    SSL_CTX* get() const { return context_.get(); }

  private:
    struct Free {
        void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    };
    std::unique_ptr<SSL_CTX, Free> context_;
};

// One connection. receive() and send() say what recv() and send() would, with errno; either may
// go on with the handshake first.
class Tls {
  public:
    Tls(const TlsContext& context, const Fd& fd);  // throws Error; `fd` outlives it

    ssize_t receive(char* to, std::size_t count);
    ssize_t send(const char* from, std::size_t count);
    // Whether the last EAGAIN of send() was for want of room, and not of the peer's handshake.
    bool wants_room() const { return wants_room_; }
    // Decrypted bytes, of which no poll tells.
    bool pending() const { return ::SSL_pending(ssl_.get()) > 0; }

  private:
    ssize_t outcome(int result);

    struct Free {
        void operator()(SSL* ssl) const { ::SSL_free(ssl); }
    };
    std::unique_ptr<SSL, Free> ssl_;
    bool wants_room_ = false;
};

}  // namespace libra::bench
