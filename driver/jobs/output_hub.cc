#include "driver/jobs/output_hub.h"

#include <algorithm>

namespace millrace {
namespace {
constexpr std::size_t kRowBytes = 1 << 20;
constexpr std::size_t kRememberedBytes = 16 << 20;
constexpr std::size_t kLogLines = 10'000;
constexpr std::uint32_t kDefaultLines = 100;

v1::JobEvent StatusEvent(const v1::JobStatus& status) {
  v1::JobEvent event;
  *event.mutable_status() = status;
  return event;
}
}  // namespace

void OutputHub::AddRows(v1::OutputRows rows) {
  v1::JobEvent event;
  *event.mutable_rows() = rows;
  for (const auto& follower : followers_) follower->Send(event);
  row_bytes_ += rows.ByteSizeLong();
  rows_.push_back(std::move(rows));
  while (rows_.size() > 1 && TooMany()) {
    row_bytes_ -= rows_.front().ByteSizeLong();
    rows_.pop_front();
  }
}

bool OutputHub::TooMany() const {
  if (row_bytes_ <= kRowBytes) return false;
  return row_bytes_ > kRememberedBytes || rows_.front().batch_time_us() < rows_.back().batch_time_us() - remember_us_ ||
         remember_us_ == 0;
}

v1::RowsResponse OutputHub::Rows(std::int64_t since_us, std::int64_t until_us) const {
  v1::RowsResponse response;
  for (const v1::OutputRows& rows : rows_) {
    if (rows.batch_time_us() >= since_us && rows.batch_time_us() <= until_us) *response.add_rows() = rows;
  }
  return response;
}

void OutputHub::AddLog(v1::LogLine line) {
  for (const auto& follower : log_followers_) follower->Send(line);
  lines_.push_back(std::move(line));
  if (lines_.size() > kLogLines) lines_.pop_front();
}

void OutputHub::StateChanged(const v1::JobStatus& status) {
  for (const auto& follower : followers_) follower->Send(StatusEvent(status));
}

void OutputHub::Close(const v1::JobStatus& status) {
  StateChanged(status);
  for (const auto& follower : followers_) follower->Close(grpc::Status::OK);
  for (const auto& follower : log_followers_) follower->Close(grpc::Status::OK);
  followers_.clear();
  log_followers_.clear();
}

void OutputHub::Follow(std::shared_ptr<RowSink> writer, const v1::JobStatus& status, bool ended) {
  writer->Send(StatusEvent(status));
  auto first = rows_.end();
  for (std::size_t bytes = 0; first != rows_.begin() && bytes <= kRowBytes;) bytes += (--first)->ByteSizeLong();
  for (; first != rows_.end(); ++first) {
    v1::JobEvent event;
    *event.mutable_rows() = *first;
    writer->Send(std::move(event));
  }
  if (!ended) {
    followers_.push_back(std::move(writer));
    return;
  }
  writer->Send(StatusEvent(status));  // the last word, after the rows
  writer->Close(grpc::Status::OK);
}

void OutputHub::Unfollow(const RowSink* writer) {
  std::erase_if(followers_, [&](const auto& follower) { return follower.get() == writer; });
}

void OutputHub::FollowLogs(std::shared_ptr<LogSink> writer, std::uint32_t lines, bool follow) {
  const std::size_t wanted = std::min<std::size_t>(lines == 0 ? kDefaultLines : lines, lines_.size());
  for (auto it = lines_.end() - static_cast<std::ptrdiff_t>(wanted); it != lines_.end(); ++it) writer->Send(*it);
  if (follow) {
    log_followers_.push_back(std::move(writer));
  } else {
    writer->Close(grpc::Status::OK);
  }
}

void OutputHub::UnfollowLogs(const LogSink* writer) {
  std::erase_if(log_followers_, [&](const auto& follower) { return follower.get() == writer; });
}

}  // namespace millrace
