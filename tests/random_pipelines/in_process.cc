// In process: each program runs on the testing kit beside the model, batch by batch, with runners lost on the way.
#include "tests/random_pipelines/in_process.h"

#include <algorithm>
#include <exception>

#include "millrace/testing.h"
#include "tests/random_pipelines/build.h"

namespace millrace::random_pipelines {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);

Record ParseLine(std::string_view line) {
  const std::size_t blank = line.find(' ');
  return Record(std::string(line.substr(0, blank)), std::stoull(std::string(line.substr(blank + 1))));
}

std::vector<std::string> Texts(const Batch& batch) {
  std::vector<std::string> texts;
  for (const auto& [key, value] : batch) texts.push_back(key + " " + std::to_string(value));
  std::sort(texts.begin(), texts.end());
  return texts;
}

// The splits of each batch: empty ones, single records, one key, many keys.
std::vector<std::vector<Batch>> MakeInput(std::mt19937_64& random) {
  std::vector<std::vector<Batch>> batches(3 + random() % 14);
  for (auto& splits : batches) {
    splits.resize(1 + random() % 4);
    const std::uint64_t kind = random() % 4;
    for (Batch& split : splits) {
      const std::uint64_t records = kind == 0 ? 0 : kind == 1 ? random() % 2 : random() % 8;
      for (std::uint64_t i = 0; i < records; ++i) {
        split.emplace_back("k" + std::to_string(kind == 2 ? 0 : random() % 6), random() % 50);
      }
    }
  }
  return batches;
}

}  // namespace

std::string RunOn(const Program& program, const Life& life) {
  std::vector<Batch> whole;
  for (const auto& splits : life.input) {
    Batch& batch = whole.emplace_back();
    for (const Batch& split : splits) batch.insert(batch.end(), split.begin(), split.end());
  }
  const std::vector<Batch> expected = Run(program, whole);
  try {
    testing::JobTest job(
        [&program](JobContext& ctx) {
          ctx.BatchInterval(kInterval).DefaultPartitions(3);
          const Stream records = ctx.TextFiles({.directory = "unused"}).Map(ParseLine);
          Build(program, {records, kInterval})
              .stream
              .ToFiles({.directory = "unused"},
                       [](const Record& r) { return r.first + " " + std::to_string(r.second); })
              .Uid("out");
        },
        {.stored = life.stored, .checkpoint_every = life.checkpoint_every});
    for (std::size_t b = 0; b < life.input.size(); ++b) {
      testing::Splits splits;
      for (const Batch& split : life.input[b]) {
        auto& records = splits.emplace_back();
        for (const std::string& line : Texts(split)) records.push_back({.value = line});
      }
      job.InputSplits("TextFiles", std::move(splits));
      job.RunBatch();
      if (job.SortedTexts("out") != Texts(expected[b])) return "batch " + std::to_string(b + 1) + " differs";
      if (life.lose_every > 0 && (b + 1) % life.lose_every == 0) job.LoseRunner();
    }
  } catch (const std::exception& e) {
    return e.what();
  }
  return {};
}

std::string RunInProcess(const Program& program, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Life life;
  life.input = MakeInput(random);
  life.stored = random() % 2 == 0;
  life.checkpoint_every = 1 + random() % 5;
  life.lose_every = random() % 5;
  return RunOn(program, life);
}

// Leaves out operations as long as it still fails.
Program Shrink(Program program, std::uint64_t seed) {
  for (bool smaller = true; smaller && program.size() > 1;) {
    smaller = false;
    for (std::size_t i = 0; i < program.size() && !smaller; ++i) {
      Program without = program;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      if (RunInProcess(without, seed).empty()) continue;
      program = std::move(without);
      smaller = true;
    }
  }
  return program;
}

}  // namespace millrace::random_pipelines
