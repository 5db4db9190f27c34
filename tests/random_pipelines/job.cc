// Random pipelines as a job for a real cluster: as many as are given, side by side on one source. What each batch
// brought and what each pipeline made of it are written to files of their own, so that the model can be asked about the
// very batches that were cut. A file is written whole and renamed: written again after a failure, it is the same.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>

#include "tests/random_pipelines/build.h"

namespace {

using millrace::BatchContext;
using millrace::random_pipelines::Record;

auto WriteTo(std::string prefix) {
  return [prefix](const BatchContext& batch, std::span<const Record> records) {
    const std::string name = prefix + "-" + std::to_string(batch.batch) + "-" + std::to_string(batch.partition);
    {
      std::ofstream out(name + ".tmp", std::ios::trunc);
      for (const auto& [key, value] : records) out << key << ' ' << value << '\n';
      if (!out.flush()) throw std::runtime_error("cannot write " + name);
    }
    std::filesystem::rename(name + ".tmp", name);
  };
}

}  // namespace

MILLRACE_JOB(random_pipeline, ctx) {
  constexpr auto kInterval = std::chrono::milliseconds(50);
  const std::string output = ctx.Arg("output");
  const std::string programs = ctx.Arg("programs");  // separated by ';'
  const auto records = ctx.Arg("records", std::uint64_t{600});
  ctx.BatchInterval(kInterval).DefaultPartitions(2).CheckpointInterval(std::chrono::milliseconds(300));
  ctx.State(ctx.Arg("disk", false) ? millrace::engine::StateBackend::kRocksDb
                                   : millrace::engine::StateBackend::kMemory);
  const auto source =
      ctx.Generator({.rate = 400, .splits = 3, .seed = ctx.Arg("seed", std::uint64_t{1}), .count = records},
                    [](std::uint64_t index, std::uint64_t seed) {
                      const std::uint64_t mixed = (index * 2654435761U + seed * 40503U) >> 3;
                      return Record("k" + std::to_string(mixed % 6), mixed % 50);
                    });
  source.ForEachBatch(WriteTo(output + "/in"));
  std::size_t number = 0;
  for (std::size_t at = 0; at <= programs.size(); ++number) {
    const std::size_t end = std::min(programs.find(';', at), programs.size());
    const auto program = millrace::random_pipelines::Parse(programs.substr(at, end - at));
    Build(program, {source, kInterval}).stream.ForEachBatch(WriteTo(output + "/" + std::to_string(number)));
    at = end + 1;
  }
}
