// Any bytes as a .safetensors file; what is read is written, and read again as the same.
#include "eigenstream/io/safetensors.hpp"

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::allow_errors([&] {
    const fuzz::es::Safetensors file = fuzz::es::parse_safetensors(fuzz::bytes_of(data, size));
    const std::vector<std::byte> written = fuzz::es::serialise_safetensors(file);
    const fuzz::es::Safetensors again = fuzz::es::parse_safetensors(written);
    fuzz::require(fuzz::es::serialise_safetensors(again) == written, "a file is not what it was after it was written and read");
  });
  return 0;
}
