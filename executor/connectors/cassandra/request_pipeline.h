// Sends many prepared requests with a window of them in flight, each to a replica of its partition, until all are
// answered. Requests may be sent several times and in any order, so they must be such that this does no harm: reads,
// and writes with a timestamp, of which the greater one wins.
//
//   std::vector<Request> writes = …;
//   MR_RETURN_IF_ERROR(pipeline.Run(*session, writes, std::chrono::seconds(20)));
//
// Thread rule: one thread. Errors: Unavailable when nothing was answered for as long as `patience`, with what the
// cluster said last; at once what no retry mends. After an error some writes may have taken effect.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "executor/connectors/cassandra/request_window.h"
#include "executor/connectors/cassandra/session.h"

namespace millrace::cassandra {

struct Request {
  std::uint32_t statement = 0;  // of Session::Prepare
  std::uint16_t count = 0;      // of values
  std::string values;           // each with its length
  std::int64_t token = 0;
  std::optional<std::int64_t> timestamp_us = {};  // of a write
};

class RequestPipeline {
 public:
  // Is given the number of a request and the body of its result, once for each. An error ends the run.
  using TakeResult = std::function<absl::Status(std::size_t request, std::string_view body)>;

  // `doing` is for errors: "writing rows". It lives as long as the program.
  RequestPipeline(std::uint32_t max_in_flight, std::string_view doing) : doing_(doing), window_(max_in_flight) {}
  // Of the results nothing is kept but what `take` keeps; it may be null.
  absl::Status Run(Session& session, std::span<const Request> requests, std::chrono::milliseconds patience,
                   TakeResult take = nullptr);
  const RequestWindow& window() const { return window_; }
  std::uint64_t retries() const { return retries_; }

 private:
  using Node = Session::Node;
  struct Sent {
    Node* node = nullptr;  // null: not in flight
    std::uint64_t cuts = 0;
  };

  absl::Status Drive(Session& session);
  absl::Status SendMore(Session& session);
  void Await(Session& session) const;
  absl::Status TakeAnswers(Session& session, Node& node);
  absl::Status TakeAnswer(Session& session, Node& node, const Answer& answer);
  void SendAgain(std::size_t request);
  void Slower();

  const std::string_view doing_;
  RequestWindow window_;
  std::uint64_t retries_ = 0;
  // Of one Run:
  std::span<const Request> requests_;
  TakeResult take_;
  std::vector<Sent> sent_;  // by request
  std::deque<std::size_t> waiting_;
  std::size_t in_flight_ = 0;
  std::size_t done_ = 0;
  std::chrono::milliseconds patience_{0};
  Deadline deadline_{};
  std::chrono::milliseconds pause_{0};  // grows with each refusal in a row
  std::chrono::steady_clock::time_point paused_until_{};
  absl::Status last_refusal_;
  std::vector<Answer> answers_;
};

}  // namespace millrace::cassandra
