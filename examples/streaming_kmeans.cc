// Machine learning on the stream: k-means whose centres follow the data. The model is state, moved on by each batch and
// sent to every partition; points are assigned to the centres as they are after their own batch.
//
//   millrace local streaming_kmeans.so --seconds 10 --arg decay=0.9
#include <millrace/millrace.h>

#include "ml/kmeans.h"

using namespace std::chrono_literals;

namespace {

// Three clusters around (0, 0), (10, 0) and (0, 10), in a square of side 2.
ml::Point MakePoint(std::uint64_t index, std::uint64_t seed) {
  constexpr ml::Point kCentres[] = {{0, 0}, {10, 0}, {0, 10}};
  const std::uint64_t mixed = (index + seed) * 0x9e3779b97f4a7c15U;
  const auto unit = [](std::uint64_t bits) { return static_cast<double>(bits & 0xffff) / 0x10000 * 2 - 1; };
  const ml::Point& centre = kCentres[index % 3];
  return {centre[0] + unit(mixed >> 16), centre[1] + unit(mixed >> 40)};
}

ml::KMeans FirstGuess() { return {{{1, 1}, 0}, {{6, 1}, 0}, {{1, 6}, 0}}; }

}  // namespace

MILLRACE_JOB(streaming_kmeans, ctx) {
  const double decay = ctx.Arg("decay", 1.0);
  ctx.BatchInterval(1s);
  const auto points = ctx.Generator({.rate = 3'000}, MakePoint).Uid("points");
  // One key: the whole batch meets the model. Called in every batch, so the model is there in every batch.
  const auto models = points.Map([](const ml::Point& point) { return std::pair(std::uint8_t{0}, point); })
                          .UpdateStateByKey(
                              [decay](std::uint8_t, std::span<const ml::Point> batch, std::optional<ml::KMeans> model) {
                                return std::optional(ml::Update(model ? *model : FirstGuess(), batch, decay));
                              },
                              1)
                          .Uid("model")
                          .Map([](const auto& state) { return state.second; });
  models.Print();
  points
      .WithBroadcast(models,
                     [](const ml::Point& point, const ml::KMeans* model) {
                       return std::pair(model == nullptr ? 0 : ml::Nearest(*model, point), std::uint64_t{1});
                     })
      .Uid("assign")
      .ReduceByKey(std::plus<>())
      .Print();
}
