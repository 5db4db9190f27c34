#include "executor/connectors/flume/flume_receiver.h"

#include "common/log.h"
#include "common/status.h"
#include "executor/connectors/flume/event_records.h"
#include "executor/connectors/flume/thrift_call.h"
#include "flume_wire/flume_types.h"

namespace millrace {

FlumeReceiver::FlumeReceiver(FlumeSettings settings) : settings_(std::move(settings)), incidents_(settings_.where) {}

absl::Status FlumeReceiver::Start(ReceiverStore& store) {
  FrameServer::Options options;
  options.bind = settings_.bind;
  options.port = settings_.port;
  options.ports = settings_.ports;
  options.max_connections = settings_.max_connections;
  options.max_frame_bytes = settings_.max_frame_bytes;
  if (!settings_.certificate.empty()) {
    auto tls = TlsServer::Load(settings_.certificate, settings_.private_key);
    if (!tls.ok()) return Annotate(tls.status(), settings_.where);
    options.tls = *std::move(tls);
  }
  store_ = std::make_unique<GroupStore>(store);
  server_ = std::make_unique<FrameServer>(
      settings_.where, std::move(options),
      [this](const PeerStream& peer, std::string_view frame) { return Answer(peer, frame); });
  return server_->Start();
}

void FlumeReceiver::Stop() {
  if (server_ != nullptr) server_->Stop();
}

absl::StatusOr<std::string> FlumeReceiver::Answer(const PeerStream& peer, std::string_view frame) {
  return AnswerCall(frame, settings_.max_batch_events, [&](std::span<const flume_wire::ThriftFlumeEvent> events) {
    EventRecords records(events, settings_);
    const absl::Status status = store_->Store(records.records(), [&peer] { return !peer.HungUp(); });
    if (status.ok() && records.without_id() > 0) {
      incidents_.Note(kNoId, Concat(records.without_id(), " events in a batch from ", peer.peer(), " had no header '",
                                    settings_.id_header, "' and come twice if they are sent again"));
    }
    NoteOutcome(peer.peer(), status);
    return status;
  });
}

void FlumeReceiver::NoteOutcome(const std::string& peer, const absl::Status& status) {
  std::string problem;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      break;
    // Another runner has the split now, or the job ends: agents shall find the one that takes events.
    case absl::StatusCode::kAborted:
      server_->BeginStop();
      return;
    case absl::StatusCode::kCancelled:
      return;
    case absl::StatusCode::kInvalidArgument:
      incidents_.Note(kRefused, Concat("from ", peer, ", which sends it again and again: ", Message(status)));
      return;
    default:
      problem = Concat("batches are not taken, and agents keep them: ", Message(status));
      break;
  }
  std::lock_guard lock(mutex_);
  if (!problem.empty() && store_problem_.empty()) {
    log::Warn(Concat(settings_.where, ": batches are not taken"), {{"reason", Message(status)}});
  }
  store_problem_ = std::move(problem);
}

std::string FlumeReceiver::Problem() const {
  std::string out;
  const auto add = [&out](std::string_view text) {
    if (text.empty()) return;
    if (!out.empty()) out += "; ";
    out += text;
  };
  {
    std::lock_guard lock(mutex_);
    add(store_problem_);
  }
  add(incidents_.text());
  if (server_ != nullptr) add(server_->problem());
  return out;
}

}  // namespace millrace
