// SPDX-License-Identifier: GPL-2.0-only
// Decodes a gzip body as it arrives.
#pragma once

#include <zlib.h>

#include <memory>
#include <string_view>

#include "body_check.h"

namespace libra::test {

class Gunzip {
  public:
    void restart();

    // What these bytes decode to goes to the check. False: they are not gzip, or
    // something follows its end.
    bool feed(std::string_view bytes, BodyCheck& body);

    // Whether its end has been seen, checksum included.
    bool done() const { return done_; }

  private:
    struct End {
        void operator()(z_stream* stream) const;
    };

    std::unique_ptr<z_stream, End> stream_;  // made when first needed
    bool done_ = false;
};

}  // namespace libra::test
