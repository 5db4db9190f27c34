// The receiving half of the socket source: a thread that keeps a TCP connection to one server, cuts what comes into
// lines and holds them until they are taken. It holds a bounded amount and then stops reading, so that TCP pushes back
// on the sender.
//
// Thread rule: Take and problem may be called from any thread; the thread ends in the destructor.
// Errors: a lost or refused connection is tried again with growing waits and shown by problem().
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"

namespace millrace {

// Lines that arrived together: their text and where each is in it.
struct LineBlock {
  struct Line {
    std::uint32_t begin;
    std::uint32_t size;
  };
  std::string text;
  std::vector<Line> lines;
  std::size_t memory() const { return text.capacity() + lines.capacity() * sizeof(Line) + sizeof(LineBlock); }
};

// Part of a block: lines [first, first + count).
struct LineSlice {
  std::shared_ptr<const LineBlock> block;
  std::size_t first = 0;
  std::size_t count = 0;
};

class LineReceiver {
 public:
  // Begins to connect in the background. ResourceExhausted when the process is out of descriptors.
  static absl::StatusOr<std::unique_ptr<LineReceiver>> Start(std::string host, std::string port,
                                                             std::size_t max_line_bytes);
  ~LineReceiver();
  LineReceiver(const LineReceiver&) = delete;
  LineReceiver& operator=(const LineReceiver&) = delete;

  // At most `limit` of the lines held now (0: all of them), oldest first.
  std::vector<LineSlice> Take(std::uint64_t limit);
  std::string problem() const;

 private:
  LineReceiver(std::string host, std::string port, std::size_t max_line_bytes, int wake);
  void Run();
  int Connect();  // a connected socket, or -1 with the problem noted
  bool AwaitConnected(int fd, std::string& why);
  std::string Receive(int fd);  // until the connection ends; returns why
  void AddBytes(std::string_view bytes);
  void AddPiece(std::string_view piece);  // of the line at hand
  void EndLine();
  void Publish();                                        // waits while too much is held
  bool WaitReady(int fd, short events, int timeout_ms);  // false: timed out or stopping
  void Pause(std::chrono::milliseconds time);
  void SetDown(std::string why);
  bool stopping() const;

  const std::string host_;
  const std::string port_;
  const std::size_t max_line_bytes_;
  const int wake_;  // eventfd: readable once stopping

  // Owned by the thread.
  LineBlock block_;
  std::size_t line_begin_ = 0;
  bool cutting_ = false;  // the rest of an overlong line is being skipped

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<LineSlice> held_;
  std::size_t held_bytes_ = 0;
  std::uint64_t cut_lines_ = 0;
  std::string down_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace millrace
