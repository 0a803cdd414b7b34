#ifndef EIGENSTREAM_TESTS_SUPPORT_ERRORS_HPP
#define EIGENSTREAM_TESTS_SUPPORT_ERRORS_HPP

#include <string>

#include "eigenstream/core/check.hpp"

namespace support {

/// The message of the Error that f reports; empty if it reports none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const eigenstream::Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_ERRORS_HPP
