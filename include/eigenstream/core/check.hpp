#ifndef EIGENSTREAM_CORE_CHECK_HPP
#define EIGENSTREAM_CORE_CHECK_HPP

#include <cstdio>     // fputs
#include <cstdlib>    // abort
#include <sstream>    // message building, on the failing path only
#include <stdexcept>  // runtime_error
#include <string>     // string

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

/// Every failure that the library reports: a network that cannot be built, a file that cannot be trusted, a call with
/// the wrong shape. what() names the culprit and the numbers involved.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

#if !EIGENSTREAM_EXCEPTIONS
/// Built without exceptions, a failure calls this handler instead of throwing. It must not return; if it does, or none
/// was set, the program aborts.
using ErrorHandler = void (*)(const char* message);

namespace detail {
inline ErrorHandler& error_handler() noexcept {
  static ErrorHandler handler = nullptr;
  return handler;
}
}  // namespace detail

/// Replaces the handler and returns the one before.
inline ErrorHandler set_error_handler(ErrorHandler handler) noexcept {
  ErrorHandler previous = detail::error_handler();
  detail::error_handler() = handler;
  return previous;
}
#endif

namespace detail {
[[noreturn]] EIGENSTREAM_NO_INLINE inline void raise(const std::string& message) {
#if EIGENSTREAM_EXCEPTIONS
  throw Error(message);
#else
  if (error_handler() != nullptr) error_handler()(message.c_str());
  std::fputs(message.c_str(), stderr);
  std::fputs("\n", stderr);
  std::abort();
#endif
}
}  // namespace detail

/// Reports an Error whose message is the parts, streamed one after another.
template <class... Parts>
[[noreturn]] EIGENSTREAM_NO_INLINE void fail(const Parts&... parts) {
  std::ostringstream message;
  static_cast<void>((message << ... << parts));
  detail::raise(message.str());
}

/// fail(parts...) unless ok. The parts are only formatted on failure.
template <class... Parts>
EIGENSTREAM_ALWAYS_INLINE void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(parts...);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_CHECK_HPP
