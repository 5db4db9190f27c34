// Map work before the cut: what is taken and mapped, when it counts, and when it is thrown away.
#include "executor/runner/early_maps.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <stdexcept>
#include <thread>

#include "common/status.h"

namespace millrace {
namespace {

// A job whose map task adds up how many records it was fed, and throws at the poisonous one.
class CountingTask : public engine::Task {
 public:
  explicit CountingTask(engine::TaskOutput& output) : output_(output) {}
  void Records(std::span<const engine::SourceRecord> records) override {
    for (const engine::SourceRecord& record : records) {
      if (record.position == poison) throw std::runtime_error("poison");
    }
    count_ += records.size();
  }
  void Block(std::string_view) override {}
  void Finish() override { output_.Count(0, "records", count_); }
  void RunFunction(std::uint32_t) override {}

  static inline std::int64_t poison = -1;

 private:
  engine::TaskOutput& output_;
  std::uint64_t count_ = 0;
};

class CountingProgram : public engine::Program {
 public:
  const engine::GraphDescription& description() const override { return description_; }
  std::unique_ptr<engine::Task> NewTask(const engine::TaskContext&, engine::TaskOutput& output) const override {
    return std::make_unique<CountingTask>(output);
  }
  std::unique_ptr<engine::State> NewState(std::uint32_t, std::uint32_t, engine::StateStore*) const override {
    return nullptr;
  }

 private:
  engine::GraphDescription description_;
};

class Numbers : public RecordBatch {
 public:
  Numbers(std::uint64_t from, std::uint64_t to) : next_(from), end_(to) {}
  std::span<const engine::SourceRecord> Next() override {
    records_.clear();
    for (; next_ < end_ && records_.size() < engine::kChunkRecords; ++next_)
      records_.emplace_back().position = static_cast<std::int64_t>(next_);
    return records_;
  }

 private:
  std::uint64_t next_;
  const std::uint64_t end_;
  std::vector<engine::SourceRecord> records_;
};

// A log of numbers that grows when a test says so, behind a reader that is told where to begin each time.
class EarlyMapsTest : public testing::Test {
 protected:
  EarlyMapsTest() : loop_thread_([this] { loop_.Run(); }) { CountingTask::poison = -1; }
  ~EarlyMapsTest() override {
    loop_.Stop();
    loop_thread_.join();
  }

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max) {
    std::lock_guard lock(mutex_);
    if (away_) {
      ++closes_;
      changed_.notify_all();
      return Unavailable("away");
    }
    const std::uint64_t from = std::stoull(std::string(start));
    const std::uint64_t to = std::min(high_, from + max);
    read_ = std::max(read_, to);
    ++closes_;
    changed_.notify_all();
    return ClosedRange{std::to_string(to), to - from, ends_ && to == high_, std::make_unique<Numbers>(from, to)};
  }
  void Grow(std::uint64_t high) {
    std::lock_guard lock(mutex_);
    high_ = high;
  }
  void AwaitRead(std::uint64_t to) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return read_ >= to; });
  }
  void AwaitCloses(int more) {
    std::unique_lock lock(mutex_);
    const int wanted = closes_ + more;
    changed_.wait(lock, [&] { return closes_ >= wanted; });
  }
  static runner::CloseRange Range(std::uint64_t batch, std::string start, std::uint64_t max_records = 0) {
    return {{0, {0, 0}, batch, 1000, 1}, {0, "s"}, std::move(start), max_records};
  }
  void Begin(const runner::CloseRange& range, std::uint64_t limit = ~0ULL) { maps_.Begin(range, 7, limit, 1'000'000); }
  // How many records the task was fed in all.
  static std::uint64_t Fed(const EarlyMaps::Part& part) {
    EXPECT_FALSE(part.run->Compute(1, 0, [](engine::Task&) {}));
    return part.run->counts().at({0, "records"});
  }

  const CountingProgram program_;
  LookupHost lookups_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t high_ = 0;
  std::uint64_t read_ = 0;
  int closes_ = 0;
  bool ends_ = false;
  bool away_ = false;
  EventLoop loop_;
  std::thread loop_thread_;
  WorkerPool workers_{"worker", 2, nullptr};
  EarlyMaps maps_{loop_, workers_,
                  [this](const SplitKey&, std::string_view start, std::uint64_t max) { return Close(start, max); },
                  [this](const runner::TaskRef& ref, std::uint64_t epoch) {
                    return std::make_shared<TaskRun>(program_, "job", ref, epoch, nullptr, lookups_);
                  }};
};

TEST_F(EarlyMapsTest, WhatArrivesBeforeTheCutIsMappedOnce) {
  Grow(10'000);
  Begin(Range(5, "0"));
  AwaitRead(10'000);
  Grow(25'000);
  AwaitRead(25'000);
  const EarlyMaps::Part part = maps_.Take(Range(5, "0"), 7);
  EXPECT_EQ(part.end, "25000");
  EXPECT_EQ(part.records, 25'000u);
  EXPECT_FALSE(part.finished);
  EXPECT_EQ(Fed(part), 25'000u);
  EXPECT_EQ(maps_.Take(Range(5, "0"), 7).records, 0u) << "it was taken";
}

TEST_F(EarlyMapsTest, AnotherCutThanTheAnnouncedGetsNothing) {
  Grow(5'000);
  std::vector<runner::CloseRange> others(5, Range(5, "0"));
  others[0].ref.batch = 6;
  others[1].start = "17";
  others[2].ref.batch_time_us = 2000;
  others[3].ref.version = 2;
  others[4].max_records = 4'999;
  for (const runner::CloseRange& other : others) {
    read_ = 0;
    Begin(Range(5, "0"));
    AwaitRead(5'000);
    const EarlyMaps::Part part = maps_.Take(other, 7);
    EXPECT_EQ(part.end, other.start);
    EXPECT_EQ(part.records, 0u);
    EXPECT_EQ(part.run, nullptr);
  }
  read_ = 0;
  Begin(Range(5, "0"));
  AwaitRead(5'000);
  EXPECT_EQ(maps_.Take(Range(5, "0"), 8).records, 0u) << "of another driver's term";
}

TEST_F(EarlyMapsTest, TheLimitHolds) {
  Grow(100'000);
  Begin(Range(5, "0"), 4'500);
  AwaitRead(4'500);
  EXPECT_EQ(maps_.Take(Range(5, "0"), 7).records, 4'500u);
  EXPECT_EQ(read_, 4'500u);
}

TEST_F(EarlyMapsTest, ASourceThatTakesNothingEarlyIsNotAsked) {
  Grow(10'000);
  Begin(Range(5, "0"), 0);
  EXPECT_EQ(maps_.Take(Range(5, "0"), 7).records, 0u);
  EXPECT_EQ(closes_, 0);
}

TEST_F(EarlyMapsTest, UserCodeThatThrowsIsLeftToTheTask) {
  CountingTask::poison = 7'000;
  Grow(10'000);
  Begin(Range(5, "0"));
  AwaitRead(8'192);
  const EarlyMaps::Part part = maps_.Take(Range(5, "0"), 7);
  EXPECT_EQ(part.end, "0");
  EXPECT_EQ(part.run, nullptr);
}

TEST_F(EarlyMapsTest, ASourceThatIsAwayKeepsWhatWasTaken) {
  Grow(3'000);
  Begin(Range(5, "0"));
  AwaitRead(3'000);
  {
    std::lock_guard lock(mutex_);
    away_ = true;
  }
  AwaitCloses(1);
  const EarlyMaps::Part part = maps_.Take(Range(5, "0"), 7);
  EXPECT_EQ(part.end, "3000");
  EXPECT_EQ(Fed(part), 3'000u);
}

TEST_F(EarlyMapsTest, TheEndOfASplitIsTold) {
  ends_ = true;
  Grow(3'000);
  Begin(Range(5, "0"));
  AwaitRead(3'000);
  EXPECT_TRUE(maps_.Take(Range(5, "0"), 7).finished);
}

TEST_F(EarlyMapsTest, DroppedWorkIsOver) {
  Grow(3'000);
  Begin(Range(5, "0"));
  AwaitRead(3'000);
  maps_.Drop({0, "s"});
  EXPECT_EQ(maps_.Take(Range(5, "0"), 7).records, 0u);
}

}  // namespace
}  // namespace millrace
