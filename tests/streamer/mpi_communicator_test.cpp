// A program of its own, for mpirun: 2 or 3 processes learn together.
//   mean                      against all of them by hand in each
//   killed, thrown <folder>   process 1 dies, or fails, on the way
//   survives <mpirun ...>     runs the program so, and looks at what is left
#include "eigenstream/streamer/mpi_communicator.hpp"

#include <sys/wait.h>  // WIFEXITED
#include <unistd.h>    // getpid

#include <bit>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "eigenstream/streamer/checkpoint.hpp"

namespace es = eigenstream;
namespace streamer = eigenstream::streamer;
using eigenstream::Index;
using Model = streamer::StreamerModel<double>;
using Optimizer = streamer::StreamerOptimizer<double>;

namespace {

constexpr Index inputs = 60;

streamer::StreamerModelArguments arguments(int rank) {
  auto args = streamer::command_line_arguments();
  args.feature_dim = 8, args.evolve_every = 3, args.buffer_size = 3, args.window_size = 4, args.lr = 0.01;
  args.seed = static_cast<std::uint64_t>(rank);  // so that they begin apart
  args.main = rank == 0;
  return args;
}
es::learn::RowVector<double> input(int rank, Index t) {
  es::learn::Random random(static_cast<std::uint64_t>(1000 * rank + t / 4));
  es::learn::RowVector<double> x(8);
  for (double& each : x) each = random.uniform(1);
  x[t % 4] += 0.3;
  return x;
}

// Average_every inputs, and then as soon as all stacks are equally high.
constexpr streamer::StreamerOptimizerArguments learning{.optimize_every = 2, .average_every = 7};

struct Process {
  explicit Process(int rank, streamer::Communicator<double>* others = nullptr)
      : model(arguments(rank)), optimizer(model, learning, others) {}
  Model model;
  Optimizer optimizer;
};

void mean() {
  streamer::MpiCommunicator<double> others;
  const int size = others.world_size();
  es::check(size >= 2, "only one process");
  Process own(others.rank(), &others);
  std::vector<std::unique_ptr<Process>> all;
  for (int rank = 0; rank < size; ++rank) all.push_back(std::make_unique<Process>(rank));
  std::int64_t since = 0, means = 0, waits = 0, apart = 0;
  for (Index t = 0; t < inputs; ++t) {
    own.model.forward(input(others.rank(), t)), own.optimizer.step();
    bool same_height = true;
    for (int rank = 0; rank < size; ++rank) {
      Process& each = *all[static_cast<std::size_t>(rank)];
      each.model.forward(input(rank, t)), each.optimizer.step();
      same_height = same_height && each.model.get_num_layers() == all[0]->model.get_num_layers();
    }
    if (++since >= learning.average_every) {
      ++(same_height ? means : waits);
      if (same_height) {
        since = 0;
        for (auto& each : all) each->model.flush_gradients();
        for (std::size_t i = 0; i < all[0]->model.parameters().size(); ++i) {
          auto sum = all[0]->model.parameters()[i].parameter->value;
          for (std::size_t rank = 1; rank < all.size(); ++rank)
            sum += all[rank]->model.parameters()[i].parameter->value;
          sum /= size;
          for (auto& each : all) each->model.parameters()[i].parameter->value = sum;
        }
        for (auto& each : all)
          for (Index k = 0; k < each->model.get_num_layers(); ++k) each->model.layer(k).drop();
      }
    }
    es::check(own.optimizer.counters.since_average == since, "input ", t, ": ", own.optimizer.counters.since_average,
              " inputs since the mean, not ", since);
    const auto parameters = own.model.parameters();
    const auto wanted = all[static_cast<std::size_t>(others.rank())]->model.parameters();
    es::check(parameters.size() == wanted.size(), "input ", t, ": ", parameters.size(), " parameters");
    double worst = 0;
    std::int64_t bits = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto& value = parameters[i].parameter->value;
      worst = std::max(worst, (value - wanted[i].parameter->value).cwiseAbs().maxCoeff());
      for (Index j = 0; j < value.size(); ++j)
        bits = bits * 31 + std::bit_cast<std::int64_t>(value.data()[j]) % (1 << 30);
      bits %= std::int64_t{1} << 40;
    }
    es::check(worst < 1e-7, "input ", t, ": parameters differ by ", worst, " from what they are by hand");
    const bool alike = others.least(bits) == others.most(bits);
    es::check(alike || since != 0, "input ", t, ": the processes have different parameters after their mean");
    apart += alike ? 0 : 1;
  }
  es::check(means >= 3 && waits >= 1 && apart >= 3, means, " means, put off ", waits, " times, ", apart,
            " times apart");
  std::cout << "process " << others.rank() << " of " << size << ": " << means << " means, put off " << waits
            << " times\n";
}

// Process 1 dies in the middle of the run; process 0 has written a checkpoint with every input until then.
void dying(const std::string& folder, bool by_signal) {
  streamer::MpiCommunicator<double> others;
  Process own(others.rank(), &others);
  for (Index t = 0; t < 10 * inputs; ++t) {
    if (others.rank() == 1 && t == inputs / 2) {
      if (by_signal) std::raise(SIGKILL);
      own.model.forward(es::learn::RowVector<double>(7));
    }
    own.model.forward(input(others.rank(), t)), own.optimizer.step();
    if (others.rank() == 0) streamer::write_checkpoint(folder + "/checkpoint.safetensors", own.model, &own.optimizer);
  }
}

int survives(const std::string& program, const std::string& start) {
  int wrong = 0;
  for (const std::string how : {"killed", "thrown"}) {
    const auto folder = std::filesystem::temp_directory_path() / ("eigenstream_mpi_" + how + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    const std::string log = (folder / "log").string();
    const std::string command = start + " '" + program + "' " + how + " '" + folder.string() + "' > '" + log + "' 2>&1";
    const int status = std::system(command.c_str());
    std::ifstream file(log);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    const bool told = how == "killed" ? text.find("signal 9") != text.npos
                                      : text.find("streamer: input 30 has 7 numbers, not 8") != text.npos;
    std::string left;
    try {
      const es::Safetensors contents = es::read_safetensors(folder / "checkpoint.safetensors");
      const auto model = streamer::load_model<double>(contents);
      Optimizer optimizer(*model, learning);
      streamer::resume(contents, *model, optimizer);
      left = model->base_counter >= learning.average_every ? "" : "it is of the beginning";
    } catch (const es::Error& error) {
      left = error.what();
    }
    std::filesystem::remove_all(folder);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && told && left.empty()) continue;
    std::cout << how << ": status " << status << ", the checkpoint: " << left << "\n" << text << "\n";
    wrong = 1;
  }
  return wrong;
}

}  // namespace

int main(int count, char** words) {
  try {
    const std::string what = count > 1 ? words[1] : "";
    if (what == "mean") return mean(), 0;
    if (what == "killed" || what == "thrown") return dying(words[2], what == "killed"), 0;
    if (what == "survives") {
      std::string start;
      for (int i = 2; i < count; ++i) start.append(words[i]) += ' ';
      return survives(words[0], start);
    }
    std::cerr << "mean, killed, thrown or survives?\n";
  } catch (const es::Error& error) {
    std::cerr << error.what() << "\n";
  }
  return 1;
}
