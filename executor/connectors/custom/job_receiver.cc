#include "executor/connectors/custom/job_receiver.h"

#include <algorithm>
#include <vector>

#include "common/log.h"
#include "executor/connectors/custom/guard.h"

namespace millrace {
namespace {

using custom::Guarded;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::chrono::milliseconds kLastPause{10'000};
constexpr std::chrono::seconds kForgiven{60};

engine::StoreOutcome OutcomeOf(const absl::Status& status) {
  if (status.ok()) return engine::StoreOutcome::kStored;
  if (absl::IsAborted(status) || absl::IsCancelled(status)) return engine::StoreOutcome::kEnded;
  if (absl::IsInvalidArgument(status)) return engine::StoreOutcome::kTooLarge;
  return engine::StoreOutcome::kFailed;
}

}  // namespace

JobReceiver::JobReceiver(std::string where, std::shared_ptr<engine::Receiver> receiver)
    : where_(std::move(where)), receiver_(std::move(receiver)) {}

JobReceiver::~JobReceiver() { Stop(); }

absl::Status JobReceiver::Start(ReceiverStore& store) {
  store_ = &store;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void JobReceiver::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::string JobReceiver::Problem() const {
  const std::lock_guard lock(mutex_);
  if (!failed_.empty()) return failed_;
  return reported_.empty() ? std::string() : Concat(where_, ": ", reported_);
}

engine::StoreResult JobReceiver::Store(std::span<const engine::ReceivedValue> records) {
  {
    const std::lock_guard lock(mutex_);
    if (!receiving_) return {engine::StoreOutcome::kEnded, "Store after Stop: nothing was stored"};
  }
  std::vector<ReceivedRecord> theirs(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    theirs[i].value = records[i].value;
    theirs[i].id = records[i].id;
  }
  const absl::Status status = store_->Store(theirs);
  return {OutcomeOf(status), Message(status)};
}

void JobReceiver::Report(std::string problem) {
  const std::lock_guard lock(mutex_);
  reported_ = std::move(problem);
}

void JobReceiver::Restart(std::string why) {
  {
    const std::lock_guard lock(mutex_);
    restart_ = why.empty() ? "it asked for a restart" : std::move(why);
  }
  changed_.notify_all();
}

void JobReceiver::Run() {
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLastPause)) {
    const auto begun = Clock::now();
    if (!RunOnce()) return;
    if (Clock::now() - begun > kForgiven) pause = kFirstPause;
    Pause(pause);
  }
}

bool JobReceiver::RunOnce() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    receiving_ = true;
    restart_.clear();
    reported_.clear();
  }
  absl::Status status = Guarded(where_, "Start", [&] { receiver_->StartWith(*this); });
  std::unique_lock lock(mutex_);
  failed_ = Message(status);
  if (status.ok()) {
    changed_.wait(lock, [this] { return stopping_ || !restart_.empty(); });
    const std::string why = restart_;
    lock.unlock();
    status = Guarded(where_, "Stop", [&] { receiver_->Stop(); });
    lock.lock();
    if (!stopping_) failed_ = Concat(where_, ": ", why, "; it is started again");
    if (!status.ok()) failed_ = Message(status);
  }
  receiving_ = false;
  if (!failed_.empty()) log::Warn("a receiver is not receiving", {{"why", failed_}});
  return !stopping_ && !absl::IsInvalidArgument(status);
}

void JobReceiver::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

}  // namespace millrace
