// The executors of the cluster: who is connected, how to send to them, when one is lost, and the questions that wait
// for an answer of one (plans). Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/event_loop.h"
#include "common/net/stream.h"
#include "millrace/v1/cluster.pb.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

using ExecutorStream = ServerStream<v1::ExecutorMessage, v1::ExecutorCommand>;

struct ExecutorLimits {
  std::int64_t silence_us = 5'000'000;  // without a heartbeat an executor is cut off
  std::int64_t grace_us = 2'000'000;    // between a broken stream and taking it for lost: it may come back
  std::int64_t plan_wait_us = 60'000'000;
};

class ExecutorRegistry {
 public:
  using PlanDone = std::function<void(absl::StatusOr<v1::Plan> plan)>;
  using OnLost = std::function<void(const std::string& executor, const std::string& reason)>;

  ExecutorRegistry(EventLoop& loop, std::uint64_t epoch, ExecutorLimits limits, OnLost on_lost);

  // A newer connection of the same executor replaces the older one, which is closed.
  void Connected(const v1::Register& info, const std::string& address, std::shared_ptr<ExecutorStream> stream);
  void Disconnected(const std::string& executor, const ExecutorStream* stream, const std::string& reason);
  void Heartbeat(const std::string& executor);
  // It gets nothing new until it registers again.
  void Leaving(const std::string& executor);
  // Cuts off those that have been silent too long. Call about once a second.
  void CheckSilence();

  void Send(const std::string& executor, v1::ExecutorCommand command);
  // Asks some executor for the plan of a library. FailedPrecondition when none is connected, and the driver has been
  // there long enough for those of the driver before to come; InvalidArgument carries the planner's words.
  void Plan(v1::PlanRequest request, PlanDone done);
  void PlanAnswered(const std::string& executor, const v1::PlanResult& result);

  std::vector<std::string> connected() const;  // and not leaving
  std::vector<v1::ExecutorInfo> Describe(const std::function<std::uint32_t(const std::string&)>& runners_on) const;

 private:
  struct Executor {
    v1::Register info;
    std::string address;
    std::shared_ptr<ExecutorStream> stream;  // null: disconnected
    std::int64_t connected_us = 0;
    std::int64_t heard_us = 0;
    bool lost = false;
    bool leaving = false;
  };
  struct WaitingPlan {
    std::string executor;
    PlanDone done;
  };
  void FailPlans(const std::string& executor, const std::string& why);

  EventLoop& loop_;
  const std::uint64_t epoch_;
  const ExecutorLimits limits_;
  const OnLost on_lost_;
  const std::int64_t begun_us_;
  std::map<std::string, Executor> executors_;
  std::map<std::uint64_t, WaitingPlan> plans_;
  std::uint64_t next_plan_ = 0;
};

}  // namespace millrace
