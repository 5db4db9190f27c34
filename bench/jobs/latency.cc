// From event to result: lines that begin with the microsecond they were sent at (16 digits and a space) are word
// counted per batch, with a shuffle, and when a batch's result is out the age of each of its lines goes into a
// histogram. Beside a line's ten words its stamp travels the same way, as one more key. With `out` given the counts
// also go to Kafka, exactly once, and the age is measured by who reads them there. Arguments: brokers, in, interval
// (5ms), histogram (file; its process's id is added), out (topic).
#include <millrace/millrace.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;
using millrace::KafkaStart;

namespace {

constexpr std::size_t kStampDigits = 16;
constexpr std::int64_t kBucketUs = 250;

std::int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Ages in steps of 250 us up to 60 s; written to its file about once a second.
class Histogram {
 public:
  void Add(std::int64_t age_us, std::uint64_t lines) {
    const std::int64_t bucket = std::clamp<std::int64_t>(age_us / kBucketUs, 0, buckets_.size() - 1);
    buckets_[static_cast<std::size_t>(bucket)] += lines;
  }
  void MaybeWrite(const std::string& file, std::int64_t now_us) {
    if (now_us - written_us_ < 1'000'000) return;
    written_us_ = now_us;
    const std::string path = file + "." + std::to_string(::getpid());
    std::FILE* out = std::fopen((path + ".part").c_str(), "w");
    if (out == nullptr) return;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (buckets_[i] > 0)
        std::fprintf(out, "%zu %llu\n", (i + 1) * kBucketUs, static_cast<unsigned long long>(buckets_[i]));
    }
    std::fclose(out);
    std::rename((path + ".part").c_str(), path.c_str());
  }
  std::mutex mutex;

 private:
  std::array<std::uint64_t, 240'000> buckets_{};
  std::int64_t written_us_ = 0;
};

Histogram histogram;  // of this process

}  // namespace

MILLRACE_JOB(latency, ctx) {
  ctx.BatchInterval(ctx.Arg("interval", 5ms));
  const std::string brokers = ctx.Arg("brokers");
  const std::string file = ctx.Arg("histogram", "");
  const std::string out = ctx.Arg("out", "");
  const auto counts =
      ctx.KafkaText({.brokers = brokers,
                     .topics = {ctx.Arg("in")},
                     .start = KafkaStart::Parse("latest"),
                     .rdkafka = {{"fetch.wait.max.ms", "5"}}})
          .FlatMap([](std::string_view line, auto&& emit) {
            emit(line.substr(0, kStampDigits));
            millrace::ForEachWord(line.substr(std::min(line.size(), kStampDigits + 1)), emit);
          })
          .Map([](std::string_view word) { return std::pair(word, std::uint64_t{1}); })
          .ReduceByKey([](std::uint64_t a, std::uint64_t b) { return a + b; }, ctx.Arg("partitions", 2));
  if (!out.empty()) {
    counts.ToKafka({.brokers = brokers, .topic = out});
    return;
  }
  counts.ForEachBatch(
      [file](const millrace::BatchContext&, std::span<const std::pair<std::string, std::uint64_t>> words) {
        const std::int64_t now_us = NowUs();
        const std::lock_guard lock(histogram.mutex);
        for (const auto& [word, count] : words) {
          if (word.size() != kStampDigits) continue;
          std::int64_t sent_us = 0;
          const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), sent_us);
          if (error == std::errc() && end == word.data() + word.size()) histogram.Add(now_us - sent_us, count);
        }
        histogram.MaybeWrite(file, now_us);
      });
}
