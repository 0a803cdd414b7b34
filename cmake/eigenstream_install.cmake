include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# A header-only package has no architecture: it belongs in share/.
set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/eigenstream")

install(TARGETS eigenstream_core EXPORT eigenstream_targets FILE_SET HEADERS COMPONENT development
        FILE_SET doors COMPONENT development)
install(TARGETS eigenstream_model EXPORT eigenstream_model_targets FILE_SET HEADERS COMPONENT development
        FILE_SET doors COMPONENT development)
install(TARGETS eigenstream_png EXPORT eigenstream_png_targets FILE_SET HEADERS COMPONENT development
        FILE_SET doors COMPONENT development)
install(TARGETS eigenstream_mpi EXPORT eigenstream_mpi_targets FILE_SET HEADERS COMPONENT development
        FILE_SET doors COMPONENT development)
install(EXPORT eigenstream_targets NAMESPACE eigenstream:: FILE eigenstream_targets.cmake DESTINATION "${package_dir}"
        COMPONENT development)
install(EXPORT eigenstream_model_targets NAMESPACE eigenstream:: FILE eigenstream_model_targets.cmake
        DESTINATION "${package_dir}" COMPONENT development)
install(EXPORT eigenstream_png_targets NAMESPACE eigenstream:: FILE eigenstream_png_targets.cmake
        DESTINATION "${package_dir}" COMPONENT development)
install(EXPORT eigenstream_mpi_targets NAMESPACE eigenstream:: FILE eigenstream_mpi_targets.cmake
        DESTINATION "${package_dir}" COMPONENT development)

configure_package_config_file(cmake/eigenstreamConfig.cmake.in "${PROJECT_BINARY_DIR}/eigenstreamConfig.cmake"
                              INSTALL_DESTINATION "${package_dir}")
# While the major version is 0, a new minor version may break users.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/eigenstreamConfigVersion.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/eigenstreamConfig.cmake" "${PROJECT_BINARY_DIR}/eigenstreamConfigVersion.cmake"
        DESTINATION "${package_dir}" COMPONENT development)

# The prefix is relative to the .pc file, so that an installed tree can be moved.
set(pkgconfig_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pkgconfig_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
else()
  set(pkgconfig_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
string(REGEX REPLACE "[^/]+" ".." pkgconfig_up "${pkgconfig_dir}")
configure_file(cmake/eigenstream.pc.in "${PROJECT_BINARY_DIR}/eigenstream.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/eigenstream.pc" DESTINATION "${pkgconfig_dir}" COMPONENT development)

# The exporter's files import each other by name: they stay together.
file(GLOB exporter CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/python/*.py")
install(FILES ${exporter} DESTINATION "${CMAKE_INSTALL_DATADIR}/eigenstream/python" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/python/eigenstream" DESTINATION "${CMAKE_INSTALL_DATADIR}/eigenstream/python"
        COMPONENT development FILES_MATCHING PATTERN "*.py" PATTERN "types.json" PATTERN "__pycache__" EXCLUDE)
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/eigenstream" COMPONENT development)
