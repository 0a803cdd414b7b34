#ifndef EIGENSTREAM_NAMES_HPP
#define EIGENSTREAM_NAMES_HPP

// All of names/.
#include "eigenstream/names/continual.hpp"
#include "eigenstream/names/continual_attention.hpp"
#include "eigenstream/names/continual_module.hpp"
#include "eigenstream/names/torch_streamer.hpp"

#endif  // EIGENSTREAM_NAMES_HPP
