#include "eigenstream/streamer/checkpoint.hpp"

#include "eigenstream/streamer/inference.hpp"
#include "streamer/stack.hpp"
#include "support/errors.hpp"

namespace streamer = eigenstream::streamer;
using eigenstream::Index;
using eigenstream::Safetensors;
using streamer::StreamerModel;
using streamer::StreamerOptimizer;

namespace {

struct SavedStack {
  explicit SavedStack(const streamer::StreamerModelArguments& args)
      : model(std::make_unique<StreamerModel<double>>(args, support::fill_built<double>)),
        optimizer(*model, {.optimize_every = 2}) {}
  explicit SavedStack(const Safetensors& contents)
      : model(streamer::load_model<double>(contents, support::fill_built<double>)),
        optimizer(*model, {.optimize_every = 2}) {
    streamer::resume(contents, *model, optimizer);
  }
  void run(Index from, Index to) {
    for (Index t = from; t < to; ++t) model->forward(support::scene<double>(t, model->input_size())), optimizer.step();
  }
  std::unique_ptr<StreamerModel<double>> model;
  StreamerOptimizer<double> optimizer;
};

Safetensors through_file(const Safetensors& contents) {
  return eigenstream::parse_safetensors(eigenstream::serialise_safetensors(contents));
}

}  // namespace

TEST_CASE("checkpoint: a resumed run is bit for bit the one that was not interrupted", "[streamer]") {
  SavedStack whole(support::small_arguments());
  whole.run(0, 60);
  const Safetensors wanted = make_checkpoint(*whole.model, &whole.optimizer);
  CHECK(whole.model->get_num_layers() == 3);
  for (const Index at : {0, 1, 2, 3, 8, 9, 10, 14, 17, 28, 41, 59}) {
    CAPTURE(at);
    SavedStack part(support::small_arguments());
    part.run(0, at);
    SavedStack rest(through_file(make_checkpoint(*part.model, &part.optimizer)));
    rest.run(at, 60);
    CHECK((make_checkpoint(*rest.model, &rest.optimizer) == wanted));
  }
}

TEST_CASE("checkpoint: the same with images", "[streamer]") {
  auto args = support::small_arguments();
  args.modality = "video", args.height = args.width = 16, args.evolve_every = 2, args.max_layers = 2;
  const auto run = [&](Index at) {
    auto stack = std::make_unique<SavedStack>(args);
    stack->run(0, at);
    if (at < 9) stack = std::make_unique<SavedStack>(make_checkpoint(*stack->model, &stack->optimizer));
    stack->run(at, 9);
    Safetensors contents = make_checkpoint(*stack->model, &stack->optimizer);
    std::erase_if(contents.tensors,
                  [](const auto& each) { return each.second.size() > 20000; });  // those of the images alone
    return contents;
  };
  const Safetensors wanted = run(9);
  CHECK(wanted.tensors.contains("f.encoder.conv1.weight"));
  CHECK((run(5) == wanted));
}

TEST_CASE("checkpoint: a model alone", "[streamer]") {
  SavedStack stack(support::small_arguments());
  stack.run(0, 20);
  const Safetensors contents = through_file(make_checkpoint(*stack.model));
  CHECK(contents.tensors.size() == 3 * 51);
  CHECK(contents.tensors.contains("above.above.p.network.layers.1.norm2.bias"));
  const auto model = streamer::load_model<double>(contents);
  CHECK(model->get_num_layers() == 3);
  auto args = stack.model->arguments();
  args.init_layers = 3;
  CHECK(model->arguments() == args);
  const auto& value = support::named(model->parameters(), "above.f.cls_token.weight").value;
  CHECK((value - stack.model->layer(1).f.cls_token.weight.value).cwiseAbs().maxCoeff() < 1e-7);
}

TEST_CASE("checkpoint: what a model begins with", "[streamer][error]") {
  SavedStack stack(support::small_arguments());
  stack.run(0, 12);
  const auto path = std::filesystem::temp_directory_path() / "eigenstream_init_test.safetensors";
  write_checkpoint(path, *stack.model);
  auto args = support::small_arguments();
  args.init_ckpt = path.string(), args.lr = 0.5;
  const auto model = streamer::open_model<double>(args);
  CHECK(model->get_num_layers() == 2);
  CHECK(model->arguments().lr == 0.5);
  CHECK((to_weights(model->parameters()) == to_weights(stack.model->parameters())));
  CHECK(support::error_of([&] { StreamerModel<double> other(args); }) ==
        "streamer: init_ckpt is for open_model, in streamer/checkpoint.hpp");
  args.max_layers = 1;
  CHECK(support::error_of([&] { streamer::open_model<double>(args); }) ==
        "streamer: init_layers is 2, max_layers only 1");
  std::filesystem::remove(path);
  CHECK(streamer::open_model<double>(support::small_arguments())->get_num_layers() == 1);
}

TEST_CASE("InferenceModel: one video like the next, and nothing is learned", "[streamer]") {
  SavedStack stack(support::small_arguments());
  stack.run(0, 40);
  const auto path = std::filesystem::temp_directory_path() / "eigenstream_inference_test.safetensors";
  write_checkpoint(path, *stack.model);
  streamer::InferenceModel<double> inference(path);
  std::filesystem::remove(path);
  const auto segment = [&](bool close) {
    for (Index t = 0; t < 40; ++t) inference.forward(support::scene<double>(t));
    return inference.finish("scenes.mp4", 20, close);
  };
  const auto first = segment(false);  // shortens what it looks up in tables
  const auto before = to_weights(inference.model().parameters());
  const auto second = segment(true);
  REQUIRE(first.layers.size() == 3);
  CHECK(first.layers[0].size() > first.layers[1].size());
  CHECK(first.layers[1].size() > 1);
  CHECK(first.layers[0].back().end < 20);
  CHECK(second.layers[0].back().end == 20);
  CHECK(second.layers[0].size() == first.layers[0].size() + 1);
  CHECK(inference.finish("nothing", 0).layers == std::vector<std::vector<streamer::Segment>>(3));
  CHECK((to_weights(inference.model().parameters()) == before));
  CHECK(streamer::frame_stride(59.94, 0.5) == 29);
  CHECK(support::error_of([] { streamer::frame_stride(1, 0.5); }) ==
        "streamer: 0.5 seconds at 1 frames per second are no frame");
}

TEST_CASE("checkpoint: numbered files, by the main process only", "[streamer]") {
  const auto folder = std::filesystem::temp_directory_path() / "eigenstream_checkpoint_test";
  std::filesystem::create_directory(folder);
  auto args = support::small_arguments();
  args.ckpt_dir = folder.string();
  SavedStack stack(args);
  CHECK(save_model(*stack.model).filename() == "model_000.safetensors");
  const auto second = save_model(*stack.model, &stack.optimizer);
  CHECK(second.filename() == "model_001.safetensors");
  const SavedStack resumed(eigenstream::read_safetensors(second));
  CHECK(next_checkpoint(*resumed.model).filename() == "model_002.safetensors");
  args.main = false;
  CHECK(save_model(*SavedStack(args).model).empty());
  std::filesystem::resize_file(second, std::filesystem::file_size(second) / 2);
  CHECK(support::error_of([&] { eigenstream::read_safetensors(second); }).find("data_offsets") != std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST_CASE("checkpoint: what is damaged or does not fit", "[streamer][error]") {
  SavedStack stack(support::small_arguments());
  stack.run(0, 20);
  const Safetensors good = make_checkpoint(*stack.model, &stack.optimizer);
  const auto error = [&](const std::function<void(Safetensors&, nlohmann::json&)>& change) {
    Safetensors contents = good;
    auto root = nlohmann::json::parse(contents.metadata["eigenstream_streamer"]);
    change(contents, root);
    if (!contents.metadata.empty()) contents.metadata["eigenstream_streamer"] = root.dump();
    return support::error_of([&] { SavedStack resumed(contents); });
  };
  CHECK(error([](auto&, auto&) {}).empty());
  CHECK(error([](auto& contents, auto&) { contents.metadata.clear(); }) ==
        "checkpoint: its metadata has no \"eigenstream_streamer\"");
  CHECK(error([](auto&, auto& root) { root["version"] = 2; }) == "checkpoint: it is not of version 1");
  CHECK(error([](auto&, auto& root) { root["arguments"].erase("lr"); }) == "checkpoint: the arguments has no lr");
  CHECK(error([](auto&, auto& root) { root["arguments"]["more"] = 1; }) ==
        "checkpoint: the arguments has unknown fields");
  CHECK(error([](auto&, auto& root) { root["arguments"]["feature_dim"] = 1 << 20; }) ==
        "checkpoint: its tensors are too small for 3 layers of 1048576 features");
  CHECK(error([](auto&, auto& root) { root["layers"] = 4; }) == "streamer: init_layers is 4, max_layers only 3");
  CHECK(error([](auto& contents, auto&) { contents.tensors.erase("f.cls_token.weight"); }) ==
        "parameters: there is no tensor f.cls_token.weight");
  CHECK(error([](auto& contents, auto&) { contents.tensors.erase("resume.1.window"); }) ==
        "checkpoint: there is no tensor resume.1.window");
  CHECK(error([](auto& contents, auto&) { contents.tensors.at("resume.1.errs").values[0] = 0.5f + (1 << 22); }) ==
        "checkpoint: tensor resume.1.errs is damaged at 0");
  CHECK(error([](auto&, auto& root) {
          root["resume"]["layers"][0]["slots"] = {0, 1, 99};
        }) == "checkpoint: slots holds \"99\"");
  CHECK(error([](auto&, auto& root) {
          root["resume"]["layers"][0]["order"] = {0, 0, 0};
        }).find("damaged") != std::string::npos);
  CHECK(error([](auto&, auto& root) { root["resume"]["optimize_every"] = 3; }) ==
        "checkpoint: optimize_every is not what it was");
  CHECK(error([](auto&, auto& root) { root["resume"]["scalar"] = "float"; }) ==
        "checkpoint: it is to be resumed in another scalar");
  CHECK(error([](auto&, auto& root) { root.erase("resume"); }) == "checkpoint: it has no section to resume from");
  stack.model->forward(support::scene<double>(20));
  CHECK(support::error_of([&] { make_checkpoint(*stack.model, &stack.optimizer); }) ==
        "checkpoint: the optimiser's step for the last input is still to come");
}
