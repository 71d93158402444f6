# SPDX-License-Identifier: GPL-2.0-only
#
# What it takes to build a parser without this tree: the headers, the vmlinux.h and the libbpf
# headers that our own were built with (a distribution's may be too old for either), and the
# rules, for CMake and for pkg-config. All of it is the component libra-dev.
include(CMakePackageConfigHelpers)

set(rules ${CMAKE_CURRENT_SOURCE_DIR}/cmake)
set(made ${CMAKE_CURRENT_BINARY_DIR}/dev)
set(config_dir ${CMAKE_INSTALL_DATADIR}/cmake/Libra)
configure_package_config_file(${rules}/LibraConfig.cmake.in ${made}/LibraConfig.cmake
    INSTALL_DESTINATION ${config_dir} PATH_VARS CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${made}/LibraConfigVersion.cmake COMPATIBILITY SameMinorVersion)
list(JOIN LIBRA_BPF_FLAGS " " LIBRA_PARSER_FLAGS)
configure_file(${rules}/libra.pc.in ${made}/libra.pc @ONLY)

install(FILES ${made}/LibraConfig.cmake ${made}/LibraConfigVersion.cmake ${rules}/LibraCompile.cmake
    COMPONENT libra-dev DESTINATION ${config_dir})
install(FILES ${made}/libra.pc COMPONENT libra-dev DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
install(FILES
        ${PROJECT_SOURCE_DIR}/kernel-patches/new/include/uapi/linux/libra.h
        ${PROJECT_SOURCE_DIR}/kernel-patches/new/include/uapi/linux/libra_memory.h
    COMPONENT libra-dev DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/linux)
install(FILES
        libra_bpf.h parser.h tls_record.h ${LIBRA_VMLINUX_H}
    COMPONENT libra-dev DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/libra)
foreach(name bpf_core_read bpf_endian bpf_helper_defs bpf_helpers bpf_tracing)
    install(FILES ${LIBRA_KTOOLS}/include/bpf/${name}.h
        COMPONENT libra-dev DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/libra/bpf)
endforeach()
