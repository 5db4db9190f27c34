#include "executor/connectors/cassandra/request_pipeline.h"

#include <poll.h>

#include <algorithm>
#include <thread>

#include "common/status.h"

namespace millrace::cassandra {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kFirstPause{20};
constexpr std::chrono::milliseconds kLongestPause{1'000};
constexpr std::chrono::milliseconds kLongestPoll{100};  // timeouts of requests are looked at this often

}  // namespace

absl::Status RequestPipeline::Run(Session& session, std::span<const Request> requests,
                                  std::chrono::milliseconds patience, TakeResult take) {
  requests_ = requests;
  take_ = std::move(take);
  patience_ = patience;
  deadline_ = Clock::now() + patience;
  sent_.assign(requests.size(), {});
  waiting_.clear();
  for (std::size_t i = 0; i < requests.size(); ++i) waiting_.push_back(i);
  in_flight_ = done_ = 0;
  pause_ = {};
  last_refusal_ = absl::OkStatus();
  absl::Status status = Drive(session);
  if (!status.ok()) session.DropBusy();
  return status;
}

absl::Status RequestPipeline::Drive(Session& session) {
  while (done_ < requests_.size()) {
    if (Clock::now() >= deadline_) {
      const absl::Status why = last_refusal_.ok() ? session.last_error() : last_refusal_;
      return Unavailable("cassandra ", session.ContactPoints(), ": ", doing_, ": ", requests_.size() - done_, " of ",
                         requests_.size(), " requests were not answered in time", why.ok() ? "" : ": ", Message(why));
    }
    MR_RETURN_IF_ERROR(SendMore(session));
    Await(session);
    for (Node& node : session.nodes()) {
      if (node.connection != nullptr) MR_RETURN_IF_ERROR(TakeAnswers(session, node));
    }
  }
  return absl::OkStatus();
}

absl::Status RequestPipeline::SendMore(Session& session) {
  if (Clock::now() < paused_until_) return absl::OkStatus();
  while (!waiting_.empty() && in_flight_ < window_.size()) {
    const std::size_t i = waiting_.front();
    const Request& request = requests_[i];
    MR_ASSIGN_OR_RETURN(Node* const node, session.NodeFor(request.token));
    if (node == nullptr) return absl::OkStatus();
    waiting_.pop_front();
    node->connection->Send(Opcode::kExecute,
                           ExecuteBody(node->prepared[request.statement], request.count, request.values,
                                       request.timestamp_us, session.options().consistency),
                           i);
    sent_[i] = {node, window_.Sent()};
    ++in_flight_;
  }
  return absl::OkStatus();
}

void RequestPipeline::Await(Session& session) const {
  auto until = std::min(deadline_, Clock::now() + kLongestPoll);
  if (!waiting_.empty() && Clock::now() < paused_until_) until = std::min(until, paused_until_);
  std::vector<pollfd> polled;
  for (const Node& node : session.nodes()) {
    if (node.connection == nullptr) continue;
    const short events = node.connection->wants_write() ? POLLIN | POLLOUT : POLLIN;
    polled.push_back({node.connection->fd(), events, 0});
  }
  if (polled.empty()) {
    std::this_thread::sleep_until(std::min(until, session.next_try()));
    return;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  poll(polled.data(), polled.size(), static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
}

absl::Status RequestPipeline::TakeAnswers(Session& session, Node& node) {
  answers_.clear();
  const absl::Status alive = node.connection->Step(answers_);
  for (const Answer& answer : answers_) MR_RETURN_IF_ERROR(TakeAnswer(session, node, answer));
  if (alive.ok()) return absl::OkStatus();
  if (!absl::IsUnavailable(alive)) return alive;
  // What is still in flight there has an unknown outcome; it is sent again.
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    if (sent_[i].node == &node) SendAgain(i);
  }
  last_refusal_ = Annotate(alive, doing_);
  session.Drop(node, alive);
  return absl::OkStatus();
}

absl::Status RequestPipeline::TakeAnswer(Session& session, Node& node, const Answer& answer) {
  const std::size_t i = answer.tag;
  if (i >= sent_.size() || sent_[i].node != &node) return absl::OkStatus();
  if (answer.frame.opcode == Opcode::kResult) {
    if (take_) MR_RETURN_IF_ERROR(take_(i, answer.frame.body));
    sent_[i].node = nullptr;
    --in_flight_;
    ++done_;
    deadline_ = Clock::now() + patience_;
    pause_ = {};
    window_.Answered();
    return absl::OkStatus();
  }
  const std::uint64_t cuts = sent_[i].cuts;
  SendAgain(i);
  const ServerError error = ParseServerError(answer.frame.body);
  if (answer.frame.opcode != Opcode::kError) {
    return Internal("cassandra ", node.connection->name(), ": ", doing_, ": an answer that is no result");
  }
  last_refusal_ = error.ToStatus(node.connection->name(), doing_);
  if (error.is(ErrorCode::kUnprepared)) {
    session.Forget(node);
    return absl::OkStatus();
  }
  if (!error.transient()) return last_refusal_;
  if (error.overload()) window_.Overloaded(cuts);
  Slower();
  return absl::OkStatus();
}

void RequestPipeline::SendAgain(std::size_t request) {
  sent_[request].node = nullptr;
  --in_flight_;
  ++retries_;
  waiting_.push_back(request);
}

// One pause for all refusals that come together.
void RequestPipeline::Slower() {
  if (Clock::now() < paused_until_) return;
  pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  paused_until_ = Clock::now() + pause_;
}

}  // namespace millrace::cassandra
