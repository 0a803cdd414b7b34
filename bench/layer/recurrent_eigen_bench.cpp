// Eigen's products suffer when GCC inlines too little of them, as it does in a large file: hence a file of its own.
#include "layer/recurrent_task.hpp"

namespace bench {
namespace {

/// What a careful Eigen user writes, with all sizes fixed at compile time: the gates that take the sigmoid side by
/// side, one array expression for them; `Ahead`: what the input says of all frames of a call is one matrix product.
/// (Matrices row by row are slower everywhere.)
template <Cell C, int Units, bool Ahead>
class EigenRecurrent {
  static constexpr int Gates = static_cast<int>(gates_of(C)), Rows = Gates * Units;
  // Eigen refuses matrices of fixed size beyond 128 KiB.
  using Matrix = Eigen::Matrix<float, Rows, Rows * Units * 4 <= 128 * 1024 ? Units : Eigen::Dynamic>;
  using All = Eigen::Matrix<float, Rows, 1>;
  using Vector = Eigen::Matrix<float, Units, 1>;
  using Frames = Eigen::Matrix<float, Units, Eigen::Dynamic>;

 public:
  explicit EigenRecurrent(const RecurrentTask& task) : weight_(Rows, Units), recurrent_(Rows, Units) {
    for (int g = 0; g < Gates; ++g) {
      // Of an LSTM i, f, o, g: the three sigmoids are one expression.
      const int from = C == Cell::lstm && g >= 2 ? 5 - g : g;
      weight_.template middleRows<Units>(g * Units) = task.weight.middleRows<Units>(from * Units);
      recurrent_.template middleRows<Units>(g * Units) = task.recurrent.middleRows<Units>(from * Units);
      bias_.template segment<Units>(g * Units) = task.bias.segment<Units>(from * Units);
      recurrent_bias_.template segment<Units>(g * Units) = task.recurrent_bias.segment<Units>(from * Units);
    }
    if (C != Cell::gru) bias_ += recurrent_bias_;
    h_.setZero(), kept_.setZero();
  }
  Index operator()(In in, Out out) {
    const Eigen::Map<const Frames> x(in.data(), Units, in.cols());
    Eigen::Map<Frames> y(out.data(), Units, out.cols());
    if constexpr (Ahead) {
      ahead_.resize(Rows, x.cols());
      ahead_.noalias() = weight_ * x;
      ahead_.colwise() += bias_;
    }
    for (Index t = 0; t < x.cols(); ++t) {
      All a;
      if constexpr (Ahead) {
        a = ahead_.col(t);
      } else {
        a = bias_;
        a.noalias() += weight_ * x.col(t);
      }
      step(a);
      y.col(t) = h_;
    }
    return x.cols();
  }

 private:
  template <class X>
  static auto sigmoid(const X& x) {
    return (1.0f + (-x).exp()).inverse();
  }
  void step(All& a) {
    if constexpr (C == Cell::gru) {
      All b = recurrent_bias_;
      b.noalias() += recurrent_ * h_;
      Eigen::Array<float, 2 * Units, 1> rz = (a + b).template head<2 * Units>();
      rz = sigmoid(rz);
      const auto r = rz.template head<Units>(), z = rz.template tail<Units>();
      const Eigen::Array<float, Units, 1> fresh =
          (a.template tail<Units>().array() + r * b.template tail<Units>().array()).tanh();
      h_.array() = fresh + z * (h_.array() - fresh);
    } else {
      a.noalias() += recurrent_ * h_;
      if constexpr (C == Cell::rnn) {
        h_ = a.array().tanh();
      } else {
        const Eigen::Array<float, 3 * Units, 1> ifo = sigmoid(a.template head<3 * Units>().array());
        kept_ = ifo.template segment<Units>(Units) * kept_ +
                ifo.template head<Units>() * a.template tail<Units>().array().tanh();
        h_ = ifo.template tail<Units>() * kept_.tanh();
      }
    }
  }

  Matrix weight_, recurrent_;
  All bias_, recurrent_bias_;
  Vector h_;
  Eigen::Array<float, Units, 1> kept_;
  Eigen::Matrix<float, Rows, Eigen::Dynamic> ahead_;
};

template <Cell C, int Units>
void register_cell() {
  register_recurrent<EigenRecurrent<C, Units, false>>(C, "eigen-static", Units);
  register_recurrent<EigenRecurrent<C, Units, true>>(C, "eigen-ahead-static", Units);
}
template <int Units>
void register_eigen() {
  register_cell<Cell::rnn, Units>();
  register_cell<Cell::gru, Units>();
  register_cell<Cell::lstm, Units>();
}

const bool registered = (register_eigen<8>(), register_eigen<16>(), register_eigen<32>(), register_eigen<64>(),
                         register_eigen<128>(), true);

}  // namespace
}  // namespace bench
