// One receiver of the job's own code, kept going: a thread starts it, and starts it again with growing waits when that
// throws and when it asks for a restart.
//
// Thread rule and ownership as Receiver. Stop waits for the author's Start or Stop, which are to return soon. Errors
// are told by Problem.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>

#include "executor/connectors/receiver.h"
#include "millrace/engine_connectors.h"

namespace millrace {

class JobReceiver final : public Receiver, private engine::ReceiverOutput {
 public:
  JobReceiver(std::string where, std::shared_ptr<engine::Receiver> receiver);
  ~JobReceiver() override;

  absl::Status Start(ReceiverStore& store) override;
  void Stop() override;
  std::string Problem() const override;

 private:
  engine::StoreResult Store(std::span<const engine::ReceivedValue> records) override;
  void Report(std::string problem) override;
  void Restart(std::string why) override;
  void Run();
  bool RunOnce();  // false: it shall not be started again
  void Pause(std::chrono::milliseconds time);

  const std::string where_;
  const std::shared_ptr<engine::Receiver> receiver_;
  ReceiverStore* store_ = nullptr;
  std::thread thread_;

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  bool receiving_ = false;  // between Start and the return of Stop
  bool stopping_ = false;
  std::string restart_;   // why; empty: not asked for
  std::string reported_;  // by the receiver
  std::string failed_;    // what Start or Stop threw
};

}  // namespace millrace
