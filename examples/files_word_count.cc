// Files to files: the words of all files in a directory, counted batch by batch, as lines "word<TAB>count" of new
// files.
//
//   millrace submit files_word_count.so --arg in=/data/texts --arg out=/data/counts
//
// Arguments: in, out, pattern (of file names), bounded (true: what is there, then done; false: wait for new files),
// interval.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(files_word_count, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 500ms));
  ctx.TextFiles({.directory = ctx.Arg("in"), .pattern = ctx.Arg("pattern", "*"), .bounded = ctx.Arg("bounded", true)})
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .CountByValue()
      .ToFiles({.directory = ctx.Arg("out")},
               [](const auto& count) { return count.first + '\t' + std::to_string(count.second); })
      .Uid("counts");
}
