#ifndef EIGENSTREAM_STREAMER_HPP
#define EIGENSTREAM_STREAMER_HPP

// All of streamer/.
#include "eigenstream/streamer/arguments.hpp"
#include "eigenstream/streamer/buffer.hpp"
#include "eigenstream/streamer/cnn.hpp"
#include "eigenstream/streamer/demarcation.hpp"
#include "eigenstream/streamer/layer.hpp"
#include "eigenstream/streamer/loss.hpp"
#include "eigenstream/streamer/model.hpp"
#include "eigenstream/streamer/networks.hpp"
#include "eigenstream/streamer/optimizer.hpp"
#include "eigenstream/streamer/score.hpp"
#include "eigenstream/streamer/segment.hpp"

#endif  // EIGENSTREAM_STREAMER_HPP
