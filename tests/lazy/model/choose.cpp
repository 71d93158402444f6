// SPDX-License-Identifier: GPL-2.0-only
// The model: where the next operation takes place.
#include <algorithm>

#include "pattern.h"
#include "walker.h"

namespace libra::test {
namespace {

constexpr std::size_t up(std::size_t at) {
    return (at + kPage - 1) / kPage * kPage;
}

constexpr std::size_t down(std::size_t at) {
    return at / kPage * kPage;
}

}  // namespace

std::size_t Walker::Choice::size() const {
    std::size_t sum = 0;
    for (const Range& range : ranges)
        sum += range.size;
    return sum;
}

std::vector<iovec> Walker::Choice::pieces() const {
    std::vector<iovec> out;
    for (const Range& range : ranges)
        out.push_back({range.lot->at(range.at), range.size});
    return out;
}

std::string Walker::Choice::bytes() const {
    std::string out;
    for (const Range& range : ranges)
        out.append(range.lot->model(range.at), range.size);
    return out;
}

void Walker::Choice::set(const std::string& bytes) const {
    std::size_t at = 0;
    for (const Range& range : ranges)
        at += bytes.copy(range.lot->model(range.at), range.size, at);
}

void Walker::Choice::limit(std::size_t most) {
    for (Range& range : ranges) {
        range.size = std::min(range.size, most);
        most -= range.size;
    }
    std::erase_if(ranges, [](const Range& range) { return range.size == 0; });
}

const Region& Walker::any_region() {
    const std::size_t way = random_.below(8);
    if (way == 0 || (own_.empty() && parts_.empty()))
        return ordinary_region_;
    if ((way < 4 && !parts_.empty()) || own_.empty())
        return parts_[random_.below(parts_.size())];
    return own_[random_.below(own_.size())];
}

Range Walker::part_of(const Region& region) {
    std::size_t size = 0;
    switch (random_.below(8)) {
        case 0:
            size = random_.between(1, 200);
            break;
        case 1:
            size = random_.between(1, kPage);
            break;
        case 2:
            size = random_.between(1, 20 * kPage);
            break;
        case 3:
        case 4:
            size = random_.between(1, 8) * kPage;
            break;
        default:
            size = random_.between(1, 6 * kPage);
    }
    size = std::min(size, region.size());
    std::size_t at = region.begin + random_.below(region.size() - size + 1);
    if (random_.one_in(3) && down(at) >= region.begin)
        at = down(at);
    return {.lot = region.lot, .at = at, .size = size};
}

Walker::Choice Walker::choose(const char* what, std::size_t count) {
    Choice out;
    while (count-- > 0) {
        // One of them at most: who has two of them could wait for who has them as well.
        if (!child_ && !out.lock.owns_lock() && random_.one_in(8) && !world_.commons.empty()) {
            auto common = world_.commons.begin();
            std::advance(common, random_.below(world_.commons.size()));
            out.lock = std::unique_lock(common->mutex);
            out.ranges.push_back(part_of(common->region));
        } else {
            out.ranges.push_back(part_of(any_region()));
        }
        journal_.note(what, out.ranges.back());
    }
    return out;
}

Range Walker::some_pages(const char* what, const Region& region, std::size_t most) {
    Range out = {.lot = region.lot, .at = 0, .size = 0};
    const std::size_t begin = up(region.begin);
    const std::size_t end = down(region.end);
    if (begin >= end)
        return out;
    const std::size_t pages = (end - begin) / kPage;
    const std::size_t count = random_.between(1, std::min(pages, most));
    out.at = begin + random_.below(pages - count + 1) * kPage;
    out.size = count * kPage;
    journal_.note(what, out);
    return out;
}

Range Walker::some_pages_of_mine(const char* what, std::size_t most) {
    if (own_.empty())
        return {.lot = nullptr, .at = 0, .size = 0};
    return some_pages(what, own_[random_.below(own_.size())], most);
}

Range Walker::some_pages_of_any(const char* what, std::size_t most) {
    return some_pages(what, any_region(), most);
}

void Walker::carve(const Range& hole) {
    std::vector<Region> left;
    const std::size_t end = hole.at + hole.size;
    for (const Region& region : own_) {
        if (region.lot != hole.lot || region.end <= hole.at || region.begin >= end) {
            left.push_back(region);
            continue;
        }
        if (region.begin < hole.at)
            left.push_back({region.lot, region.begin, hole.at, true});
        if (region.end > end)
            left.push_back({region.lot, end, region.end, true});
    }
    own_ = std::move(left);
}

std::string Walker::fresh(std::size_t size) {
    return pattern(size, random_.next());
}

}  // namespace libra::test
