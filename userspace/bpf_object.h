// SPDX-License-Identifier: GPL-2.0-only
// libbpf objects and links with owners, and libbpf's log turned into one line.
#pragma once

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.h"

namespace libra {

struct BpfLinkDeleter {
    void operator()(bpf_link* link) const { bpf_link__destroy(link); }
};
using BpfLink = std::unique_ptr<bpf_link, BpfLinkDeleter>;

// The id of the map of the struct_ops that it is of; 0: it was detached.
Result<std::uint32_t> struct_ops_id(const bpf_link& link);

// Call once: libbpf's messages go to the log, at debug level.
void capture_libbpf_log();

// What in a libbpf log tells the cause: the verifier's last word on a refused
// program, else the first complaint.
std::string log_summary(std::string_view log);

class BpfObject {
  public:
    // Opens an object of librad's own and loads it into the kernel. @pinned: maps, and the files in
    // a BPF file system as which they outlive the object; one that is there is used.
    using PinnedMaps = std::vector<std::pair<std::string, std::string>>;
    static Result<BpfObject> load(const std::string& name, std::span<const std::byte> elf,
                                  const PinnedMaps& pinned = {});
    // The same with one that may come from elsewhere: it may hold one struct_ops, and no
    // programs but those for it.
    static Result<BpfObject> load_parser(const std::string& name, std::span<const std::byte> elf);

    Result<BpfLink> attach_struct_ops();
    // Puts this object's struct_ops in the place of the one that the link is of.
    Status replace_struct_ops(const bpf_link& link);
    // Of its map, once it is loaded: no two have the same while both are there.
    Result<std::uint32_t> struct_ops_id() const;
    Result<BpfLink> attach_program(const char* program);
    // Runs an iterator over all there is.
    Status iterate(const char* program);
    Result<int> map_fd(const char* map) const;  // stays the object's

  private:
    struct Deleter {
        void operator()(bpf_object* object) const { bpf_object__close(object); }
    };
    using Handle = std::unique_ptr<bpf_object, Deleter>;

    BpfObject(std::string name, Handle handle)
        : name_(std::move(name)), handle_(std::move(handle)) {}

    static Result<BpfObject> open(const std::string& name, std::span<const std::byte> elf);
    Status check_is_parser() const;
    Result<bpf_map*> struct_ops() const;
    Result<bpf_program*> find(const char* program) const;

    std::string name_;
    Handle handle_;
};

}  // namespace libra
