// CustomReceiver<T>: a source in the job's own code to which an upstream pushes. What it stores is in the receiver's
// log on shared storage before Store returns; from there it is given to batches exactly once, whoever dies.
//
//   class Lines : public millrace::CustomReceiver<std::string> {
//     void Start(millrace::ReceiverOutput<std::string>& out) override {
//       stopping_ = false;
//       thread_ = std::thread([this, &out] {
//         while (!stopping_)
//           if (auto line = Receive(); line && out.Store(line->text, line->id).ok()) Acknowledge(*line);
//       });
//     }
//     void Stop() override { stopping_ = true; thread_.join(); }
//   };
//   auto lines = ctx.FromReceiver({}, [](const std::string&) { return std::make_unique<Lines>(); });
//
// Acknowledge after Store, not before: then nothing is lost. What was stored and not acknowledged comes again; with an
// id, the same each time, it is stored once (the newest 200,000 ids of a receiver are known, also to its next owner).
//
// Each name of the options is one receiver, in one runner at a time; when that is lost, another runner makes a new one.
// Thread rule: Start and Stop are called on one thread, in turn, and return soon; receiving happens on threads of the
// receiver's own. ReceiverOutput may be used from any thread between Start and the return of Stop. Ownership: the
// runner owns the receiver; `out` outlives it. Memory: Store waits while 32 MiB are held that no batch has taken: take
// no more from the upstream meanwhile. Errors: what Start throws is in the job's status, and Start is called again with
// growing waits, but after std::logic_error not. What a thread of the receiver's own lets through ends the runner.
// millrace/testing/receiver_conformance.h tries a receiver against all this.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/engine_connectors.h"
#include "millrace/internal/custom_values.h"

namespace millrace {

using StoreOutcome = engine::StoreOutcome;
using StoreResult = engine::StoreResult;

struct CustomReceiverOptions {
  std::vector<std::string> names = {"0"};  // one receiver each; without commas; fixed for the life of the job
  // Where a receiver shall run, by its name: the name of an executor. While that is down it runs elsewhere.
  std::map<std::string, std::string> preferred_nodes = {};
};

template <class T>
class ReceiverOutput {
 public:
  explicit ReceiverOutput(engine::ReceiverOutput& output) : output_(output) {}

  // One record. Calls of several threads at the same time cost one write together. At most 64 MiB.
  [[nodiscard]] StoreResult Store(const T& record, std::string_view id = {}) {
    std::string buffer;
    const engine::ReceivedValue value{detail::ValueBytes(record, buffer), id};
    return output_.Store({&value, 1});
  }
  // A block: all of it or nothing, in this order. `ids` is empty, or has one for each record.
  [[nodiscard]] StoreResult Store(std::span<const T> block, std::span<const std::string> ids = {}) {
    if (!ids.empty() && ids.size() != block.size())
      return {StoreOutcome::kTooLarge, "a block of " + std::to_string(block.size()) + " records has " +
                                           std::to_string(ids.size()) + " ids: give one for each, or none"};
    std::deque<std::string> buffers;
    std::vector<engine::ReceivedValue> values;
    values.reserve(block.size());
    for (std::size_t i = 0; i < block.size(); ++i)
      values.push_back({detail::ValueBytes(block[i], buffers.emplace_back()),
                        ids.empty() ? std::string_view() : std::string_view(ids[i])});
    return values.empty() ? StoreResult{} : output_.Store(values);
  }

  // What is wrong now, shown in the job's status; empty: all is well again.
  void Report(std::string problem) { output_.Report(std::move(problem)); }
  // Asks for Stop and then a new Start, soon and from another thread: for a receiver that cannot mend itself.
  void Restart(std::string why) { output_.Restart(std::move(why)); }

 private:
  engine::ReceiverOutput& output_;
};

template <class T>
class CustomReceiver : public engine::Receiver {
 public:
  static_assert(detail::kIsPlainText<T> || Encodable<T>,
                "a CustomReceiver needs a millrace::Codec for its record type; see <millrace/codec.h>");
  using Record = T;
  // Begins to receive, and returns at once. It is called again after Stop, when the receiver asked for a restart, or
  // when it threw: then everything that it had begun must be undone.
  virtual void Start(ReceiverOutput<T>& out) = 0;
  // Takes no more from the upstream. When it returns nothing is stored any more. A Store that waits ends first, with
  // kStored or kEnded. Called once after each Start that returned, also when the receiver has ended by itself.
  void Stop() override = 0;

  // For the runner.
  void StartWith(engine::ReceiverOutput& output) final {
    typed_ = std::make_unique<ReceiverOutput<T>>(output);
    Start(*typed_);
  }

 private:
  std::unique_ptr<ReceiverOutput<T>> typed_;
};

}  // namespace millrace
