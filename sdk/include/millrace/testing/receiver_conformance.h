// Tries a CustomReceiver against what the runner relies on: Start and Stop return, nothing is stored after Stop, and
// what could not be stored is not acknowledged, so that it comes again.
//
//   const auto found = CheckReceiver<Reading>({
//       .make = [&] { return std::make_unique<SpoolReceiver>(folder); },
//       .send = [&](std::uint64_t from, std::uint64_t to) { the upstream sends the records from, … to - 1; },
//       .number = [](const Reading& r) { return std::stoull(r.id); },
//   });
//   EXPECT_TRUE(found.ok()) << found.text();
//
// The upstream is a real one. Failures have these names: "start", "receive", "stop", "after stop", "restart", "failed",
// "ended", "blocked", "next owner", "ids". A receiver that does not come back from Start or Stop is left behind with
// its thread, and the test ends. Runs for a few seconds, on threads of its own besides.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "millrace/custom_receiver.h"
#include "millrace/testing/conformance.h"

namespace millrace::testing {

template <class T>
struct ReceiverUnderTest {
  std::function<std::unique_ptr<CustomReceiver<T>>()> make;
  std::function<void(std::uint64_t from, std::uint64_t to)> send;  // may be called while nobody receives
  std::function<std::uint64_t(const T&)> number;                   // of a record, as send had it
  bool upstream_keeps = true;  // what is not acknowledged comes again; false: such an upstream loses it
  bool gives_ids = true;       // records have ids, the same when they come again
  std::chrono::milliseconds patience = std::chrono::seconds(10);
  std::chrono::milliseconds quiet = std::chrono::milliseconds(300);  // how long nothing must happen after Stop
};

namespace detail_receiver {

// Takes what is stored, or refuses it, as a runner would in trouble.
class Output final : public engine::ReceiverOutput {
 public:
  enum class Mode { kTake, kFail, kEnd, kBlock };
  struct Record {
    std::string value;
    std::string id;
  };

  engine::StoreResult Store(std::span<const engine::ReceivedValue> records) override {
    std::unique_lock lock(mutex_);
    ++calls_;
    for (const engine::ReceivedValue& record : records)
      seen_.push_back({std::string(record.value), std::string(record.id)});
    if (stopped_) ++late_;
    changed_.notify_all();
    if (mode_ == Mode::kBlock) changed_.wait(lock, [this] { return mode_ != Mode::kBlock; });
    if (mode_ == Mode::kEnd || stopped_) return {engine::StoreOutcome::kEnded, "the test has ended this receiver"};
    if (mode_ == Mode::kFail) {
      if (--failures_ == 0) mode_ = Mode::kTake;
      return {engine::StoreOutcome::kFailed, "the test lets the storage fail"};
    }
    for (const engine::ReceivedValue& record : records)
      records_.push_back({std::string(record.value), std::string(record.id)});
    changed_.notify_all();
    return {};
  }
  void Report(std::string problem) override {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
  }
  void Restart(std::string why) override { Report(std::move(why)); }

  void Be(Mode mode, int failures = 0) {
    const std::lock_guard lock(mutex_);
    mode_ = mode;
    failures_ = failures;
    changed_.notify_all();
  }
  void SetStopped(bool stopped) {
    const std::lock_guard lock(mutex_);
    stopped_ = stopped;
  }
  // Waits until so many calls were made, or records are there.
  bool AwaitCalls(std::uint64_t calls, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return calls_ >= calls; });
  }
  template <class Done>
  bool AwaitRecords(std::chrono::milliseconds patience, Done done) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return done(records_); });
  }
  std::vector<Record> records() const {
    const std::lock_guard lock(mutex_);
    return records_;
  }
  // Also what was refused.
  std::vector<Record> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::uint64_t late() const {
    const std::lock_guard lock(mutex_);
    return late_;
  }
  std::string problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Mode mode_ = Mode::kTake;
  int failures_ = 0;
  bool stopped_ = false;
  std::uint64_t calls_ = 0;
  std::uint64_t late_ = 0;       // calls after Stop
  std::vector<Record> records_;  // that were taken
  std::vector<Record> seen_;
  std::string problem_;
};

}  // namespace detail_receiver

template <class T>
class ReceiverCheck {
  using Output = detail_receiver::Output;
  using Mode = Output::Mode;

  // A receiver with what it stores to. Shared with the threads of calls that do not return.
  struct Owner {
    Output output;
    std::unique_ptr<CustomReceiver<T>> receiver;  // ends first: its threads store to the output until it is gone
  };

 public:
  explicit ReceiverCheck(ReceiverUnderTest<T> receiver) : test_(std::move(receiver)) {}

  Conformance Run() {
    const auto part = [this](std::string_view name, void (ReceiverCheck::*check)()) {
      if (!hangs_) found_.Run(name, [&] { (this->*check)(); });
    };
    part("receive", &ReceiverCheck::Receive);
    part("failed", &ReceiverCheck::Failed);
    part("ended", &ReceiverCheck::Ended);
    part("blocked", &ReceiverCheck::Blocked);
    return found_;
  }

 private:
  // Runs Start or Stop with a time limit. False: it hangs, and its thread is left behind.
  bool Call(const std::shared_ptr<Owner>& owner, std::string_view name, bool start) {
    auto done = std::make_shared<std::promise<std::string>>();
    auto result = done->get_future();
    std::thread([owner, done, start] {
      try {
        start ? owner->receiver->StartWith(owner->output) : owner->receiver->Stop();
        done->set_value({});
      } catch (const std::exception& e) {
        done->set_value(std::string("it threw: ") + e.what());
      } catch (...) {
        done->set_value("it threw something that is no std::exception");
      }
    }).detach();
    if (result.wait_for(test_.patience) != std::future_status::ready) {
      hangs_ = true;
      found_.Fail(name, "it did not return in " + std::to_string(test_.patience.count()) + " ms");
      return false;
    }
    const std::string error = result.get();
    return found_.Expect(error.empty(), name, error);
  }
  std::shared_ptr<Owner> Begin(Mode mode = Mode::kTake, int failures = 0) {
    auto owner = std::make_shared<Owner>();
    owner->receiver = test_.make();
    owner->output.Be(mode, failures);
    if (!Call(owner, "start", true)) return nullptr;
    return owner;
  }
  bool End(const std::shared_ptr<Owner>& owner) {
    if (!Call(owner, "stop", false)) return false;
    owner->output.SetStopped(true);
    return true;
  }

  std::uint64_t NumberOf(const Output::Record& record) const {
    return test_.number(detail::FromValueBytes<T>(record.value));
  }
  void Send(std::uint64_t count) {
    test_.send(next_, next_ + count);
    next_ += count;
  }
  // All records from `first` on that were sent.
  void ExpectAll(const std::shared_ptr<Owner>& owner, std::string_view check, std::uint64_t first,
                 const std::string& when) {
    const auto missing = [&](const std::vector<Output::Record>& records) {
      std::set<std::uint64_t> numbers;
      for (const auto& record : records) numbers.insert(NumberOf(record));
      std::uint64_t count = 0;
      for (std::uint64_t n = first; n < next_; ++n) count += numbers.contains(n) ? 0 : 1;
      return count;
    };
    const bool all = owner->output.AwaitRecords(
        test_.patience, [&](const std::vector<Output::Record>& records) { return missing(records) == 0; });
    const std::string problem = owner->output.problem();
    found_.Expect(all, check,
                  when + ": " + std::to_string(missing(owner->output.records())) + " of " +
                      std::to_string(next_ - first) + " records are not stored" +
                      (problem.empty() ? "" : "; it reports: " + problem));
    CheckIds(owner->output.seen());
  }
  void CheckIds(const std::vector<Output::Record>& records) {
    if (!test_.gives_ids) return;
    for (const auto& record : records) {
      const std::uint64_t number = NumberOf(record);
      found_.Expect(!record.id.empty(), "ids", "record " + std::to_string(number) + " has no id");
      const auto [known, is_new] = ids_.emplace(number, record.id);
      found_.Expect(known->second == record.id, "ids",
                    "record " + std::to_string(number) + " has the id '" + record.id + "', and had '" + known->second +
                        "' before");
      const auto [owner, first] = numbers_.emplace(record.id, number);
      found_.Expect(owner->second == number, "ids", "two records have the id '" + record.id + "'");
    }
  }

  void Receive() {
    auto owner = Begin();
    if (!owner) return;
    Send(20);
    ExpectAll(owner, "receive", 0, "after the upstream has sent them");
    if (!End(owner)) return;
    const std::uint64_t begin = next_;
    Send(5);
    std::this_thread::sleep_for(test_.quiet);
    // A receiver that still runs is not to be started again: its threads use what Start replaces.
    if (!found_.Expect(owner->output.late() == 0, "after stop",
                       "Store was called " + std::to_string(owner->output.late()) + " times after Stop had returned"))
      return;
    owner->output.SetStopped(false);
    if (!Call(owner, "restart", true)) return;
    Send(5);
    ExpectAll(owner, "restart", test_.upstream_keeps ? begin : next_ - 5, "after Stop and a second Start");
    if (!End(owner)) return;
    owner = Begin();
    if (!owner) return;
    Send(5);
    ExpectAll(owner, "next owner", next_ - 5, "with a new receiver after the first had stopped");
    End(owner);
  }

  void Failed() {
    auto owner = Begin(Mode::kFail, 3);
    if (!owner) return;
    const std::uint64_t begin = next_;
    Send(20);
    found_.Expect(owner->output.AwaitCalls(1, test_.patience), "failed", "nothing was given to Store");
    if (test_.upstream_keeps) ExpectAll(owner, "failed", begin, "after Store had failed three times");
    End(owner);
  }

  // The split has another owner: nothing more may be acknowledged here, and all of it must come to the other one.
  void Ended() {
    auto owner = Begin(Mode::kEnd);
    if (!owner) return;
    const std::uint64_t begin = next_;
    Send(20);
    found_.Expect(owner->output.AwaitCalls(1, test_.patience), "ended", "nothing was given to Store");
    CheckIds(owner->output.seen());
    const std::uint64_t calls = owner->output.calls();
    std::this_thread::sleep_for(test_.quiet);
    found_.Expect(owner->output.calls() <= calls + 20, "ended",
                  "after kEnded Store was called " + std::to_string(owner->output.calls() - calls) +
                      " times more: a receiver is to end then, not to try again");
    if (!End(owner)) return;
    TakeOver("ended", begin, "which Store had refused with kEnded, with the next receiver");
  }

  void Blocked() {
    auto owner = Begin(Mode::kBlock);
    if (!owner) return;
    const std::uint64_t begin = next_;
    Send(20);
    found_.Expect(owner->output.AwaitCalls(1, test_.patience), "blocked", "nothing was given to Store");
    CheckIds(owner->output.seen());
    std::thread release([owner, quiet = test_.quiet] {
      std::this_thread::sleep_for(quiet);
      owner->output.Be(Mode::kEnd);  // as the runner does: a Store that waits ends first
    });
    const bool ended = Call(owner, "blocked", false);
    release.join();
    if (!ended) return;
    owner->output.SetStopped(true);
    TakeOver("blocked", begin, "which waited in Store when the receiver was stopped, with the next receiver");
  }

  void TakeOver(std::string_view check, std::uint64_t begin, const std::string& which) {
    if (!test_.upstream_keeps) return;
    auto next = Begin();
    if (!next) return;
    ExpectAll(next, check, begin, "records " + which);
    End(next);
  }

  const ReceiverUnderTest<T> test_;
  Conformance found_;
  bool hangs_ = false;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::string> ids_;
  std::map<std::string, std::uint64_t> numbers_;
};

template <class T>
Conformance CheckReceiver(ReceiverUnderTest<T> receiver) {
  return ReceiverCheck<T>(std::move(receiver)).Run();
}

}  // namespace millrace::testing
