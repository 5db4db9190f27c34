// Reads one server of a socket source that is not reliable: hands records out and keeps them until it may forget them,
// since a batch may be cut again, or computed again here, though by no other runner. A position is the decimal count of
// records.
//
// Holds a bounded amount; then it takes no new records, and TCP pushes back on the sender. Thread rule: as SplitReader.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/connectors/socket/record_queue.h"
#include "executor/connectors/socket/stream.h"
#include "executor/connectors/source.h"

namespace millrace::sockets {

class HeldReader final : public SplitReader {
 public:
  // `stream` pushes into `queue`, on its own thread.
  HeldReader(std::string split, std::shared_ptr<RecordQueue> queue, std::shared_ptr<SocketStream> stream,
             std::uint64_t start);
  ~HeldReader() override;

  absl::StatusOr<ClosedRange> Close(std::string_view start, std::uint64_t max_records) override;
  absl::StatusOr<std::unique_ptr<RecordBatch>> Read(std::string_view start, std::string_view end) override;
  void Drain() override;
  void Forget(std::string_view end) override;

 private:
  static constexpr std::size_t kMaxKeptBytes = std::size_t{64} << 20;

  void Keep(std::vector<RecordSlice> slices);
  void SkipTo(std::uint64_t position);
  std::vector<RecordSlice> Slices(std::uint64_t from, std::uint64_t to) const;
  absl::StatusOr<std::uint64_t> Number(std::string_view position) const;
  absl::Status Gone(std::string_view start) const;

  const std::string split_;
  const std::shared_ptr<RecordQueue> queue_;
  const std::shared_ptr<SocketStream> stream_;
  std::deque<RecordSlice> kept_;
  std::size_t kept_bytes_ = 0;
  bool drained_ = false;
  std::uint64_t first_;  // position of the first record that is kept
  std::uint64_t end_;    // after the last
};

}  // namespace millrace::sockets
