// The first job to try: it counts the words of made-up text and needs no other server.
//
//   millrace submit word_count.so --arg rate=10000
//
// Arguments: rate (lines a second), seed, count (lines in all, 0: no end), interval, out (a directory; if given, the
// counts are written there, too, as lines "word<TAB>count").
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(word_count, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 500ms));
  const auto counts = ctx.GeneratorText({.rate = ctx.Arg("rate", std::uint64_t{1000}),
                                         .seed = ctx.Arg("seed", std::uint64_t{1}),
                                         .count = ctx.Arg("count", std::uint64_t{0})})
                          .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
                          .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
                          .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; })
                          .Uid("counts");
  counts.Print();
  if (const std::string out = ctx.Arg("out", ""); !out.empty()) {
    counts
        .ToFiles({.directory = out},
                 [](const auto& count) { return count.first + '\t' + std::to_string(count.second); })
        .Uid("files");
  }
}
