// Words typed into a terminal, as in every first lesson on streams.
//
//   nc -lk 9999                                                  (in another terminal)
//   millrace submit socket_word_count.so --arg port=9999
//
// A socket cannot be read twice: what a lost runner had not finished is lost. Arguments: host, port, interval.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(socket_word_count, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 1s));
  ctx.SocketText({.host = ctx.Arg("host", "127.0.0.1"), .port = ctx.Arg("port", std::uint16_t{9999})})
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .CountByValue()
      .Print(20);
}
