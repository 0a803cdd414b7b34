#ifndef EIGENSTREAM_AUDIO_HPP
#define EIGENSTREAM_AUDIO_HPP

// All of audio/.
#include "eigenstream/audio/biquad.hpp"
#include "eigenstream/audio/fbank.hpp"
#include "eigenstream/audio/frame_cutter.hpp"
#include "eigenstream/audio/istft.hpp"
#include "eigenstream/audio/mel.hpp"
#include "eigenstream/audio/mel_filters.hpp"
#include "eigenstream/audio/resample.hpp"
#include "eigenstream/audio/resample_filter.hpp"
#include "eigenstream/audio/spectrogram.hpp"
#include "eigenstream/audio/stft.hpp"
#include "eigenstream/audio/window_function.hpp"

#endif  // EIGENSTREAM_AUDIO_HPP
