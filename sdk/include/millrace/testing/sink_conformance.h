// Tries a CustomSink against what the runner relies on: rows and mark become visible in one step, the mark is found
// again by whoever opens the partition next, what was staged and not committed is never seen, and an owner from before
// can write no more.
//
//   const auto found = CheckSink<Reading>({
//       .make = [&] { return std::make_shared<SqliteSink>(path); },
//       .row = [](std::uint64_t n) { return Reading{std::to_string(n), "a", 1}; },
//       .visible = [&] { return the numbers n of all rows that are visible at the neighbour now; },
//   });
//   EXPECT_TRUE(found.ok()) << found.text();
//
// The neighbour is a real one, and empty at the beginning. Failures have these names: "open", "stage", "commit",
// "mark", "reopen", "abandoned", "again", "fence", "partitions", "empty", "large". Runs on the caller's thread and some
// of its own, which end before it returns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/custom_sink.h"
#include "millrace/testing/conformance.h"

namespace millrace::testing {

template <class T>
struct SinkUnderTest {
  std::function<std::shared_ptr<CustomSink<T>>()> make;  // a new object, as each runner has one
  std::function<T(std::uint64_t n)> row;                 // another row for each number
  std::function<std::vector<std::uint64_t>()> visible;   // the numbers of the rows that a reader sees now, in any order
  std::size_t large_batch = 5000;                        // rows
};

template <class T>
class SinkCheck {
  using Writer = std::unique_ptr<CustomSinkWriter<T>>;
  using Numbers = std::multiset<std::uint64_t>;

 public:
  explicit SinkCheck(SinkUnderTest<T> sink) : sink_(std::move(sink)) {}

  Conformance Run() {
    if (!found_.Run("open", [&] { First(); })) return found_;
    found_.Run("reopen", [&] { Reopen(); });
    found_.Run("abandoned", [&] { Abandoned(); });
    found_.Run("again", [&] { Again(); });
    found_.Run("fence", [&] { Fence(); });
    found_.Run("partitions", [&] { Partitions(); });
    found_.Run("empty", [&] { Empty(); });
    found_.Run("large", [&] { Large(); });
    return found_;
  }

 private:
  Writer Open(std::uint32_t partition) {
    CustomPartition identity;
    identity.job_id = "j-conformance";
    identity.job_name = "conformance";
    identity.sink = "sink";
    identity.partition = partition;
    identity.fence = ++fence_;
    objects_.push_back(sink_.make());
    return objects_.back()->OpenWriter(identity);
  }
  // Another sink object, another writer, as in a new runner.
  Writer Reopen(std::uint32_t partition, std::uint64_t mark, std::string_view check) {
    Writer writer = Open(partition);
    const std::uint64_t found = writer->LastMark();
    found_.Expect(
        found == mark, check,
        "LastMark gives " + std::to_string(found) + ", and batch " + std::to_string(mark) + " was committed last");
    return writer;
  }
  std::vector<std::uint64_t> NewNumbers(std::size_t count) {
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers.push_back(++row_);
    return numbers;
  }
  void Stage(CustomSinkWriter<T>& writer, std::uint64_t batch, const std::vector<std::uint64_t>& numbers) const {
    std::vector<T> rows;
    for (const std::uint64_t n : numbers) rows.push_back(sink_.row(n));
    writer.Stage({batch, std::chrono::sys_time<std::chrono::microseconds>(std::chrono::seconds(batch))}, rows);
  }
  void Commit(CustomSinkWriter<T>& writer, std::uint64_t batch, const std::vector<std::uint64_t>& numbers) {
    Stage(writer, batch, numbers);
    writer.Commit(batch);
    Committed(numbers);
  }
  void Committed(const std::vector<std::uint64_t>& numbers) { expected_.insert(numbers.begin(), numbers.end()); }

  void See(std::string_view check, const std::string& when) {
    const std::vector<std::uint64_t> seen = sink_.visible();
    const Numbers got(seen.begin(), seen.end());
    std::vector<std::uint64_t> missing, extra;
    std::ranges::set_difference(expected_, got, std::back_inserter(missing));
    std::ranges::set_difference(got, expected_, std::back_inserter(extra));
    found_.Expect(missing.empty() && extra.empty(), check,
                  when + ": " + std::to_string(missing.size()) + " committed rows cannot be seen, and " +
                      std::to_string(extra.size()) + " can be seen that should not, or twice");
  }

  void First() {
    found_.Expect(sink_.visible().empty(), "open", "the neighbour has rows before the test; it needs an empty one");
    Writer writer = Reopen(0, 0, "mark");
    const auto numbers = NewNumbers(3);
    Stage(*writer, 1, numbers);
    See("stage", "after Stage and before Commit");
    writer->Commit(1);
    Committed(numbers);
    See("commit", "after Commit");
    Commit(*writer, 2, NewNumbers(4));
    See("commit", "after a second batch");
    Commit(*writer, 7, NewNumbers(2));  // batches between had no task here
    See("commit", "after a batch that is not the next one");
  }

  void Reopen() {
    {
      Writer writer = Reopen(0, 7, "reopen");
      See("reopen", "after the partition was opened again");
      Commit(*writer, 8, NewNumbers(3));
      See("commit", "after a batch of the second owner");
    }
    Reopen(0, 8, "reopen");
    Reopen(0, 8, "reopen");
  }

  void Abandoned() {
    {
      Writer writer = Reopen(0, 8, "reopen");
      Stage(*writer, 9, NewNumbers(5));
    }
    See("abandoned", "after a writer with staged rows was destroyed");
    Writer writer = Reopen(0, 8, "abandoned");
    Commit(*writer, 9, NewNumbers(2));
    See("abandoned", "after the next owner wrote the same batch");
    Reopen(0, 9, "abandoned");
  }

  void Again() {
    Writer writer = Reopen(0, 9, "reopen");
    Stage(*writer, 10, NewNumbers(6));
    Commit(*writer, 10, NewNumbers(2));
    See("again", "after a batch was staged twice and committed: only what was staged last counts");
    // Where the end of Commit is not known it may be tried again; it may be refused, but write nothing twice.
    Conformance::Throws([&] { writer->Commit(10); });
    See("again", "after a batch was committed twice");
    writer = Reopen(0, 10, "again");
    Commit(*writer, 11, NewNumbers(1));
    See("again", "after the batch that follows");
  }

  void Fence() {
    Writer old = Reopen(0, 11, "reopen");
    const auto mine = NewNumbers(3);
    Stage(*old, 12, mine);
    Writer next = Reopen(0, 11, "fence");
    Conformance::Throws([&] { old->Commit(12); });
    See("fence", "after an owner from before has committed although a newer one had opened the partition");
    Commit(*next, 12, NewNumbers(3));
    See("fence", "after the newer owner has committed the same batch");
    Conformance::Throws([&] {
      Stage(*old, 13, NewNumbers(2));
      old->Commit(13);
    });
    See("fence", "after the owner from before has gone on to the next batch");
    old.reset();
    Commit(*next, 13, NewNumbers(2));
    See("fence", "after the owner from before has gone and the newer one has gone on");
  }

  void Partitions() {
    Reopen(1, 0, "partitions");
    Writer one = Reopen(1, 0, "partitions"), two = Reopen(2, 0, "partitions");
    std::vector<std::vector<std::uint64_t>> of_one, of_two;
    for (int i = 0; i < 10; ++i) of_one.push_back(NewNumbers(5)), of_two.push_back(NewNumbers(5));
    const auto write = [this](CustomSinkWriter<T>& writer, const auto& batches, std::string& error) {
      try {
        for (std::size_t i = 0; i < batches.size(); ++i) {
          Stage(writer, i + 1, batches[i]);
          writer.Commit(i + 1);
        }
      } catch (const std::exception& e) {
        error = e.what();
      }
    };
    std::string error_one, error_two;
    std::thread thread([&] { write(*one, of_one, error_one); });
    write(*two, of_two, error_two);
    thread.join();
    found_.Expect(error_one.empty() && error_two.empty(), "partitions",
                  "two partitions that are written at once: it threw: " + error_one + error_two);
    for (const auto& numbers : of_one) Committed(numbers);
    for (const auto& numbers : of_two) Committed(numbers);
    See("partitions", "after two partitions were written at once");
    one.reset();
    two.reset();
    Reopen(1, 10, "partitions");
    Reopen(2, 10, "partitions");
    Reopen(0, 13, "partitions");
  }

  // The mark of a batch without rows may be left out: when it is done again it has none again.
  void Empty() {
    Writer writer = Reopen(3, 0, "mark");
    Commit(*writer, 1, {});
    See("empty", "after a batch without rows");
    Commit(*writer, 2, NewNumbers(2));
    Commit(*writer, 3, {});
    See("empty", "after a batch without rows that follows one with rows");
    writer = Open(3);
    const std::uint64_t mark = writer->LastMark();
    found_.Expect(mark == 2 || mark == 3, "empty",
                  "LastMark gives " + std::to_string(mark) + " after batch 2, and batch 3 without rows");
  }

  void Large() {
    Writer writer = Reopen(4, 0, "mark");
    Commit(*writer, 1, NewNumbers(sink_.large_batch));
    See("large", "after a batch of " + std::to_string(sink_.large_batch) + " rows");
    writer = nullptr;
    Reopen(4, 1, "large");
  }

  const SinkUnderTest<T> sink_;
  Conformance found_;
  std::uint64_t fence_ = 0;
  std::uint64_t row_ = 0;
  Numbers expected_;
  std::vector<std::shared_ptr<CustomSink<T>>> objects_;
};

template <class T>
Conformance CheckSink(SinkUnderTest<T> sink) {
  return SinkCheck<T>(std::move(sink)).Run();
}

}  // namespace millrace::testing
