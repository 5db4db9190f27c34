// Lines of a folder and of a bucket, put together and written to a folder and to a bucket, for the test that kills
// things on the way.
//
// Arguments: in, in_s3, out, out_s3 (directories and s3:// addresses), endpoint, credentials.
#include <millrace/millrace.h>

using namespace std::chrono_literals;

MILLRACE_JOB(files_ledger, ctx) {
  ctx.BatchInterval(100ms);
  ctx.CheckpointInterval(1s);
  const millrace::S3Access s3 = {.endpoint = ctx.Arg("endpoint"), .credentials_file = ctx.Arg("credentials")};
  const auto files = ctx.TextFiles({.directory = ctx.Arg("in"),
                                    .pattern = "*.log*",
                                    .ignore_suffixes = {".part"},
                                    .bounded = false,
                                    .discovery_interval = 200ms})
                         .Uid("files");
  const auto objects =
      ctx.TextFiles({.directory = ctx.Arg("in_s3"), .bounded = false, .discovery_interval = 200ms, .s3 = s3})
          .Uid("objects");
  const auto lines = ctx.Union({files, objects})
                         .Map([](std::string_view line) { return std::pair(std::string(line), 1L); })
                         .ReduceByKey([](long a, long b) { return a + b; }, 2);
  const auto text = [](const auto& counted) { return counted.first + "\t" + std::to_string(counted.second); };
  lines.ToFiles({.directory = ctx.Arg("out"), .compression = millrace::FileCompression::kZstd}, text).Uid("out");
  lines.ToFiles({.directory = ctx.Arg("out_s3"), .compression = millrace::FileCompression::kGzip, .s3 = s3}, text)
      .Uid("out-s3");
}
