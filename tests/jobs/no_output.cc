// A job whose stream ends nowhere: the planner refuses it.
#include <millrace/millrace.h>

MILLRACE_JOB(no_output, ctx) {
  ctx.BatchInterval(std::chrono::milliseconds(100));
  ctx.GeneratorText({.rate = 1}).CountByValue();
}
