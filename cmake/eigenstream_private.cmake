# What our own tests, benchmarks, examples and tools are built with. Nothing here reaches a user's target.
include(CheckCXXCompilerFlag)

add_library(eigenstream_warnings INTERFACE)
if(MSVC)
  target_compile_options(eigenstream_warnings INTERFACE /W4 $<$<BOOL:${EIGENSTREAM_WARNINGS_AS_ERRORS}>:/WX>)
else()
  target_compile_options(
    eigenstream_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                                   $<$<BOOL:${EIGENSTREAM_WARNINGS_AS_ERRORS}>:-Werror>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC reports its own AVX-512 intrinsics here (_mm512_undefined_ps, GCC bug 105593), wherever Eigen inlines them.
    target_compile_options(eigenstream_warnings INTERFACE -Wno-maybe-uninitialized -Wno-uninitialized)
  endif()
endif()

add_library(eigenstream_native INTERFACE)
if(EIGENSTREAM_NATIVE)
  check_cxx_compiler_flag(-march=native EIGENSTREAM_HAS_MARCH_NATIVE)
  if(EIGENSTREAM_HAS_MARCH_NATIVE)
    target_compile_options(eigenstream_native INTERFACE -march=native)
  else()
    message(WARNING "eigenstream: the compiler knows no -march=native; EIGENSTREAM_NATIVE has no effect")
  endif()
endif()

# What loads model files of ours links the compiled library, which compiles all layers once.
if(TARGET eigenstream_compiled)
  target_link_libraries(eigenstream_compiled PRIVATE eigenstream_warnings eigenstream_native)
  if(EIGENSTREAM_BUILD_TESTS AND EIGENSTREAM_TEST_BASELINE)  # the same for the CPU that the compiler takes by itself
    add_compiled_library(eigenstream_compiled_baseline)
    target_link_libraries(eigenstream_compiled_baseline PRIVATE eigenstream_warnings)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
      add_compiled_library(eigenstream_compiled_choice)
      add_simd_choice(eigenstream_compiled_choice)
    endif()
  endif()
endif()

# eigenstream_private_target(<target>): the library and our warnings.
# The reading of model files comes along wherever nlohmann-json was found.
function(eigenstream_private_target target)
  target_link_libraries(${target} PRIVATE eigenstream_core eigenstream_warnings)
  if(TARGET nlohmann_json::nlohmann_json)
    target_link_libraries(${target} PRIVATE eigenstream_model)
  endif()
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

# Headers that include Eigen, each compiled by itself behind Eigen's own: what one of them lacks is missing here, too.
if(CMAKE_VERIFY_INTERFACE_HEADER_SETS)
  set(verify_sources)
  foreach(header IN LISTS verified_with_eigen)
    file(RELATIVE_PATH name "${PROJECT_SOURCE_DIR}/include" "${header}")
    set(source "${PROJECT_BINARY_DIR}/verify/${name}.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT "#include \"${name}\"\n" @ONLY)
    list(APPEND verify_sources "${source}")
  endforeach()
  add_library(eigenstream_verify_headers OBJECT ${verify_sources})
  set_target_properties(eigenstream_verify_headers PROPERTIES CXX_EXTENSIONS OFF)
  target_precompile_headers(eigenstream_verify_headers PRIVATE <Eigen/Core>)
  target_link_libraries(eigenstream_verify_headers PRIVATE eigenstream_core)
  foreach(package IN ITEMS nlohmann_json::nlohmann_json PNG::PNG MPI::MPI_CXX)
    if(TARGET ${package})
      target_link_libraries(eigenstream_verify_headers PRIVATE ${package})
    endif()
  endforeach()
endif()
