// SPDX-License-Identifier: GPL-2.0-only
#include "gunzip.h"

#include <array>
#include <stdexcept>

namespace libra::test {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;

}  // namespace

void Gunzip::End::operator()(z_stream* stream) const {
    ::inflateEnd(stream);
    delete stream;
}

void Gunzip::restart() {
    done_ = false;
    if (stream_) {
        ::inflateReset(stream_.get());
        return;
    }
    auto stream = std::make_unique<z_stream>();
    if (::inflateInit2(stream.get(), kGzipOnly) != Z_OK)
        throw std::runtime_error("zlib: inflateInit2() failed");
    stream_.reset(stream.release());
}

bool Gunzip::feed(std::string_view bytes, BodyCheck& body) {
    std::array<char, 64 * 1024> decoded;

    // zlib only reads it.
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_->avail_in = static_cast<uInt>(bytes.size());
    do {
        if (done_)
            return stream_->avail_in == 0;
        stream_->next_out = reinterpret_cast<Bytef*>(decoded.data());
        stream_->avail_out = decoded.size();
        const int result = ::inflate(stream_.get(), Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return false;
        done_ = result == Z_STREAM_END;
        body.feed({decoded.data(), decoded.size() - stream_->avail_out});
    } while (stream_->avail_in > 0 || stream_->avail_out == 0);
    return true;
}

}  // namespace libra::test
