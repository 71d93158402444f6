// SPDX-License-Identifier: GPL-2.0-only
//
// bpf_load OBJECT...: shows BPF objects to the running kernel's verifier, and drops them
// again; nothing of them is attached. Its exit status is 0 when all were taken.
#include <bpf/libbpf.h>

#include <cstdio>
#include <cstring>
#include <memory>

int main(int argc, char** argv) {
    int status = argc > 1 ? 0 : 2;
    for (int i = 1; i < argc; i++) {
        const std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object(
            bpf_object__open_file(argv[i], nullptr), bpf_object__close);
        const int error = object ? bpf_object__load(object.get()) : -errno;
        if (error) {
            std::fprintf(stderr, "bpf_load: %s: %s\n", argv[i], std::strerror(-error));
            status = 1;
        }
    }
    return status;
}
