// What a job shows to people while it runs: rows of Print and lines of its runners' logs. Keeps the last ones in
// bounded rings and hands new ones to whoever follows. Rows that the job wants remembered stay longer, to be asked for.
// Loop thread only; the sinks must not block: they drop when their
// reader is slow.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>

#include "common/net/message_sink.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

class OutputHub {
 public:
  using RowSink = MessageSink<v1::JobEvent>;
  using LogSink = MessageSink<v1::LogLine>;

  // `remember_us`: so long, by batch time, rows are kept beyond the last MiB, up to 16 MiB of them.
  explicit OutputHub(std::int64_t remember_us = 0) : remember_us_(remember_us) {}

  void AddRows(v1::OutputRows rows);
  // Of batches with a time in [since, until].
  v1::RowsResponse Rows(std::int64_t since_us, std::int64_t until_us) const;
  void AddLog(v1::LogLine line);
  void StateChanged(const v1::JobStatus& status);
  // Ends every stream.
  void Close(const v1::JobStatus& status);

  void Follow(std::shared_ptr<RowSink> writer, const v1::JobStatus& status, bool ended);
  void Unfollow(const RowSink* writer);
  void FollowLogs(std::shared_ptr<LogSink> writer, std::uint32_t lines, bool follow);
  void UnfollowLogs(const LogSink* writer);

 private:
  bool TooMany() const;

  const std::int64_t remember_us_;
  std::deque<v1::OutputRows> rows_;
  std::size_t row_bytes_ = 0;
  std::deque<v1::LogLine> lines_;
  std::list<std::shared_ptr<RowSink>> followers_;
  std::list<std::shared_ptr<LogSink>> log_followers_;
};

}  // namespace millrace
