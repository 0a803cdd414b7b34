// Any bytes as a file of any format that import_model knows; what it makes of them is built and run.
#include "eigenstream/import/import_model.hpp"

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const bool fast : {false, true})
    fuzz::allow_errors([&] {
      const fuzz::es::ModelFile file = fuzz::es::import_model(fuzz::bytes_of(data, size), {.fast_tanh = fast}, "file: ");
      fuzz::build_and_run(file);
    });
  fuzz::allow_errors([&] { fuzz::es::import_test(fuzz::bytes_of(data, size), "file: "); });
  return 0;
}
