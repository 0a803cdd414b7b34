# Used by our presets only: compile through ccache where there is one. The sloppiness lets it handle precompiled headers.
find_program(EIGENSTREAM_CCACHE ccache)
if(EIGENSTREAM_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env "CCACHE_SLOPPINESS=pch_defines,time_macros" "${EIGENSTREAM_CCACHE}")
endif()
