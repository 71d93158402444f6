// SPDX-License-Identifier: GPL-2.0-only
#include "lot.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "common/fd.h"
#include "frame.h"

namespace libra::test {
namespace {

// Addresses behind each lot that are kept free for it to grow.
constexpr std::size_t kSpare = 16;
constexpr std::size_t kMegabyte = (1 << 20) / kPage;

int device() {
    static const int fd = open_device();
    require_call(fd >= 0, "/dev/libra");
    return fd;
}

void reserve(char* from, std::size_t size) {
    require_call(::mmap(from, size, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (from ? MAP_FIXED : 0), -1,
                        0) != MAP_FAILED,
                 "addresses");
}

void map_private(char* at, std::size_t size) {
    require_call(::mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                        -1, 0) != MAP_FAILED,
                 "mmap");
}

}  // namespace

Lot::Lot(int number, std::size_t pages, std::size_t before_edge, Kind kind)
    : number_(number),
      most_(pages + kSpare),
      kind_(kind == Kind::kPayload && !setting().plain ? Page::kPayload : Page::kOrdinary),
      pages_(pages, kind_),
      model_(most_ * kPage) {
    void* memory = ::mmap(nullptr, most_ * kPage, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require_call(memory != MAP_FAILED, "addresses");
    memory_ = static_cast<char*>(memory);
    if (kind_ == Page::kOrdinary) {
        map_private(memory_, size());
        return;
    }
    const std::size_t first = kMegabyte - std::min(before_edge, kMegabyte);
    const Fd fd(new_arena(device(), (first + pages) * kPage));
    require_call(static_cast<bool>(fd), "LIBRA_IOC_ARENA");
    require_call(::mmap(memory_, size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd.get(),
                        static_cast<off_t>(first * kPage)) != MAP_FAILED,
                 "mmap of an arena");
}

Lot::~Lot() {
    // What is gone may be somebody else's by now.
    for_runs(0, size(), [this](std::size_t at, std::size_t size, Page page) {
        if (page != Page::kGone)
            ::munmap(memory_ + at, size);
    });
    if (most_ * kPage > size())
        ::munmap(memory_ + size(), most_ * kPage - size());
}

template <typename Action>
void Lot::for_runs(std::size_t at, std::size_t size, Action action) const {
    const std::size_t end = (at + size) / kPage;
    for (std::size_t page = at / kPage, next; page < end; page = next) {
        for (next = page + 1; next < end && pages_[next] == pages_[page];)
            ++next;
        action(page * kPage, (next - page) * kPage, pages_[page]);
    }
}

void Lot::set(std::size_t at, std::size_t size, Page page) {
    std::fill_n(pages_.begin() + static_cast<std::ptrdiff_t>(at / kPage), size / kPage, page);
    std::memset(model(at), 0, size);
}

void Lot::require(std::size_t at, std::size_t size, const std::string& what) {
    if (std::memcmp(memory_ + at, model(at), size) == 0)
        return;
    std::size_t wrong = at;
    while (wrong < at + size && memory_[wrong] == model_[wrong])
        ++wrong;
    std::ostringstream text;
    text << what << ": lot " << number_ << ", ";
    if (wrong == at + size) {
        text << "a byte of " << at << " to " << at + size << " was wrong, and is right now";
        throw Failed(text.str());
    }
    std::size_t right = wrong;
    while (right < at + size && memory_[right] != model_[right])
        ++right;
    text << "byte " << wrong << " (page " << wrong / kPage << ", +" << wrong % kPage << ") is 0x"
         << std::hex << (memory_[wrong] & 0xff) << ", expected 0x" << (model_[wrong] & 0xff)
         << std::dec << "; " << right - wrong << " wrong bytes in a row";
    throw Failed(text.str());
}

void Lot::discard(std::size_t at, std::size_t size) {
    for_runs(at, size, [this](std::size_t from, std::size_t bytes, Page page) {
        if (page == Page::kPayload)
            require_call(discard_range(device(), reinterpret_cast<std::uint64_t>(memory_ + from),
                                       bytes) == 0,
                         "LIBRA_IOC_DISCARD");
        else
            require_call(::madvise(memory_ + from, bytes, MADV_DONTNEED_LOCKED) == 0,
                         "MADV_DONTNEED_LOCKED");
    });
    std::memset(model(at), 0, size);
}

void Lot::replace(std::size_t at, std::size_t size) {
    map_private(memory_ + at, size);
    set(at, size, Page::kOrdinary);
}

void Lot::unmap(std::size_t at, std::size_t size) {
    require_call(::munmap(memory_ + at, size) == 0, "munmap");
    set(at, size, Page::kGone);
}

void Lot::forget(std::size_t at, std::size_t size) {
    set(at, size, Page::kGone);
}

void Lot::shrink(std::size_t pages) {
    const std::size_t from = size() - pages * kPage;
    require_call(
        ::mremap(memory_ + from - kPage, (pages + 1) * kPage, kPage, 0) == memory_ + from - kPage,
        "mremap, shrinking");
    reserve(memory_ + from, pages * kPage);
    set(from, pages * kPage, Page::kGone);
    pages_.resize(pages_.size() - pages);
}

bool Lot::may_grow(std::size_t pages) const {
    return pages_.size() + pages <= most_ && pages_.back() != Page::kGone;
}

bool Lot::is_payload(std::size_t at, std::size_t size) const {
    for (std::size_t page = at / kPage; page <= (at + size - 1) / kPage; ++page)
        if (pages_[page] != Page::kPayload)
            return false;
    return true;
}

bool Lot::grow(std::size_t pages) {
    const std::size_t from = size();
    require_call(::munmap(memory_ + from, pages * kPage) == 0, "munmap");
    // One page, so that it is of one mapping, whatever the pages before it are.
    if (::mremap(memory_ + from - kPage, kPage, (pages + 1) * kPage, 0) != memory_ + from - kPage) {
        // Somebody mapped something there: these addresses are gone.
        most_ = pages_.size();
        return false;
    }
    pages_.insert(pages_.end(), pages, pages_.back());
    std::memset(model(from), 0, pages * kPage);
    return true;
}

}  // namespace libra::test
