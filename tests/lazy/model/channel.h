// SPDX-License-Identifier: GPL-2.0-only
// A stream of which this process has both ends, and the bytes that are in it: what is
// received is compared with what was sent, however long ago and whatever happened to the
// memory that it was sent from.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <string>
#include <vector>

#include "common/random.h"
#include "link.h"
#include "ring.h"

namespace libra::test {

class Channel {
  public:
    enum class Kind { kTcp4, kTcp6, kUnix, kPipe, kFile };

    explicit Channel(Kind kind);

    const char* name() const;
    bool is_tcp() const { return kind_ == Kind::kTcp4 || kind_ == Kind::kTcp6; }
    std::size_t inside() const { return bytes_.size() - taken_; }
    std::size_t room() const;

    // From these pieces, of which the bytes are known.
    void put(std::vector<iovec> from, const std::string& bytes, Random& random);
    void put(const std::string& bytes, Random& random);
    // TCP: the very pages, which may not change until they are read.
    void put_pages(iovec from, const std::string& bytes);
    // TCP: by io_uring, with these flags of a request.
    void put(iovec from, const std::string& bytes, Ring& ring, unsigned flags);
    std::string get(iovec to, Ring& ring, unsigned flags);
    // Into these pieces, which take no more than is inside; what they must have got.
    std::string get(std::vector<iovec> to, Random& random);
    // Compares as many bytes.
    void drain(std::size_t size, Random& random);
    // TCP: a look at the next bytes; bytes that nobody wants; memory that cannot be written.
    std::string peek(iovec to);
    void drop(std::size_t size);
    void require_refused(iovec to);

  private:
    void arrived();
    std::string front(std::size_t size);

    Kind kind_;
    Fd in_;
    Fd out_;
    std::string bytes_;
    std::size_t taken_ = 0;
};

}  // namespace libra::test
