// SPDX-License-Identifier: GPL-2.0-only
// TCP sockets on 127.0.0.1 that do not block.
#pragma once

#include <cstdint>
#include <string>

#include "common/fd.h"

namespace libra::test {

Fd listen_on(std::uint16_t port);                       // all of these throw Error
Fd connect_to(std::uint16_t port);                      // established when it returns
Fd accept_from(const Fd& listener);                     // waits for one
void set_buffers(const Fd& fd, int send, int receive);  // bytes; 0: as it is
void reset_on_close(const Fd& fd);
// From now on the kernel encrypts what is sent from the one to the other, TLS 1.3 with keys
// that everybody knows.
void encrypt(const Fd& from, const Fd& to);
// One end of such a connection: TLS_TX or TLS_RX. False if it has ended already.
bool use_ktls(const Fd& fd, int direction);
int pending_error(const Fd& fd);  // SO_ERROR
// Sends a little, and waits until it is there.
void say(const Fd& from, const Fd& to, const std::string& text);

}  // namespace libra::test
