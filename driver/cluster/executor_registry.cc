#include "driver/cluster/executor_registry.h"

#include "common/log.h"
#include "common/status.h"

namespace millrace {
namespace {
constexpr std::int64_t kLookAgain = 50'000;  // for an executor, while the driver is young
}

ExecutorRegistry::ExecutorRegistry(EventLoop& loop, std::uint64_t epoch, ExecutorLimits limits, OnLost on_lost)
    : loop_(loop), epoch_(epoch), limits_(limits), on_lost_(std::move(on_lost)), begun_us_(loop.now_us()) {}

void ExecutorRegistry::Connected(const v1::Register& info, const std::string& address,
                                 std::shared_ptr<ExecutorStream> stream) {
  Executor& executor = executors_[info.executor_id()];
  if (executor.stream)
    executor.stream->Close(
        grpc::Status(grpc::StatusCode::ABORTED, "another process has registered under this executor's id"));
  executor.info = info;
  executor.address = address;
  executor.stream = std::move(stream);
  executor.connected_us = executor.heard_us = loop_.now_us();
  executor.lost = executor.leaving = false;
  log::Info("executor connected", {{"executor", info.executor_id()}, {"address", address}, {"slots", info.slots()}});
}

void ExecutorRegistry::Disconnected(const std::string& id, const ExecutorStream* stream, const std::string& reason) {
  const auto it = executors_.find(id);
  if (it == executors_.end() || it->second.stream.get() != stream) return;
  it->second.stream.reset();
  FailPlans(id, "the executor that was planning it went away");
  log::Warn("executor disconnected", {{"executor", id}, {"reason", reason}});
  loop_.PostAt(loop_.now_us() + limits_.grace_us, [this, id] {
    Executor& executor = executors_[id];
    if (executor.stream || executor.lost) return;
    executor.lost = true;
    log::Warn("executor lost", {{"executor", id}});
    on_lost_(id, "its executor is gone");
  });
}

void ExecutorRegistry::Heartbeat(const std::string& executor) {
  if (auto it = executors_.find(executor); it != executors_.end()) it->second.heard_us = loop_.now_us();
}

void ExecutorRegistry::Leaving(const std::string& executor) {
  if (auto it = executors_.find(executor); it != executors_.end()) it->second.leaving = true;
  log::Info("executor leaves", {{"executor", executor}});
}

void ExecutorRegistry::CheckSilence() {
  const std::int64_t limit = loop_.now_us() - limits_.silence_us;
  for (auto& [id, executor] : executors_) {
    if (!executor.stream || executor.heard_us >= limit) continue;
    const auto stream = executor.stream;
    stream->Close(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no heartbeat"));
    Disconnected(id, stream.get(), "no heartbeat");
  }
}

void ExecutorRegistry::Send(const std::string& id, v1::ExecutorCommand command) {
  const auto it = executors_.find(id);
  if (it == executors_.end() || !it->second.stream) return;
  command.set_epoch(epoch_);
  it->second.stream->Send(std::move(command));
}

void ExecutorRegistry::Plan(v1::PlanRequest request, PlanDone done) {
  const std::vector<std::string> up = connected();
  if (up.empty() && loop_.now_us() < begun_us_ + limits_.grace_us) {
    loop_.PostAt(loop_.now_us() + kLookAgain,
                 [this, request = std::move(request), done = std::move(done)] { Plan(request, done); });
    return;
  }
  if (up.empty()) {
    done(FailedPrecondition(
        "no executor is connected, so the job cannot be planned: start a millrace-executor and submit again"));
    return;
  }
  const std::uint64_t id = ++next_plan_;
  const std::string& executor = up[id % up.size()];
  plans_[id] = {executor, std::move(done)};
  request.set_request(id);
  v1::ExecutorCommand command;
  *command.mutable_plan() = std::move(request);
  Send(executor, std::move(command));
  loop_.PostAt(loop_.now_us() + limits_.plan_wait_us, [this, id] {
    const auto it = plans_.find(id);
    if (it == plans_.end()) return;
    const PlanDone waiting = std::move(it->second.done);
    plans_.erase(it);
    waiting(Unavailable("the executor gave no plan in ", limits_.plan_wait_us / 1'000'000,
                        " s: does the job body wait for something?"));
  });
}

void ExecutorRegistry::PlanAnswered(const std::string& executor, const v1::PlanResult& result) {
  const auto it = plans_.find(result.request());
  if (it == plans_.end() || it->second.executor != executor) return;
  const PlanDone done = std::move(it->second.done);
  plans_.erase(it);
  if (result.has_plan()) {
    done(result.plan());
  } else {
    done(InvalidArgument(result.error()));
  }
}

void ExecutorRegistry::FailPlans(const std::string& executor, const std::string& why) {
  std::vector<PlanDone> failed;
  for (auto it = plans_.begin(); it != plans_.end();) {
    if (it->second.executor != executor) {
      ++it;
      continue;
    }
    failed.push_back(std::move(it->second.done));
    it = plans_.erase(it);
  }
  for (const PlanDone& done : failed) done(Unavailable(why, "; submit again"));
}

std::vector<std::string> ExecutorRegistry::connected() const {
  std::vector<std::string> ids;
  for (const auto& [id, executor] : executors_) {
    if (executor.stream && !executor.leaving) ids.push_back(id);
  }
  return ids;
}

std::vector<v1::ExecutorInfo> ExecutorRegistry::Describe(
    const std::function<std::uint32_t(const std::string&)>& runners_on) const {
  std::vector<v1::ExecutorInfo> infos;
  for (const auto& [id, executor] : executors_) {
    v1::ExecutorInfo info;
    info.set_id(id);
    info.set_address(executor.address);
    info.set_version(executor.info.version());
    info.set_slots(executor.info.slots());
    info.set_memory_bytes(executor.info.memory_bytes());
    info.set_runners(runners_on(id));
    info.set_connected_time_us(executor.connected_us);
    info.set_heartbeat_age_us(loop_.now_us() - executor.heard_us);
    info.set_connected(executor.stream != nullptr);
    info.set_leaving(executor.leaving);
    infos.push_back(std::move(info));
  }
  return infos;
}

}  // namespace millrace
