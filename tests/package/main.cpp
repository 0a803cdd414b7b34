// The one program that every way of consuming the package builds and runs.
#include <cstdio>
#include <eigenstream.hpp>

namespace es = eigenstream;

int main() {
  static_assert(EIGENSTREAM_VERSION_MAJOR >= 0 && EIGENSTREAM_VERSION_MINOR >= 0 && EIGENSTREAM_VERSION_PATCH >= 0);
  const es::Index frames = 3;
  es::check(frames == 3, "frames ", frames);
  try {
    es::fail("expected ", frames);
  } catch (const es::Error& error) {
    std::puts(error.what());
    return 0;
  }
  return 1;
}
