#ifndef EIGENSTREAM_TESTS_SUPPORT_ERRORS_HPP
#define EIGENSTREAM_TESTS_SUPPORT_ERRORS_HPP

#include <csetjmp>
#include <optional>
#include <string>

#include "eigenstream/core/check.hpp"

namespace support {

#if EIGENSTREAM_EXCEPTIONS
/// The message of the Error that f reports, if it reports one.
template <class F>
std::optional<std::string> caught(F&& f) {
  try {
    f();
  } catch (const eigenstream::Error& error) {
    return error.what();
  }
  return std::nullopt;
}
#else
namespace detail {
inline std::jmp_buf* landing = nullptr;
inline std::string* message = nullptr;
}  // namespace detail

/// The message of the Error that f reports, if it reports one. The handler must not return, so it jumps; what f had on its
/// stack is lost.
template <class F>
[[gnu::noinline]] std::optional<std::string> caught(F&& f) {
  std::string message;
  std::jmp_buf here;
  std::jmp_buf* const outer_landing = detail::landing;
  std::string* const outer_message = detail::message;
  const eigenstream::ErrorHandler before = eigenstream::set_error_handler([](const char* text) {
    *detail::message = text;
    std::longjmp(*detail::landing, 1);
  });
  detail::landing = &here, detail::message = &message;
  const bool failed = setjmp(here) != 0;
  if (!failed) f();
  detail::landing = outer_landing, detail::message = outer_message;
  eigenstream::set_error_handler(before);
  return failed ? std::optional<std::string>(message) : std::nullopt;
}
#endif

/// The same; empty if it reports none.
template <class F>
std::string error_of(F&& f) {
  return caught(f).value_or("");
}

}  // namespace support

#endif  // EIGENSTREAM_TESTS_SUPPORT_ERRORS_HPP
