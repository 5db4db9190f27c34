// A program that has one connector in its own code, for tests of what stands between it and the runner.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "millrace/engine_connectors.h"
#include "tests/connectors/collect.h"

namespace millrace {

class OneConnector final : public engine::Program {
 public:
  const engine::GraphDescription& description() const override { return description_; }
  std::unique_ptr<engine::Task> NewTask(const engine::TaskContext&, engine::TaskOutput&) const override { return {}; }
  std::unique_ptr<engine::State> NewState(std::uint32_t, std::uint32_t, engine::StateStore*) const override {
    return {};
  }
  std::shared_ptr<engine::Source> FindSource(std::uint32_t) const override { return source; }
  std::shared_ptr<engine::Receiver> NewReceiver(std::uint32_t, const std::string&) const override { return receiver; }
  std::shared_ptr<engine::Sink> FindSink(std::uint32_t) const override { return sink; }

  std::shared_ptr<engine::Source> source;
  std::shared_ptr<engine::Receiver> receiver;
  std::shared_ptr<engine::Sink> sink;

 private:
  engine::GraphDescription description_;
};

inline engine::OperatorDescription DescribeCustom(std::string connector, engine::Options options = {}) {
  engine::OperatorDescription description = Describe(std::move(connector), std::move(options));
  description.location = "job.cc:7";
  return description;
}

}  // namespace millrace
