// Machine learning on the stream: logistic regression that learns from each sample as it comes, and predicts with the
// model as it was when the batch began, so that its accuracy is honest: no sample is predicted by a model that has seen
// it.
//
//   millrace local online_logistic.so --seconds 10
#include <millrace/millrace.h>

#include "ml/logistic.h"

using namespace std::chrono_literals;

namespace {

// Points of a square, labelled by the side of a line on which they lie.
ml::Sample MakeSample(std::uint64_t index, std::uint64_t seed) {
  const std::uint64_t mixed = (index * 2 + seed + 1) * 0x9e3779b97f4a7c15U;
  const auto unit = [](std::uint64_t bits) { return static_cast<double>(bits & 0xffff) / 0x10000 * 2 - 1; };
  const double x = unit(mixed >> 16);
  const double y = unit(mixed >> 40);
  return {{x, y, 1}, x * 2 - y + 0.25 > 0 ? 1 : 0};
}

struct Step {
  ml::Logistic before;  // as the batch found it
  ml::Logistic after;
};

}  // namespace

MILLRACE_JOB(online_logistic, ctx) {
  const double rate = ctx.Arg("rate", 0.5);
  ctx.BatchInterval(1s);
  const auto samples = ctx.Generator({.rate = 2'000}, MakeSample).Uid("samples");
  const auto models = samples.Map([](const ml::Sample& sample) { return std::pair(std::uint8_t{0}, sample); })
                          .UpdateStateByKey(
                              [rate](std::uint8_t, std::span<const ml::Sample> batch, std::optional<Step> last) {
                                Step step{last ? last->after : ml::Logistic{}, last ? last->after : ml::Logistic{}};
                                for (const ml::Sample& sample : batch) ml::Learn(step.after, sample, rate);
                                return std::optional(step);
                              },
                              1)
                          .Uid("model")
                          .Map([](const auto& state) { return state.second; });
  models.Map([](const Step& step) { return step.after; }).Print();
  samples
      .WithBroadcast(models,
                     [](const ml::Sample& sample, const Step* step) {
                       const bool yes = step != nullptr && ml::Probability(step->before, sample.x) > 0.5;
                       return std::pair(std::string(yes == (sample.label == 1) ? "right" : "wrong"), std::uint64_t{1});
                     })
      .Uid("predict")
      .ReduceByKey(std::plus<>())
      .Print();
}
