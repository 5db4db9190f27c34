// What a push source is to the runner: it takes records from an upstream that sends them, and gives them to a store.
// When Store has returned they are safe, whoever dies, and the receiver acknowledges them upstream; not before.
//
//   class MyReceiver : public Receiver {
//     absl::Status Start(ReceiverStore& store) override { thread_ = std::thread([this, &store] { Run(store); }); … }
//     …
//     void Run(ReceiverStore& store) {
//       while (Batch batch = ReceiveWhatIsThere())
//         if (store.Store(batch.records).ok()) Acknowledge(batch);
//     }
//   };
//
// A receiver belongs to one split. When its runner dies the split gets a new owner, which makes a new receiver: what
// was stored and not acknowledged comes again. Records that carry an id are then stored once; others twice.
//
// Thread rule: Start and Stop on one thread, one after the other; Problem and everything of the store from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "millrace/engine.h"

namespace millrace {

// Views need live only during the call that gives them.
struct ReceivedRecord {
  std::string_view key = {};
  std::string_view value = {};
  std::int64_t timestamp_us = 0;  // as the upstream gives it, since the Unix epoch; 0: none
  std::string_view topic = {};    // where it comes from: a queue, a channel; may be empty
  std::span<const engine::Header> headers = {};
  std::string_view id = {};  // the same when the upstream sends the record again; empty: it has none
};

class ReceiverStore {
 public:
  virtual ~ReceiverStore() = default;
  // OK: the records are on stable storage, in this order, all of them, and may be acknowledged. Many records in one
  // call cost one write. Waits while more is held than batches have taken: the receiver stops taking, and the upstream
  // holds back. Errors: Aborted when another runner has taken the split over (end; acknowledge nothing), Cancelled
  // after Close (the same), InvalidArgument for a record that is too large (nothing was stored; the message says how
  // large it may be), Unavailable or ResourceExhausted when the storage fails (nothing counts as stored; try again
  // later, or let the upstream send it again).
  virtual absl::Status Store(std::span<const ReceivedRecord> records) = 0;
};

class Receiver {
 public:
  virtual ~Receiver() = default;  // after Stop, or before Start
  // Begins to receive, on threads of its own, and returns at once. It connects in the background, and again with
  // growing waits whenever the connection is lost. `store` outlives the receiver.
  virtual absl::Status Start(ReceiverStore& store) = 0;
  // Takes no more from the upstream; what was taken and not acknowledged goes back to it. When it returns, Store will
  // not be called again. A Store that waits ends first: the store was closed, or is being emptied.
  virtual void Stop() = 0;
  // What is wrong now, for people: server, cause and remedy; empty when well.
  virtual std::string Problem() const = 0;
};

}  // namespace millrace
