// The conformance test of receivers, tried with a receiver that is right and with ones that are wrong in one way each.
#include "millrace/testing/receiver_conformance.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::CheckReceiver;
using testing::Conformance;

enum class Wrong {
  kNothing,
  kAcknowledgesFirst,    // and then stores
  kIgnoresFailure,       // of Store
  kGoesOnAfterEnd,       // tries again when Store says that it is over
  kNotStoppedAfterStop,  // goes on receiving
  kStopWaits,            // for an upstream that says nothing
  kStartReceives,        // itself, for ever
  kStartThrows,
  kStartsOnce,
  kDropsRecords,
  kNoIds,
  kNewIds,  // when a record comes again
};

// An upstream that keeps what is not acknowledged. Nothing waits in it longer than it is told to: a receiver that is
// left behind must end when the test does.
struct Upstream {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::uint64_t> records;
  bool gone = false;
};

class Numbers : public CustomReceiver<std::uint64_t> {
 public:
  Numbers(Wrong wrong, std::shared_ptr<Upstream> upstream) : wrong_(wrong), upstream_(std::move(upstream)) {}
  ~Numbers() override { Join(); }

  void Start(ReceiverOutput<std::uint64_t>& out) override {
    if (wrong_ == Wrong::kStartThrows) throw std::runtime_error("the upstream is away");
    if (wrong_ == Wrong::kStartsOnce && started_) return;
    if (wrong_ == Wrong::kNotStoppedAfterStop && started_) Join();
    started_ = true;
    stopping_ = false;
    if (wrong_ == Wrong::kStartReceives) return Run(out);
    thread_ = std::thread([this, &out] { Run(out); });
  }
  void Stop() override {
    if (wrong_ == Wrong::kNotStoppedAfterStop) return;
    if (wrong_ != Wrong::kStopWaits) stopping_ = true;
    upstream_->changed.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Join() {
    stopping_ = true;
    upstream_->changed.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  std::string IdOf(std::uint64_t number) {
    if (wrong_ == Wrong::kNoIds) return {};
    if (wrong_ == Wrong::kNewIds) return std::to_string(++ids_);
    return "id" + std::to_string(number);
  }

  void Run(ReceiverOutput<std::uint64_t>& out) {
    while (true) {
      std::unique_lock lock(upstream_->mutex);
      upstream_->changed.wait_for(lock, 10ms,
                                  [&] { return stopping_ || upstream_->gone || !upstream_->records.empty(); });
      if (stopping_ || upstream_->gone) return;
      if (upstream_->records.empty()) continue;
      const std::uint64_t number = upstream_->records.front();
      if (wrong_ == Wrong::kAcknowledgesFirst) upstream_->records.pop_front();
      lock.unlock();
      const bool drop = wrong_ == Wrong::kDropsRecords && number % 7 == 3;
      const StoreResult stored = drop ? StoreResult{} : out.Store(number, IdOf(number));
      if (stored.outcome == StoreOutcome::kEnded && wrong_ != Wrong::kGoesOnAfterEnd &&
          wrong_ != Wrong::kNotStoppedAfterStop)
        return;
      const bool good = stored.ok() || wrong_ == Wrong::kIgnoresFailure;
      lock.lock();
      if (good && !upstream_->records.empty() && upstream_->records.front() == number) upstream_->records.pop_front();
    }
  }

  const Wrong wrong_;
  const std::shared_ptr<Upstream> upstream_;
  static inline std::atomic<int> ids_ = 0;
  std::atomic<bool> stopping_ = false;
  bool started_ = false;
  std::thread thread_;
};

Conformance Check(Wrong wrong) {
  const auto upstream = std::make_shared<Upstream>();
  Conformance found = CheckReceiver<std::uint64_t>({
      .make = [&] { return std::make_unique<Numbers>(wrong, upstream); },
      .send =
          [&](std::uint64_t from, std::uint64_t to) {
            const std::lock_guard lock(upstream->mutex);
            for (std::uint64_t n = from; n < to; ++n) upstream->records.push_back(n);
            upstream->changed.notify_all();
          },
      .number = [](std::uint64_t n) { return n; },
      .patience = wrong == Wrong::kNothing ? 10'000ms : 400ms,
      .quiet = 50ms,
  });
  const std::lock_guard lock(upstream->mutex);
  upstream->gone = true;
  upstream->changed.notify_all();
  return found;
}

TEST(ReceiverConformance, FindsNothingWrongWithAReceiverThatIsRight) {
  const Conformance found = Check(Wrong::kNothing);
  EXPECT_TRUE(found.ok()) << found.text();
  EXPECT_GT(found.checks(), 50u);
}

void ExpectFound(Wrong wrong, std::string_view check) {
  const Conformance found = Check(wrong);
  EXPECT_FALSE(found.ok());
  EXPECT_TRUE(found.Failed(check)) << "case " << static_cast<int>(wrong) << ", " << check << ": " << found.text();
}

TEST(ReceiverConformance, FindsAnAcknowledgementThatComesTooEarly) {
  ExpectFound(Wrong::kAcknowledgesFirst, "failed");
  ExpectFound(Wrong::kIgnoresFailure, "failed");
}

TEST(ReceiverConformance, FindsAReceiverThatDoesNotEnd) {
  ExpectFound(Wrong::kGoesOnAfterEnd, "ended");
  ExpectFound(Wrong::kNotStoppedAfterStop, "after stop");
  ExpectFound(Wrong::kStopWaits, "stop");
}

TEST(ReceiverConformance, FindsAReceiverThatDoesNotBegin) {
  ExpectFound(Wrong::kStartReceives, "start");
  ExpectFound(Wrong::kStartThrows, "start");
  ExpectFound(Wrong::kStartsOnce, "restart");
}

TEST(ReceiverConformance, FindsRecordsThatAreLost) { ExpectFound(Wrong::kDropsRecords, "receive"); }

TEST(ReceiverConformance, FindsIdsThatAreNone) {
  ExpectFound(Wrong::kNoIds, "ids");
  ExpectFound(Wrong::kNewIds, "ids");
}

}  // namespace
}  // namespace millrace
