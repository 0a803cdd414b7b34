#include "eigenstream/network/simd_choice.hpp"

#include "support/catch.hpp"
#include "support/errors.hpp"

namespace es = eigenstream;
using es::Index;

// A library that has several is tried by tests/compile/simd_choice.cpp.
TEST_CASE("simd_bytes: of a program that has one width", "[network]") {
  CHECK(es::simd_bytes() == EIGENSTREAM_SIMD_BYTES);
  es::set_simd_bytes(EIGENSTREAM_SIMD_BYTES);
  CHECK(es::simd_bytes() == EIGENSTREAM_SIMD_BYTES);
  CHECK(support::error_of([] { es::set_simd_bytes(EIGENSTREAM_SIMD_BYTES + 1); }).find("bytes only, none of") != std::string::npos);
}
