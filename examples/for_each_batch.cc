// ForEachBatch: user code with the rows of each partition of each batch, to write to a system that Millrace has no sink
// for.
//
// After a failure the same rows of the same batch can come again, so what is written carries batch and partition: here
// the file name does, and a rename puts a complete file in place of whatever was there. Arguments: directory, rate.
#include <millrace/millrace.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace {

using Count = std::pair<std::string, std::uint64_t>;

void WritePart(const std::filesystem::path& directory, const millrace::BatchContext& batch,
               std::span<const Count> rows) {
  if (rows.empty()) return;
  const std::string name = std::to_string(batch.batch) + "-" + std::to_string(batch.partition);
  const std::filesystem::path draft = directory / ("." + name + "." + std::to_string(batch.fence));
  std::filesystem::create_directories(directory);
  std::ofstream file(draft);
  for (const auto& [word, count] : rows) file << word << ' ' << count << '\n';
  file.close();
  if (!file) throw std::runtime_error("cannot write " + draft.string() + "; is the disk full?");
  std::filesystem::rename(draft, directory / name);
}

}  // namespace

MILLRACE_JOB(for_each_batch, ctx) {
  ctx.BatchInterval(std::chrono::seconds(1));
  ctx.GeneratorText({.rate = ctx.Arg("rate", std::uint64_t{100})})
      .FlatMap([](std::string_view line, auto&& emit) { millrace::ForEachWord(line, emit); })
      .CountByValue(2)
      .ForEachBatch(
          [directory = std::filesystem::path(ctx.Arg("directory"))](
              const millrace::BatchContext& batch, std::span<const Count> rows) { WritePart(directory, batch, rows); })
      .Uid("parts");
}
