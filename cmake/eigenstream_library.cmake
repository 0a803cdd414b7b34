# What users link to. The targets carry include paths, a C++ standard and dependencies: no flags.
#   eigenstream::eigenstream  needs Eigen only
#   eigenstream::model        adds the headers that read model files, and with them nlohmann-json
#   eigenstream::png          adds the headers that write PNG files, and with them libpng
#   eigenstream::mpi          adds the header that lets processes learn together, and with it MPI
#   eigenstream::compiled     with EIGENSTREAM_BUILD_COMPILED: a library of what is large and no template, for programs that
#                             load model files: they compile in a fraction of the time, and need no nlohmann-json. Build it
#                             and them for the same processor; otherwise they do not link. With
#                             EIGENSTREAM_SIMD_CHOICE, build both for a plain one: the library holds its functions
#                             for AVX2 and AVX-512, too, and takes what the processor has

if(NOT TARGET Eigen3::Eigen)
  find_package(Eigen3 REQUIRED NO_MODULE)
  if(Eigen3_VERSION VERSION_LESS 3.4)
    message(FATAL_ERROR "eigenstream needs Eigen 3.4 or newer, found ${Eigen3_VERSION} in ${Eigen3_DIR}")
  endif()
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  find_package(nlohmann_json 3.9 QUIET)
endif()
if(NOT TARGET PNG::PNG)
  find_package(PNG 1.6 QUIET)
endif()

if(NOT TARGET MPI::MPI_CXX)
  set(MPI_CXX_SKIP_MPICXX ON)  # the C interface only
  find_package(MPI QUIET COMPONENTS CXX)
endif()

# A header belongs to eigenstream::model if it includes nlohmann-json, directly or through another of our headers; to
# eigenstream::png and eigenstream::mpi likewise if it includes png.h or mpi.h.
file(GLOB_RECURSE all_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/*.hpp")
set(core_headers ${all_headers})
# move_headers(<list> <pattern>): from core_headers to the list, those that include what the pattern matches.
function(move_headers list includes)
  set(moved)
  while(includes)
    list(JOIN includes "|" pattern)
    set(includes)
    foreach(header IN LISTS core_headers)
      file(STRINGS "${header}" found REGEX "^ *# *include +\"?(${pattern})" LIMIT_COUNT 1)
      if(found)
        list(REMOVE_ITEM core_headers "${header}")
        list(APPEND moved "${header}")
        file(RELATIVE_PATH include_name "${PROJECT_SOURCE_DIR}/include" "${header}")
        list(APPEND includes "${include_name}")
      endif()
    endforeach()
  endwhile()
  set(${list} ${moved} PARENT_SCOPE)
  set(core_headers ${core_headers} PARENT_SCOPE)
endfunction()
# Those that include Eigen. To compile each of them by itself takes mostly the time to read Eigen, and shows no less when that
# is precompiled: eigenstream_private.cmake does.
move_headers(eigen_headers "<(unsupported/)?Eigen/")
set(core_headers ${all_headers})
move_headers(mpi_headers "<mpi\\.h>")
move_headers(model_headers "<nlohmann/")
move_headers(png_headers "<png\\.h>")

# add_headers(<target> <header>...): as a target's own. Each is compiled by itself if that is wanted
# (CMAKE_VERIFY_INTERFACE_HEADER_SETS), but those that only include others, each of which is, and those that include Eigen.
set(verified_with_eigen)
function(add_headers target)
  set(headers ${ARGN})
  set(doors)
  foreach(header IN LISTS headers)
    file(STRINGS "${header}" lines REGEX "^[^#/]")
    list(FILTER lines EXCLUDE REGEX "^EIGENSTREAM_(BEGIN|END)_NAMESPACE$")
    if(NOT lines)
      list(REMOVE_ITEM headers "${header}")
      list(APPEND doors "${header}")
    elseif(header IN_LIST eigen_headers)
      list(REMOVE_ITEM headers "${header}")
      list(APPEND doors "${header}")
      list(APPEND verified_with_eigen "${header}")
    endif()
  endforeach()
  set(verified_with_eigen ${verified_with_eigen} PARENT_SCOPE)
  target_sources(${target} INTERFACE
                 FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${headers}
                 FILE_SET doors TYPE HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${doors})
  set_target_properties(${target} PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
endfunction()

add_library(eigenstream_core INTERFACE)
add_library(eigenstream::eigenstream ALIAS eigenstream_core)
set_target_properties(eigenstream_core PROPERTIES EXPORT_NAME eigenstream)
target_compile_features(eigenstream_core INTERFACE cxx_std_20)
target_link_libraries(eigenstream_core INTERFACE Eigen3::Eigen)
add_headers(eigenstream_core ${core_headers})

# add_part(<name> <package> <headers>): eigenstream::<name>, the library with what needs the package, too.
function(add_part name package)
  add_library(eigenstream_${name} INTERFACE)
  add_library(eigenstream::${name} ALIAS eigenstream_${name})
  set_target_properties(eigenstream_${name} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(eigenstream_${name} INTERFACE eigenstream_core ${package})
  set(before ${verified_with_eigen})
  add_headers(eigenstream_${name} ${ARGN})
  if(NOT TARGET ${package})
    set_target_properties(eigenstream_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
    set(verified_with_eigen ${before})
  endif()
  set(verified_with_eigen ${verified_with_eigen} PARENT_SCOPE)
endfunction()
add_part(model nlohmann_json::nlohmann_json ${model_headers})
add_part(png PNG::PNG ${png_headers})
add_part(mpi MPI::MPI_CXX ${mpi_headers})

function(add_compiled_library target)
  add_library(${target} STATIC "${PROJECT_SOURCE_DIR}/src/compiled.cpp")
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${target} PUBLIC eigenstream_core PRIVATE nlohmann_json::nlohmann_json)
  target_compile_definitions(${target} PRIVATE EIGENSTREAM_COMPILING INTERFACE EIGENSTREAM_COMPILED)
endfunction()

# add_simd_choice(<target>): for a compiled library that is built for a plain processor, the same for AVX2 and for AVX-512, of which
# it takes what it finds at run time. Each is linked into one object whose names are local but for its table of functions.
function(add_simd_choice target)
  get_filename_component(tools "${CMAKE_LINKER}" DIRECTORY)
  find_program(EIGENSTREAM_LD NAMES ld.bfd ld HINTS "${tools}")
  find_program(EIGENSTREAM_OBJCOPY NAMES objcopy HINTS "${tools}")
  if(NOT EIGENSTREAM_LD OR NOT EIGENSTREAM_OBJCOPY OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" OR NOT CMAKE_SYSTEM_NAME
                                                                                                    STREQUAL "Linux")
    message(FATAL_ERROR "eigenstream: EIGENSTREAM_SIMD_CHOICE needs an x86-64 with Linux, ld and objcopy (GNU binutils)")
  endif()
  foreach(width IN ITEMS 32 64)
    set(wide ${target}_width_${width})
    add_library(${wide} OBJECT "${PROJECT_SOURCE_DIR}/src/other_width.cpp")
    set_target_properties(${wide} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON INTERPROCEDURAL_OPTIMIZATION OFF)
    target_link_libraries(${wide} PRIVATE eigenstream_core nlohmann_json::nlohmann_json)
    target_compile_options(${wide} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique> $<IF:$<EQUAL:${width},64>,-march=x86-64-v4,-march=x86-64-v3>)
    set(object "${CMAKE_CURRENT_BINARY_DIR}/${wide}.o")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND "${EIGENSTREAM_LD}" -r --force-group-allocation -o "${object}.all" $<TARGET_OBJECTS:${wide}>
      COMMAND "${EIGENSTREAM_OBJCOPY}" --keep-global-symbol=eigenstream_width_${width} "${object}.all" "${object}"
      DEPENDS ${wide} $<TARGET_OBJECTS:${wide}>
      COMMAND_EXPAND_LISTS VERBATIM)
    set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    target_sources(${target} PRIVATE "${object}")
  endforeach()
  target_compile_definitions(${target} PRIVATE EIGENSTREAM_SIMD_CHOICE)
endfunction()

if(EIGENSTREAM_BUILD_COMPILED AND TARGET nlohmann_json::nlohmann_json)
  add_compiled_library(eigenstream_compiled)
  add_library(eigenstream::compiled ALIAS eigenstream_compiled)
  if(EIGENSTREAM_SIMD_CHOICE)
    add_simd_choice(eigenstream_compiled)
  endif()
endif()
