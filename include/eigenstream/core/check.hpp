#ifndef EIGENSTREAM_CORE_CHECK_HPP
#define EIGENSTREAM_CORE_CHECK_HPP

#include <cstdio>       // fputs, snprintf
#include <cstdlib>      // abort
#include <stdexcept>    // runtime_error
#include <string>       // messages
#include <string_view>  // their parts
#include <type_traits>  // is_arithmetic

#include "eigenstream/config.hpp"

namespace eigenstream {
inline namespace abi0 {  // one type for every SIMD width: a program may hold networks of several, and catches what any of them reports

/// Every failure that the library reports: a network that cannot be built, a file that cannot be trusted, a call with
/// the wrong shape. what() names the culprit and the numbers involved.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace abi0
}  // namespace eigenstream

EIGENSTREAM_BEGIN_NAMESPACE

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

namespace detail {
/// A part of a message behind what is there: a text, a character or a number, as a stream would write it, or a shape.
template <class Part>
void append_part(std::string& message, const Part& part) {
  if constexpr (std::is_same_v<Part, char>) {
    message += part;
  } else if constexpr (std::is_floating_point_v<Part>) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", static_cast<double>(part));
    message += text;
  } else if constexpr (std::is_arithmetic_v<Part>) {
    message += std::to_string(part);
  } else if constexpr (requires { part.text(); }) {
    message += part.text();
  } else if constexpr (std::is_convertible_v<Part, Index>) {
    message += std::to_string(Index{part});
  } else {
    message += std::string_view(part);
  }
}
}  // namespace detail

/// Reports an Error whose message is the parts, one after another: texts, characters and numbers.
template <class... Parts>
[[noreturn]] EIGENSTREAM_NO_INLINE void fail(const Parts&... parts) {
  std::string message;
  (detail::append_part(message, parts), ...);
  detail::raise(message);
}

/// fail(parts...) unless ok. The parts are only formatted on failure.
template <class... Parts>
EIGENSTREAM_ALWAYS_INLINE void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(parts...);
}

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_CORE_CHECK_HPP
