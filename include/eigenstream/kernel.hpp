#ifndef EIGENSTREAM_KERNEL_HPP
#define EIGENSTREAM_KERNEL_HPP

// All of kernel/.
#include "eigenstream/kernel/activation.hpp"
#include "eigenstream/kernel/aligned_vector.hpp"
#include "eigenstream/kernel/attention.hpp"
#include "eigenstream/kernel/complex_fft.hpp"
#include "eigenstream/kernel/cumulate.hpp"
#include "eigenstream/kernel/depthwise.hpp"
#include "eigenstream/kernel/elementary.hpp"
#include "eigenstream/kernel/fft.hpp"
#include "eigenstream/kernel/flush_denormals.hpp"
#include "eigenstream/kernel/function.hpp"
#include "eigenstream/kernel/grouped_tap_sum.hpp"
#include "eigenstream/kernel/map.hpp"
#include "eigenstream/kernel/packet.hpp"
#include "eigenstream/kernel/polyphase.hpp"
#include "eigenstream/kernel/recurrent.hpp"
#include "eigenstream/kernel/reduce.hpp"
#include "eigenstream/kernel/tap_sum.hpp"
#include "eigenstream/kernel/window_reduce.hpp"

#endif  // EIGENSTREAM_KERNEL_HPP
