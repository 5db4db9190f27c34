// The smallest job that exchanges records.
#include <millrace/millrace.h>

MILLRACE_JOB(hello_stream, ctx) {
  ctx.BatchInterval(std::chrono::seconds(1));
  ctx.GeneratorText({.rate = 10, .words = 1, .vocabulary = 20}).CountByValue().Print();
}
