// A function of a whole batch: sorting, ranking, reports; and a name for a chain of operators.
//
//   millrace local per_batch.so --seconds 3
#include <millrace/millrace.h>

using namespace std::chrono_literals;

namespace {
// A part of a pipeline that can be used again.
auto LongWords(const millrace::DStream<std::string_view>& lines) {
  return lines.FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Filter([](std::string_view word) { return word.size() > 5; });
}
}  // namespace

MILLRACE_JOB(per_batch, ctx) {
  ctx.BatchInterval(1s);
  ctx.GeneratorText({.rate = 50})
      .Uid("lines")
      .Transform([](const millrace::DStream<std::string_view>& lines) { return LongWords(lines); })
      .Map([](std::string_view word) { return std::string(word); })
      .Transform<std::string>([](const millrace::BatchContext& batch, std::span<const std::string> words, auto&& emit) {
        emit("batch " + std::to_string(batch.batch) + " has " + std::to_string(words.size()) + " long words");
      })
      .Print();
}
