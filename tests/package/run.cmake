# cmake -DHOW=<way> ... -P run.cmake: builds and runs main.cpp as a user of the package would.
# Needs SOURCE (our source tree), PREFIX (where the package was installed), WORK (scratch), CXX, LAUNCHER, GENERATOR,
# EIGEN_DIR and VERSION.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${LAUNCHER}")
set(program "${WORK}/consumer")

foreach(file eigenstream_export.py eigenstream/__init__.py eigenstream/types.json eigenstream/calls/__init__.py)
  if(NOT EXISTS "${PREFIX}/share/eigenstream/python/${file}")
    message(FATAL_ERROR "the exporter's ${file} is not installed")
  endif()
endforeach()

if(HOW STREQUAL "pkg_config")
  set(ENV{PKG_CONFIG_PATH} "${PREFIX}/share/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  execute_process(COMMAND "${PKG_CONFIG}" --cflags --libs eigenstream OUTPUT_VARIABLE flags
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${PKG_CONFIG}" --modversion eigenstream OUTPUT_VARIABLE found
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  if(NOT found STREQUAL VERSION)
    message(FATAL_ERROR "eigenstream.pc gives version ${found}, version.hpp ${VERSION}")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  run(${LAUNCHER} "${CXX}" -std=c++20 "${CMAKE_CURRENT_LIST_DIR}/main.cpp" ${flags} -o "${program}")
else()
  run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/${HOW}" -B "${WORK}" -G "${GENERATOR}"
      "-DCMAKE_CXX_COMPILER=${CXX}" "-DEigen3_DIR=${EIGEN_DIR}"
      "-DCMAKE_PREFIX_PATH=${PREFIX}" "-DEIGENSTREAM_SOURCE=${SOURCE}" "-DEXPECTED_VERSION=${VERSION}" --no-warn-unused-cli)
  run("${CMAKE_COMMAND}" --build "${WORK}")
endif()
run("${program}")
