#ifndef EIGENSTREAM_KERNEL_ALIGNED_VECTOR_HPP
#define EIGENSTREAM_KERNEL_ALIGNED_VECTOR_HPP

#include <Eigen/Core>  // aligned_allocator
#include <vector>      // values

#include "eigenstream/config.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace kernel {

/// Values with the alignment of a packet.
template <class T>
using AlignedVector = std::vector<T, Eigen::aligned_allocator<T>>;

}  // namespace kernel

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_KERNEL_ALIGNED_VECTOR_HPP
