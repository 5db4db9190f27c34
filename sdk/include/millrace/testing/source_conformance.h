// Tries a CustomSource against what the runner relies on: its splits are stable, and from every position reading gives
// the same records with the same positions after them, whoever reads, with whatever limits, forward and back.
//
//   const auto found = CheckSource([&] { return std::make_shared<CsvFolder>(folder, true); }, {.bounded = true});
//   EXPECT_TRUE(found.ok()) << found.text();
//
// The source needs data to be tried with, at least three records in a split, which does not change meanwhile: a test
// that sees no records fails. Failures have these names: "list", "open", "read", "limits", "replay", "seek", "end",
// "position", "threads". Runs on the caller's thread and a few of its own, which end before it returns. A Read that
// never returns is not found out: give the test a timeout.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/engine_connectors.h"
#include "millrace/testing/conformance.h"

namespace millrace::testing {

struct SourceCheckOptions {
  bool bounded = false;                           // every split must end
  std::size_t max_records = 20'000;               // of a split, looked at
  std::size_t max_positions = 50;                 // of a split, that reading is begun from
  std::size_t idle_reads = 20;                    // how often a Read may find nothing before the data counts as read
  std::chrono::milliseconds pause{5};             // between them
  std::string bad_position = "no such position";  // that no record of the source is at; empty: not tried
};

namespace detail_source {

struct Entry {
  std::string value;
  std::string next;
  bool operator==(const Entry&) const = default;
};

// Takes up to `limit` records.
class Output final : public engine::ReadOutput {
 public:
  explicit Output(std::size_t limit) : limit_(limit) {}
  bool Add(std::string_view value, std::string_view next) override {
    if (!wanted()) {
      ++too_many;
      return false;
    }
    entries.push_back({std::string(value), std::string(next)});
    return wanted();
  }
  bool wanted() const override { return entries.size() < limit_; }

  std::vector<Entry> entries;
  std::size_t too_many = 0;

 private:
  const std::size_t limit_;
};

struct Reading {
  std::vector<Entry> entries;
  bool ended = false;
  std::size_t too_many = 0;
};

// Reads on from a position, at most `limit` records in each call, until `most` are there or nothing comes.
inline Reading ReadOn(engine::SplitReader& reader, std::string from, std::size_t limit, std::size_t most,
                      const SourceCheckOptions& options) {
  Reading reading;
  for (std::size_t idle = 0; !reading.ended && reading.entries.size() < most && idle < options.idle_reads;) {
    Output output(std::min(limit, most - reading.entries.size()));
    const auto end = reader.ReadInto(output, from);
    reading.too_many += output.too_many;
    // A full output says nothing of what comes after it.
    reading.ended = end == engine::ReadEnd::kEnd && output.wanted();
    idle = output.entries.empty() ? idle + 1 : 0;
    if (!output.entries.empty()) from = output.entries.back().next;
    for (Entry& entry : output.entries) reading.entries.push_back(std::move(entry));
    if (idle > 0 && !reading.ended) std::this_thread::sleep_for(options.pause);
  }
  return reading;
}

inline std::string Difference(const std::vector<Entry>& expected, std::size_t skip, const std::vector<Entry>& got) {
  const std::size_t wanted = expected.size() - skip;
  for (std::size_t i = 0; i < std::min(wanted, got.size()); ++i) {
    if (got[i].value != expected[skip + i].value) return "record " + std::to_string(i) + " is another one";
    if (got[i].next != expected[skip + i].next)
      return "the position after record " + std::to_string(i) + " is '" + got[i].next + "', and was '" +
             expected[skip + i].next + "'";
  }
  if (got.size() == wanted) return {};
  return "there are " + std::to_string(got.size()) + " records, and were " + std::to_string(wanted);
}

inline std::string At(const std::string& split, std::string_view position) {
  return "split '" + split + "' from position '" + std::string(position) + "': ";
}

}  // namespace detail_source

// One source under test; CheckSource below runs all parts.
class SourceCheck {
  using Source = engine::Source;
  using Reading = detail_source::Reading;

 public:
  SourceCheck(std::function<std::shared_ptr<Source>()> make, const SourceCheckOptions& options)
      : make_(std::move(make)), options_(options) {}

  Conformance Run() {
    found_.Run("list", [&] { List(); });
    std::size_t records = 0, most = 0;
    for (const engine::SplitStart& split : splits_) {
      found_.Run("read", [&] { ReadAll(split); });
      records += all_.entries.size();
      most = std::max(most, all_.entries.size());
      found_.Run("limits", [&] { Limits(split); });
      found_.Run("replay", [&] { Replay(split); });
      found_.Run("seek", [&] { Seek(split); });
      found_.Run("end", [&] { End(split); });
      found_.Run("position", [&] { BadPosition(split); });
      expected_.push_back(all_);
    }
    found_.Expect(most >= 3, "read",
                  "the splits have " + std::to_string(records) +
                      " records, and none has three: the test needs data to be able to fail");
    found_.Run("open", [&] {
      auto source = make_();
      const std::string name = "no such split " + std::to_string(splits_.size());
      found_.Expect(Conformance::Throws([&] {
                      detail_source::Output output(1);
                      const auto reader = source->Open(name);
                      if (!output.entries.empty() || reader == nullptr) throw std::runtime_error("no reader");
                      reader->ReadInto(output, splits_.empty() ? "0" : splits_[0].start);
                    }),
                    "open", "a split that does not exist can be opened and read; it must throw");
    });
    found_.Run("threads", [&] { Threads(); });
    return found_;
  }

 private:
  static std::vector<std::pair<std::string, std::string>> Pairs(const engine::SplitList& list) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const auto& split : list.splits) pairs.emplace_back(split.name, split.start);
    return pairs;
  }

  void List() {
    auto source = make_();
    const engine::SplitList first = source->ListSplits();
    splits_ = first.splits;
    std::set<std::string> names;
    found_.Expect(!splits_.empty(), "list", "there is no split: the test needs data to be able to fail");
    for (const auto& split : splits_) {
      found_.Expect(!split.name.empty() && !split.start.empty(), "list", "a split has no name, or no start");
      found_.Expect(names.insert(split.name).second, "list", "the split '" + split.name + "' is there twice");
    }
    found_.Expect(Pairs(source->ListSplits()) == Pairs(first), "list", "a second list of the same source is another");
    const engine::SplitList other = make_()->ListSplits();
    found_.Expect(Pairs(other) == Pairs(first), "list", "another object of the same source gives another list");
    if (options_.bounded) found_.Expect(first.complete, "list", "a bounded source must say that its list is complete");
  }

  void ReadAll(const engine::SplitStart& split) {
    all_ = {};
    auto source = make_();
    all_ = detail_source::ReadOn(*source->Open(split.name), split.start, std::numeric_limits<std::size_t>::max(),
                                 options_.max_records, options_);
    std::set<std::string> positions = {split.start};
    for (const auto& entry : all_.entries) {
      found_.Expect(!entry.next.empty() && entry.next.size() <= 1000, "read",
                    "split '" + split.name + "' has a position of " + std::to_string(entry.next.size()) +
                        " bytes; it must have 1 to 1000");
      found_.Expect(positions.insert(entry.next).second, "read",
                    "split '" + split.name + "' has the position '" + entry.next +
                        "' after two records (or at its start): each must have its own");
    }
  }

  void Compare(std::string_view check, const std::string& where, std::size_t skip, const Reading& got) {
    const std::string difference = detail_source::Difference(all_.entries, skip, got.entries);
    found_.Expect(difference.empty(), check, where + difference);
  }

  void Limits(const engine::SplitStart& split) {
    for (const std::size_t limit : std::initializer_list<std::size_t>{1, 2, 3, 7, 1000}) {
      const std::size_t most = std::min<std::size_t>(all_.entries.size(), limit * 200);
      auto source = make_();
      const Reading got = detail_source::ReadOn(*source->Open(split.name), split.start, limit, most, options_);
      Reading head = got;
      head.entries.resize(std::min(head.entries.size(), most));
      const Reading whole = std::exchange(all_, head);
      all_.entries.assign(whole.entries.begin(), whole.entries.begin() + static_cast<std::ptrdiff_t>(most));
      Compare("limits", "split '" + split.name + "' with " + std::to_string(limit) + " records in each Read: ", 0, got);
      all_ = whole;
      found_.Expect(got.too_many == 0, "limits",
                    "split '" + split.name + "': Add was called again after it had given false");
    }
  }

  // Indices of positions to begin from: the first ones, the last ones, and some between.
  std::vector<std::size_t> Sample() const {
    const std::size_t n = all_.entries.size();
    std::set<std::size_t> sample;
    for (std::size_t i = 0; i < std::min<std::size_t>(n, 5); ++i) sample.insert({i, n - 1 - i});
    const std::size_t steps = std::max<std::size_t>(1, n / std::max<std::size_t>(1, options_.max_positions));
    for (std::size_t i = 0; i < n; i += steps) sample.insert(i);
    return {sample.begin(), sample.end()};
  }
  const std::string& Before(const engine::SplitStart& split, std::size_t i) const {
    return i == 0 ? split.start : all_.entries[i - 1].next;
  }

  void Replay(const engine::SplitStart& split) {
    for (const std::size_t i : Sample()) {
      auto source = make_();  // as after a crash, on another machine
      const std::string& from = Before(split, i);
      const auto got = detail_source::ReadOn(*source->Open(split.name), from, std::numeric_limits<std::size_t>::max(),
                                             all_.entries.size() - i, options_);
      Compare("replay", detail_source::At(split.name, from), i, got);
    }
  }

  // One reader, sent about: as when a cut did not become a plan.
  void Seek(const engine::SplitStart& split) {
    auto source = make_();
    auto reader = source->Open(split.name);
    std::vector<std::size_t> sample = Sample();
    for (std::size_t i = 0; i + 1 < sample.size(); i += 2) std::swap(sample[i], sample[sample.size() - 1 - i]);
    for (const std::size_t i : sample) {
      const std::string& from = Before(split, i);
      const std::size_t most = std::min<std::size_t>(10, all_.entries.size() - i);
      const auto got = detail_source::ReadOn(*reader, from, 5, most, options_);
      const Reading whole = all_;
      all_.entries.resize(i + most);
      Compare("seek",
              "one reader, sent to a position that is not where it stands: " + detail_source::At(split.name, from), i,
              got);
      all_ = whole;
    }
  }

  void End(const engine::SplitStart& split) {
    if (options_.bounded && all_.entries.size() < options_.max_records)
      found_.Expect(all_.ended, "end", "the source is bounded, and split '" + split.name + "' did not say kEnd");
    if (!all_.ended) return;
    const std::string last = all_.entries.empty() ? split.start : all_.entries.back().next;
    auto source = make_();
    auto reader = source->Open(split.name);
    for (int i = 0; i < 2; ++i) {
      const auto got = detail_source::ReadOn(*reader, last, 10, 10, options_);
      found_.Expect(got.ended && got.entries.empty(), "end",
                    detail_source::At(split.name, last) + "it had ended there, and now it has not");
    }
  }

  void BadPosition(const engine::SplitStart& split) {
    if (options_.bad_position.empty()) return;
    auto source = make_();
    found_.Expect(Conformance::Throws([&] {
                    detail_source::Output output(1);
                    source->Open(split.name)->ReadInto(output, options_.bad_position);
                  }),
                  "position", detail_source::At(split.name, options_.bad_position) + "Read must throw, and does not");
  }

  // All splits at once, of one source, twice each.
  void Threads() {
    auto source = make_();
    std::vector<Reading> got(2 * splits_.size());
    std::vector<std::string> errors(got.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < std::min<std::size_t>(got.size(), 16); ++i) {
      threads.emplace_back([&, i] {
        const std::size_t s = i / 2;
        try {
          got[i] = detail_source::ReadOn(*source->Open(splits_[s].name), splits_[s].start, 7,
                                         expected_[s].entries.size(), options_);
        } catch (const std::exception& e) {
          errors[i] = e.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < threads.size(); ++i) {
      all_ = expected_[i / 2];
      found_.Expect(errors[i].empty(), "threads", "split '" + splits_[i / 2].name + "' threw: " + errors[i]);
      Compare("threads", "split '" + splits_[i / 2].name + "' read by two threads at once: ", 0, got[i]);
    }
  }

  const std::function<std::shared_ptr<Source>()> make_;
  const SourceCheckOptions options_;
  Conformance found_;
  std::vector<engine::SplitStart> splits_;
  Reading all_;  // of the split at hand
  std::vector<Reading> expected_;
};

// `make` gives a shared_ptr to the source, a new object each time, as each runner has one.
template <class Make>
Conformance CheckSource(Make make, const SourceCheckOptions& options = {}) {
  return SourceCheck([make = std::move(make)]() -> std::shared_ptr<engine::Source> { return make(); }, options).Run();
}

}  // namespace millrace::testing
