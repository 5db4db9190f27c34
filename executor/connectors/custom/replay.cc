#include "executor/connectors/custom/replay.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "executor/connectors/custom/guard.h"

namespace millrace::custom {
namespace {

constexpr std::chrono::seconds kPatience{10};

// Takes records until the one after which the range ends.
class RangeOutput final : public engine::ReadOutput {
 public:
  RangeOutput(std::string_view end, std::uint64_t most) : end_(end), most_(most) {}

  bool Add(std::string_view value, std::string_view next) override {
    if (!wanted()) return false;
    writer_.Add(value, next);
    last_ = next;
    ++records_;
    if (writer_.full() || !wanted()) Publish();
    return wanted();
  }
  bool wanted() const override { return !complete() && records_ < most_; }

  bool complete() const { return last_ == end_; }
  bool too_many() const { return records_ >= most_ && !complete(); }
  std::uint64_t records() const { return records_; }
  const std::string& last() const { return last_; }
  void Publish() {
    if (writer_.empty()) return;
    auto block = writer_.Take();
    const std::size_t count = block->size();
    slices_.push_back({std::move(block), 0, count});
  }
  std::vector<BlockSlice> TakeSlices() { return std::move(slices_); }

 private:
  const std::string_view end_;
  const std::uint64_t most_;
  BlockWriter writer_;
  std::vector<BlockSlice> slices_;
  std::string last_;
  std::uint64_t records_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RecordBatch>> Replay(const ReaderSettings& settings, engine::Source& source,
                                                    const std::string& split, std::string_view start,
                                                    std::string_view end) {
  const std::string where = Concat(settings.where, ", split '", split, "'");
  RangeOutput output(end, 10 * settings.max_records + 1'000'000);
  std::unique_ptr<engine::SplitReader> reader;
  MR_RETURN_IF_ERROR(Guarded(where, "OpenSplit", [&] { reader = source.Open(split); }));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (start != end && !output.complete()) {
    const std::string from = output.records() == 0 ? std::string(start) : output.last();
    const std::uint64_t before = output.records();
    engine::ReadEnd at = engine::ReadEnd::kNothingNow;
    MR_RETURN_IF_ERROR(Guarded(where, Concat("reading again from position '", from, "'"),
                               [&] { at = reader->ReadInto(output, from); }));
    if (output.complete()) break;
    if (output.too_many() || at == engine::ReadEnd::kEnd) {
      return DataLoss(where, ": reading again from position '", start, "' gives ", output.records(), " records ",
                      output.too_many() ? "and more" : "and ends", " without coming to position '", end,
                      "', where it had come before; the source must give the same records each time");
    }
    if (output.records() > before) continue;
    if (std::chrono::steady_clock::now() > deadline) {
      return Unavailable(where, ": nothing comes after position '", from, "', and a batch has read up to '", end,
                         "' before");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(settings.poll_ms));
  }
  output.Publish();
  return std::make_unique<SlicedBatch>(split, output.TakeSlices());
}

}  // namespace millrace::custom
