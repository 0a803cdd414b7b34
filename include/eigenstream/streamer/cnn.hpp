#ifndef EIGENSTREAM_STREAMER_CNN_HPP
#define EIGENSTREAM_STREAMER_CNN_HPP

#include <array>   // layers
#include <string>  // names
#include <vector>  // tape

#include "eigenstream/learn/dense.hpp"
#include "eigenstream/learn/image.hpp"

EIGENSTREAM_BEGIN_NAMESPACE

namespace streamer {

/// What an encoder or a decoder keeps of a forward for its backward.
template <class T>
struct Tape {
  std::vector<learn::Matrix<T>> values;
  std::vector<learn::Matrix<Index>> where;
};

/// What turns one input of the lowest layer into features, or features into a prediction of such an input.
/// Shapes   x (1,inputs()) -> y (1,outputs())
/// Errors   forward: Error if x has another size
/// Source   STREAMER's encoder and decoder
template <class T>
class FrameNetwork {
 public:
  virtual ~FrameNetwork() = default;
  virtual Index inputs() const = 0;   ///< how many numbers it takes
  virtual Index outputs() const = 0;  ///< and gives
  virtual learn::RowVector<T> forward(const learn::RowVector<T>& x, Tape<T>& tape) const = 0;
  /// Adds to the gradients of the parameters. The gradient of x is wanted of decoders only; else the result may be
  /// empty.
  virtual learn::RowVector<T> backward(const learn::RowVector<T>& dy, const Tape<T>& tape, bool wants_dx) = 0;
  virtual void parameters(const std::string& prefix, learn::Parameters<T>& out) = 0;
};

namespace detail {
inline learn::ImageSize sixteenth(const char* who, Index height, Index width) {
  check(height >= 16 && width >= 16 && height % 16 == 0 && width % 16 == 0, who, ": images of height ", height,
        " and width ", width, ", not multiples of 16");
  return {height / 16, width / 16};
}
inline learn::ImageSize scaled(learn::ImageSize size, Index by) { return {size.height * by, size.width * by}; }
template <class T>
learn::Matrix<T> as_image(const learn::RowVector<T>& x, learn::ImageSize size) {
  return Eigen::Map<const learn::Matrix<T>>(x.data(), x.size() / size.pixels(), size.pixels());
}
template <class T>
learn::RowVector<T> as_row(const learn::Matrix<T>& x) {
  return Eigen::Map<const learn::RowVector<T>>(x.data(), x.size());
}
}  // namespace detail

/// Four times a 3 x 3 convolution, ReLU and the largest of 2 x 2, with 3, 32, 64, 256 and 1024 channels, then a dense
/// layer.
/// Shapes   x (1,3HW) -> y (1,D)
/// Errors   constructor: Error unless height and width are multiples of 16
/// Source   STREAMER, which has 128 x 128 only
template <class T>
class CNNEncoder : public FrameNetwork<T> {
 public:
  CNNEncoder(Index feature_dim, Index height, Index width, learn::Random& random)
      : end_(detail::sixteenth("CNNEncoder", height, width)),
        conv{{{3, 32, random}, {32, 64, random}, {64, 256, random}, {256, 1024, random}}},
        fc1(1024 * end_.pixels(), feature_dim, random) {}

  Index inputs() const override { return 3 * 256 * end_.pixels(); }
  Index outputs() const override { return fc1.bias.value.cols(); }
  learn::RowVector<T> forward(const learn::RowVector<T>& x, Tape<T>& tape) const override {
    check(x.size() == inputs(), "CNNEncoder: ", x.size(), " numbers, not ", inputs());
    tape.values.resize(9), tape.where.resize(4);
    tape.values[0] = detail::as_image<T>(x, detail::scaled(end_, 16));
    for (std::size_t i = 0; i < 4; ++i) {  // values: what conv i takes, what its ReLU gives
      const learn::ImageSize size = detail::scaled(end_, Index{16} >> i);
      learn::Matrix<T>& behind = tape.values[2 * i + 1];
      behind = conv[i].forward(tape.values[2 * i], size);
      learn::relu(behind);
      tape.values[2 * i + 2] = learn::max_pool(behind, size, tape.where[i]);
    }
    tape.values[8].resize(1, tape.values[8].size());
    return fc1.forward(tape.values[8]);
  }
  learn::RowVector<T> backward(const learn::RowVector<T>& dy, const Tape<T>& tape, bool wants_dx) override {
    learn::Matrix<T> d = fc1.backward(dy, tape.values[8]);
    d.resize(1024, end_.pixels());
    for (std::size_t i = 4; i-- > 0;) {
      const learn::ImageSize size = detail::scaled(end_, Index{16} >> i);
      d = learn::max_pool_backward(d, size, tape.where[i]);
      learn::relu_backward(d, tape.values[2 * i + 1]);
      d = conv[i].backward(d, tape.values[2 * i], size, i > 0 || wants_dx);
    }
    return detail::as_row(d);
  }
  void parameters(const std::string& prefix, learn::Parameters<T>& out) override {
    for (std::size_t i = 0; i < 4; ++i) conv[i].parameters(prefix + "conv" + std::to_string(i + 1) + ".", out);
    fc1.parameters(prefix + "fc1.", out);
  }
  learn::ImageSize end() const noexcept { return end_; }  ///< of the smallest images inside

 private:
  learn::ImageSize end_;

 public:
  std::array<learn::Conv3x3<T>, 4> conv;
  learn::Dense<T> fc1;
};

/// The way back: a dense layer, then four times each pixel becomes 2 x 2 and a 3 x 3 convolution, with 1024, 256, 64,
/// 32 and 3 channels and a ReLU behind the first three.
/// Shapes   x (1,D) -> y (1,3HW)
/// Errors   constructor: Error unless height and width are multiples of 16
/// Source   STREAMER, which has 128 x 128 only
template <class T>
class CNNDecoder : public FrameNetwork<T> {
 public:
  CNNDecoder(Index feature_dim, Index height, Index width, learn::Random& random)
      : end_(detail::sixteenth("CNNDecoder", height, width)),
        fc1(feature_dim, 1024 * end_.pixels(), random),
        conv{{{1024, 256, random}, {256, 64, random}, {64, 32, random}, {32, 3, random}}} {}

  Index inputs() const override { return fc1.weight.value.cols(); }
  Index outputs() const override { return 3 * 256 * end_.pixels(); }
  learn::RowVector<T> forward(const learn::RowVector<T>& x, Tape<T>& tape) const override {
    check(x.size() == inputs(), "CNNDecoder: ", x.size(), " numbers, not ", inputs());
    tape.values.resize(6);  // x, what each conv takes, and what the last gives
    tape.values[0] = x;
    learn::Matrix<T> image = fc1.forward(tape.values[0]);
    image.resize(1024, end_.pixels());
    for (std::size_t i = 0; i < 4; ++i) {
      const learn::ImageSize size = detail::scaled(end_, Index{1} << i);
      tape.values[i + 1] = learn::upsample(image, size);
      image = conv[i].forward(tape.values[i + 1], detail::scaled(size, 2));
      if (i < 3) learn::relu(image);
    }
    return detail::as_row(image);
  }
  learn::RowVector<T> backward(const learn::RowVector<T>& dy, const Tape<T>& tape, bool) override {
    learn::Matrix<T> d = detail::as_image<T>(dy, detail::scaled(end_, 16));
    for (std::size_t i = 4; i-- > 0;) {
      const learn::ImageSize size = detail::scaled(end_, Index{1} << i);
      d = conv[i].backward(d, tape.values[i + 1], detail::scaled(size, 2));
      // The four pixels that one became are equal, so the ReLU's gradient may come before the sum over them.
      if (i > 0) learn::relu_backward(d, tape.values[i + 1]);
      d = learn::upsample_backward(d, size);
    }
    d.resize(1, d.size());
    return fc1.backward(d, tape.values[0]);
  }
  void parameters(const std::string& prefix, learn::Parameters<T>& out) override {
    fc1.parameters(prefix + "fc1.", out);
    for (std::size_t i = 0; i < 4; ++i) conv[i].parameters(prefix + "conv" + std::to_string(i + 1) + ".", out);
  }
  learn::ImageSize end() const noexcept { return end_; }

 private:
  learn::ImageSize end_;

 public:
  learn::Dense<T> fc1;
  std::array<learn::Conv3x3<T>, 4> conv;
};

}  // namespace streamer

EIGENSTREAM_END_NAMESPACE

#endif  // EIGENSTREAM_STREAMER_CNN_HPP
