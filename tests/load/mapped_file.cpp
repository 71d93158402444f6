// SPDX-License-Identifier: GPL-2.0-only
#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/fd.h"

namespace libra::load {

using test::Error;
using test::Fd;

MappedFile::MappedFile(const std::string& path) {
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file)
        throw Error::from_errno("cannot open the reference file " + path);

    struct stat info = {};
    if (::fstat(file.get(), &info) != 0)
        throw Error::from_errno("cannot stat " + path);
    if (!S_ISREG(info.st_mode))
        throw Error(path + " is not a regular file");
    size_ = static_cast<std::size_t>(info.st_size);
    if (size_ == 0)
        return;  // mmap refuses an empty file

    // Populated at once, so that page faults do not count as latency.
    void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file.get(), 0);
    if (mapping == MAP_FAILED)
        throw Error::from_errno("cannot map " + path);
    address_ = mapping;
}

MappedFile::~MappedFile() {
    if (address_ != nullptr)
        ::munmap(address_, size_);
}

}  // namespace libra::load
