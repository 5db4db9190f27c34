// The Flume receiver: Thrift sinks of Flume agents connect to it and send batches of events. A batch is answered OK
// when it is stored and never before; when it cannot be stored it is answered FAILED, or not at all, and the agent
// sends it again.
//
//   FlumeReceiver receiver(settings);
//   MR_RETURN_IF_ERROR(receiver.Start(store));
//
// The body becomes the value, the header map the record's headers (in the order of their names), the header `timestamp`
// (milliseconds since the epoch, as Flume's timestamp interceptor sets it) the record's time, the headers that
// id_header and key_header name its id and its key.
//
// Thread rule: as Receiver's. Errors: Start gives InvalidArgument for a certificate or key that cannot be used;
// everything later is told by Problem.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "executor/connectors/flume/frame_server.h"
#include "executor/connectors/flume/group_store.h"
#include "executor/connectors/flume/settings.h"
#include "executor/connectors/receiver.h"

namespace millrace {

class FlumeReceiver : public Receiver {
 public:
  static constexpr std::string_view kNoId = "events without the id header";
  static constexpr std::string_view kRefused = "batches that the store refused";

  explicit FlumeReceiver(FlumeSettings settings);
  ~FlumeReceiver() override { Stop(); }

  absl::Status Start(ReceiverStore& store) override;
  void Stop() override;
  std::string Problem() const override;

  // For tests; null before Start.
  const FrameServer* server() const { return server_.get(); }
  const Incidents& incidents() const { return incidents_; }

 private:
  absl::StatusOr<std::string> Answer(const PeerStream& peer, std::string_view frame);
  void NoteOutcome(const std::string& peer, const absl::Status& status);

  const FlumeSettings settings_;
  Incidents incidents_;
  std::unique_ptr<GroupStore> store_;
  std::unique_ptr<FrameServer> server_;
  mutable std::mutex mutex_;
  std::string store_problem_;
};

}  // namespace millrace
