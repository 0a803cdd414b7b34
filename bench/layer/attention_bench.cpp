#include "eigenstream/layer/attention.hpp"

#include "eigenstream/compose/along.hpp"
#include "eigenstream/compose/sequential.hpp"
#include "eigenstream/layer/identity.hpp"
#include "eigenstream/layer/linear.hpp"
#include "eigenstream/layer/retroactive_attention.hpp"
#include "eigenstream/stream/tensor_calls.hpp"
#include "eigenstream/window/windowed.hpp"
#include "layer/attention_task.hpp"

namespace bench {
namespace {

namespace es = eigenstream;

es::Linear<float> in(const AttentionTask& task) { return es::Linear<float>(es::Weights<float>(task.in)); }
es::Linear<float> out(const AttentionTask& task) { return es::Linear<float>(es::Weights<float>(task.out)); }
es::Attention<float> attention(const AttentionTask& task, Index lookahead) {
  return es::CausalAttention<float>(task.embed() / task.heads, task.window, {.lookahead = lookahead, .heads = task.heads});
}

template <auto make>
class Streamed {
 public:
  explicit Streamed(const AttentionTask& task) : stream_(make(task)) {}
  Index operator()(In x, Out y) {
    const es::FrameShape shape = stream_.out_shape();
    return stream_.process(x, es::Frames<float>(y.data(), shape, y.cols()));
  }

 private:
  using Net = decltype(make(std::declval<const AttentionTask&>()));
  es::Stream<Net> stream_;
};

// Keys and values are kept.
auto kept(const AttentionTask& task) { return es::sequential(in(task), attention(task, 0).without_padding(), out(task)); }
auto retroactive(const AttentionTask& task) {
  return es::sequential(in(task), es::RetroactiveAttention<float>(task.embed() / task.heads, task.window, task.heads), out(task));
}
// The window is cut out, and all of it worked out again.
auto recomputed(const AttentionTask& task) {
  auto net = es::sequential(in(task), es::along(attention(task, task.window - 1)), out(task));
  return es::Windowed<decltype(net)>(std::move(net), task.window, 1);
}

// The same as a user of Eigen would write it: the projections of the window are kept, the newest query is answered.
class EigenKept {
 public:
  explicit EigenKept(const AttentionTask& task)
      : task_(task), x_(3 * task.embed(), 4 * task.window), heads_(task.embed()), weights_(task.window) {}
  Index operator()(In x, Out y) {
    const Index e = task_.embed(), size = e / task_.heads, n = task_.window;
    Index written = 0;
    for (Index t = 0; t < x.cols(); ++t) {
      if (end_ == x_.cols()) x_.leftCols(n - 1) = x_.rightCols(n - 1).eval(), end_ = n - 1;
      x_.col(end_++).noalias() = task_.in * x.col(t);
      if (++seen_ < n) continue;
      for (Index h = 0; h < task_.heads; ++h) {
        const auto last = x_.middleCols(end_ - n, n);
        weights_.noalias() = last.middleRows(e + h * size, size).transpose() * x_.col(end_ - 1).segment(h * size, size);
        weights_ *= 1 / std::sqrt(static_cast<float>(size));
        weights_ = (weights_.array() - weights_.maxCoeff()).exp();
        heads_.segment(h * size, size).noalias() = last.middleRows(2 * e + h * size, size) * weights_;
        heads_.segment(h * size, size) /= weights_.sum();
      }
      y.col(written++).noalias() = task_.out * heads_;
    }
    return written;
  }

 private:
  const AttentionTask& task_;
  Signal x_;
  Eigen::VectorXf heads_, weights_;
  Index end_ = 0, seen_ = 0;
};

// All of the window again with every frame.
class EigenRecomputed {
 public:
  explicit EigenRecomputed(const AttentionTask& task) : task_(task), x_(task.embed(), 4 * task.window) {}
  Index operator()(In x, Out y) {
    const Index e = task_.embed(), size = e / task_.heads, n = task_.window;
    Index written = 0;
    for (Index t = 0; t < x.cols(); ++t) {
      if (end_ == x_.cols()) x_.leftCols(n - 1) = x_.rightCols(n - 1).eval(), end_ = n - 1;
      x_.col(end_++) = x.col(t);
      if (++seen_ < n) continue;
      projected_.noalias() = task_.in * x_.middleCols(end_ - n, n);
      heads_.resize(e, n);
      for (Index h = 0; h < task_.heads; ++h) {
        weights_.noalias() = projected_.middleRows(e + h * size, size).transpose() * projected_.middleRows(h * size, size);
        weights_ *= 1 / std::sqrt(static_cast<float>(size));
        for (Index j = 0; j < n; ++j) weights_.col(j) = (weights_.col(j).array() - weights_.col(j).maxCoeff()).exp();
        sums_ = weights_.colwise().sum();
        heads_.middleRows(h * size, size).noalias() = projected_.middleRows(2 * e + h * size, size) * weights_;
        heads_.middleRows(h * size, size).array().rowwise() /= sums_.array();
      }
      all_.noalias() = task_.out * heads_;
      if (task_.all)
        y.col(written++) = Eigen::Map<const Eigen::VectorXf>(all_.data(), all_.size());
      else
        y.col(written++) = all_.col(n - 1);
    }
    return written;
  }

 private:
  const AttentionTask& task_;
  Signal x_, projected_, weights_, heads_, all_;
  Eigen::RowVectorXf sums_;
  Index end_ = 0, seen_ = 0;
};

const bool registered = [] {
  for (const Index embed : {64, 512}) {
    register_attention<Streamed<kept>>("ours", embed, false);
    register_attention<EigenKept>("eigen-kept", embed, false);
    register_attention<EigenRecomputed>("eigen-recomputed", embed, false);
    register_attention<Streamed<retroactive>>("ours", embed, true);
    register_attention<Streamed<recomputed>>("ours-recomputed", embed, true);
    register_attention<EigenRecomputed>("eigen-recomputed", embed, true);
  }
  return true;
}();

}  // namespace
}  // namespace bench
