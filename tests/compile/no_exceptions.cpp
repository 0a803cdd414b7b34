#include <cstdlib>
#include <eigenstream.hpp>
#include <string_view>

namespace es = eigenstream;

#if EIGENSTREAM_EXCEPTIONS
#error "exceptions are on: this test tests nothing"
#endif

int main() {
  es::set_error_handler([](const char* message) { std::exit(message == std::string_view("frames 3") ? 0 : 2); });
  es::check(false, "frames ", 3);
  return 1;  // check returned
}
