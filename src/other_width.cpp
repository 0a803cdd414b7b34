// The functions of eigenstream::compiled once more, for wider SIMD registers than those of the program around it.
// Compiled with the flags of a newer processor, so nothing of it but the one table may be seen from outside: an inline
// function that the linker took from here for everybody would need that processor everywhere.
// cmake/eigenstream_library.cmake makes all other names local.

#include "eigenstream/network/load_model.hpp"

#define EIGENSTREAM_WIDTH EIGENSTREAM_ABI_JOIN(eigenstream_width_, EIGENSTREAM_SIMD_BYTES)

extern "C" {
extern const eigenstream::detail::OtherWidth EIGENSTREAM_WIDTH;
const eigenstream::detail::OtherWidth EIGENSTREAM_WIDTH = {
    .bytes = EIGENSTREAM_SIMD_BYTES,
    .builtin_registry = &eigenstream::builtin_registry,
    .create = [](const eigenstream::Registry& registry, const eigenstream::ModuleSpec& spec,
                 const eigenstream::WeightMap& weights,
                 eigenstream::PaddingPolicy policy) { return registry.create(spec, weights, policy); }};
}
