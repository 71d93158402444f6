# SPDX-License-Identifier: GPL-2.0-only
#
# libra_bpf_object(NAME): NAME.bpf.c of the current folder becomes
# NAME.bpf.o and the skeleton NAME.skel.h (struct NAME_bpf) in the current build
# folder. Linking libra_bpf_NAME gives a C++ target that skeleton, libbpf, and
# the headers shared with BPF.
#
# Needs LIBRA_KTOOLS and LIBRA_VMLINUX, see the top CMakeLists.txt.

include(LibraCompile)

set(LIBRA_BPFTOOL ${LIBRA_KTOOLS}/bin/bpftool)
set(LIBRA_VMLINUX_H ${CMAKE_BINARY_DIR}/bpf/vmlinux.h)

if(NOT TARGET libra_vmlinux_h)  # once, however many folders include this
    # Through a temporary file: a dump that failed must not look like a header.
    add_custom_command(
        OUTPUT ${LIBRA_VMLINUX_H}
        COMMAND ${LIBRA_BPFTOOL} btf dump file ${LIBRA_VMLINUX} format c > ${LIBRA_VMLINUX_H}.tmp
        COMMAND ${CMAKE_COMMAND} -E rename ${LIBRA_VMLINUX_H}.tmp ${LIBRA_VMLINUX_H}
        DEPENDS ${LIBRA_VMLINUX} ${LIBRA_BPFTOOL}
        COMMENT "Generating vmlinux.h"
        VERBATIM)
    add_custom_target(libra_vmlinux_h DEPENDS ${LIBRA_VMLINUX_H})
endif()

# libra_bpf_compile(CLANG SOURCE OBJECT): with the headers of this tree.
function(libra_bpf_compile clang source object)
    libra_bpf_command(${clang} ${source} ${object}
        FLAGS
            -I${CMAKE_BINARY_DIR}/bpf
            -I${PROJECT_SOURCE_DIR}/kernel-patches/new/include/uapi
            -isystem ${LIBRA_KTOOLS}/include
        DEPENDS ${LIBRA_VMLINUX_H} libra_vmlinux_h)
endfunction()

function(libra_bpf_object name)
    set(source ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/${name})

    libra_bpf_compile(${LIBRA_CLANG_PATH} ${source} ${out}.bpf.raw.o)

    # "gen object" drops the DWARF, so that the skeleton embeds code and BTF only.
    add_custom_command(
        OUTPUT ${out}.bpf.o ${out}.skel.h
        COMMAND ${LIBRA_BPFTOOL} gen object ${out}.bpf.o ${out}.bpf.raw.o
        COMMAND ${LIBRA_BPFTOOL} gen skeleton ${out}.bpf.o name ${name}_bpf > ${out}.skel.h.tmp
        COMMAND ${CMAKE_COMMAND} -E rename ${out}.skel.h.tmp ${out}.skel.h
        DEPENDS ${out}.bpf.raw.o ${LIBRA_BPFTOOL}
        COMMENT "Generating ${name}.skel.h"
        VERBATIM)
    add_custom_target(libra_bpf_${name}_object ALL DEPENDS ${out}.bpf.o ${out}.skel.h)

    add_library(libra_bpf_${name} INTERFACE)
    add_dependencies(libra_bpf_${name} libra_bpf_${name}_object)
    target_include_directories(libra_bpf_${name} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
    target_link_libraries(libra_bpf_${name} INTERFACE libra_libbpf libra_uapi)
endfunction()
