#ifndef EIGENSTREAM_AUDIO_HPP
#define EIGENSTREAM_AUDIO_HPP

// All of audio/.
#include "eigenstream/audio/resample.hpp"
#include "eigenstream/audio/resample_filter.hpp"

#endif  // EIGENSTREAM_AUDIO_HPP
