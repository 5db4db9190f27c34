// Windows: the most frequent words of the last ten seconds, every second.
//
//   millrace local trending_words.so --seconds 15
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(trending_words, ctx) {
  ctx.BatchInterval(1s);
  ctx.GeneratorText({.rate = 1'000})
      .Uid("lines")
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
      .ReduceByKeyAndWindow(std::plus<>(), 10s)
      .Uid("window")  // slides every batch; costs what one batch brings
      .Top(5,
           [](const auto& a, const auto& b) {  // less often is less; of equals, what comes later in the alphabet
             return a.second != b.second ? a.second < b.second : a.first > b.first;
           })
      .Print();
}
