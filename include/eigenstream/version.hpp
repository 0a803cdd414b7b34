#ifndef EIGENSTREAM_VERSION_HPP
#define EIGENSTREAM_VERSION_HPP

// The only place where the version is written; CMake and pkg-config read it from here.
#define EIGENSTREAM_VERSION_MAJOR 0
#define EIGENSTREAM_VERSION_MINOR 2
#define EIGENSTREAM_VERSION_PATCH 0

#endif  // EIGENSTREAM_VERSION_HPP
