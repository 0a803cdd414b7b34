#include "eigenstream/core/frames.hpp"

#include <Eigen/Core>
#include <type_traits>
#include <unsupported/Eigen/CXX11/Tensor>

#include "support/catch.hpp"
#include "support/reference.hpp"

namespace es = eigenstream;
using es::Frames;
using es::FrameShape;
using es::Index;

namespace {

// The view that a function taking frames sees.
Frames<const float> seen(Frames<const float> frames) { return frames; }

bool is(const Frames<const float>& frames, const float* data, Index channels, Index batch, Index count) {
  return frames.data == data && frames.channels == channels && frames.batch == batch && frames.count == count;
}

}  // namespace

TEST_CASE("Frames: a view of every Eigen object that is a run of frames", "[core]") {
  Eigen::Tensor<float, 2> tensor(3, 5);
  Eigen::Tensor<float, 3> batched(3, 2, 5);
  Eigen::TensorFixedSize<float, Eigen::Sizes<3, 5>> fixed_tensor;
  Eigen::MatrixXf matrix(3, 5);
  Eigen::Matrix<float, 3, 5> fixed;
  Eigen::VectorXf column(4);
  Eigen::RowVectorXf row(7);
  float numbers[30] = {};
  const Eigen::TensorMap<Eigen::Tensor<float, 3>> tensor_map(numbers, 3, 2, 5);
  const Eigen::TensorMap<const Eigen::Tensor<float, 2>> const_map(numbers, 3, 10);
  const Eigen::Map<Eigen::MatrixXf> map(numbers, 3, 10);
  const Eigen::Map<const Eigen::RowVectorXf> row_map(numbers, 30);
  const Eigen::Ref<const Eigen::MatrixXf> ref(matrix);

  CHECK(is(seen(tensor), tensor.data(), 3, 1, 5));
  CHECK(is(seen(batched), batched.data(), 3, 2, 5));
  CHECK(is(seen(fixed_tensor), fixed_tensor.data(), 3, 1, 5));
  CHECK(is(seen(matrix), matrix.data(), 3, 1, 5));
  CHECK(is(seen(fixed), fixed.data(), 3, 1, 5));
  CHECK(is(seen(column), column.data(), 4, 1, 1));  // one frame of 4 channels
  CHECK(is(seen(row), row.data(), 1, 1, 7));        // 7 frames of one channel
  CHECK(is(seen(tensor_map), numbers, 3, 2, 5));
  CHECK(is(seen(const_map), numbers, 3, 1, 10));
  CHECK(is(seen(map), numbers, 3, 1, 10));
  CHECK(is(seen(row_map), numbers, 1, 1, 30));
  CHECK(is(seen(ref), matrix.data(), 3, 1, 5));
  CHECK(is(seen(matrix.middleCols(1, 3)), matrix.data() + 3, 3, 1, 3));
  CHECK(is(seen(matrix.col(2)), matrix.data() + 6, 3, 1, 1));
  CHECK(is(seen(row.segment(2, 3)), row.data() + 2, 1, 1, 3));
  CHECK(is(seen(Eigen::Tensor<float, 2>(3, 0)), nullptr, 3, 1, 0));
  CHECK(is(seen(Eigen::MatrixXf(3, 0)), nullptr, 3, 1, 0));

  Frames<float> writable(tensor);
  writable.data[0] = 4;
  CHECK(tensor(0, 0) == 4);
  CHECK(is(seen(writable), tensor.data(), 3, 1, 5));
}

TEST_CASE("Frames: what is not a run of frames is refused", "[core][error]") {
  Eigen::MatrixXf matrix(3, 5);
  matrix.setZero();
  float numbers[60] = {};
  const Eigen::Map<Eigen::MatrixXf, 0, Eigen::OuterStride<>> apart(numbers, 3, 5, Eigen::OuterStride<>(4));
  const Eigen::Map<Eigen::VectorXf, 0, Eigen::InnerStride<>> every_second(numbers, 5, Eigen::InnerStride<>(2));
  CHECK(support::refuses([&] { seen(matrix.topRows(2)); }, {"2 x 5", "contiguous"}));
  CHECK(support::refuses([&] { seen(matrix.row(1)); }, {"1 x 5", "contiguous"}));
  CHECK(support::refuses([&] { seen(apart); }, {"3 x 5", "contiguous"}));
  CHECK(support::refuses([&] { seen(every_second); }, {"5 x 1", "contiguous"}));
  CHECK(is(seen(matrix.topRows(3)), matrix.data(), 3, 1, 5));
  CHECK(is(seen(matrix.block(1, 2, 2, 1)), matrix.data() + 7, 2, 1, 1));  // part of a column

  using Writable = Frames<float>;
  static_assert(!std::is_constructible_v<Writable, const Eigen::MatrixXf&>, "constness is kept");
  static_assert(!std::is_constructible_v<Writable, const Eigen::Tensor<float, 2>&>);
  static_assert(!std::is_constructible_v<Writable, Frames<const float>>);
  static_assert(!std::is_constructible_v<Writable, Eigen::MatrixXd&>, "no conversion between scalars");
  static_assert(!std::is_constructible_v<Writable, Eigen::Tensor<double, 2>&>);
}

TEST_CASE("Frames: slices", "[core]") {
  float numbers[24];
  const Frames<float> frames(numbers, {.channels = 3, .batch = 2}, 4);
  CHECK(frames.frame_size() == 6);
  CHECK(frames.scalars() == 24);
  CHECK(frames.frame(2) == numbers + 12);
  CHECK(is(frames.slice(1, 2), numbers + 6, 3, 2, 2));
  CHECK(is(frames.first(3), numbers, 3, 2, 3));
  CHECK(is(frames.from(3), numbers + 18, 3, 2, 1));
  CHECK(is(frames.from(4), numbers + 24, 3, 2, 0));
  CHECK(frames.shape() == FrameShape{.channels = 3, .batch = 2});
  CHECK(FrameShape{.channels = 3, .batch = 2} != FrameShape{.channels = 2, .batch = 3});
  CHECK(FrameShape{.channels = 3, .batch = 2}.size() == 6);
}
