#ifndef EIGENSTREAM_HPP
#define EIGENSTREAM_HPP

// The whole library but for what needs more than Eigen: model files are in <eigenstream/network/load_model.hpp>.

#include "eigenstream/audio.hpp"
#include "eigenstream/compose.hpp"
#include "eigenstream/config.hpp"
#include "eigenstream/core.hpp"
#include "eigenstream/kernel.hpp"
#include "eigenstream/layer.hpp"
#include "eigenstream/memory.hpp"
#include "eigenstream/stream.hpp"
#include "eigenstream/window.hpp"

#endif  // EIGENSTREAM_HPP
