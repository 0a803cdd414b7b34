#ifndef EIGENSTREAM_HPP
#define EIGENSTREAM_HPP

// What runs. Beside it: <eigenstream/network.hpp> for networks built at run time, <eigenstream/network/load_model.hpp> for model files,
// <eigenstream/io.hpp>, <eigenstream/analysis.hpp> and <eigenstream/draw.hpp> for files, checks and plots.

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
