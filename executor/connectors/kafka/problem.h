// What is wrong with the brokers now, in librdkafka's own words, for people. It is set by librdkafka's error callback
// and cleared when something gets through. An outage is repeated by librdkafka every 30 s at the latest, so a text that
// is older than kForgetAfter is over.
//
// Any thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

namespace millrace::kafka {

class Problem {
 public:
  // From the error callback. `reason` begins with the broker's name where there is one.
  void Report(rd_kafka_resp_err_t error, std::string_view reason);
  // For what the connector itself found.
  void Set(std::string text);
  void Clear();
  std::string text() const;

 private:
  static constexpr std::chrono::seconds kForgetAfter{40};

  mutable std::mutex mutex_;
  std::string text_;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace millrace::kafka
