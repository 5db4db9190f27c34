#include "executor/connectors/kafka/problem.h"

#include <utility>

#include "common/status.h"

namespace millrace::kafka {
namespace {

// What to do about a connection that broke, as far as librdkafka's words tell why.
std::string_view Remedy(std::string_view reason) {
  if (reason.find("SSL routines") != std::string_view::npos)
    return "; check the options ca, certificate and private_key";
  if (reason.find("security.protocol") != std::string_view::npos) return "; check the options tls and sasl";
  return "";
}

}  // namespace

void Problem::Report(rd_kafka_resp_err_t error, std::string_view reason) {
  // "1/1 brokers are down" says less than the reason that was reported just before it.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    std::lock_guard lock(mutex_);
    if (!text_.empty()) return;
  }
  switch (error) {
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return Set(Concat("broker ", reason, Remedy(reason)));
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return Set(Concat("broker ", reason, "; check the options sasl, username and password_file"));
    case RD_KAFKA_RESP_ERR__SSL:
      return Set(Concat("broker ", reason, "; check the options ca, certificate and private_key"));
    default:
      return Set(Concat("kafka: ", reason));
  }
}

void Problem::Set(std::string text) {
  std::lock_guard lock(mutex_);
  text_ = std::move(text);
  since_ = std::chrono::steady_clock::now();
}

void Problem::Clear() {
  std::lock_guard lock(mutex_);
  text_.clear();
}

std::string Problem::text() const {
  std::lock_guard lock(mutex_);
  return std::chrono::steady_clock::now() - since_ > kForgetAfter ? std::string() : text_;
}

}  // namespace millrace::kafka
