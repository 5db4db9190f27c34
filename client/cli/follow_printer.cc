#include "client/cli/follow_printer.h"

#include <algorithm>
#include <limits>

#include "client/cli/human.h"
#include "common/status.h"

namespace millrace::cli {
namespace {
constexpr std::size_t kSeenMax = 100'000;
}

void FollowPrinter::Add(const v1::OutputRows& rows) {
  if (!seen_.insert({rows.batch(), rows.sink(), rows.partition()}).second) return;
  if (seen_.size() > kSeenMax) seen_.erase(seen_.begin());
  while (!batches_.empty() && batches_.begin()->first < rows.batch()) {
    const auto first = batches_.extract(batches_.begin());
    PrintBatch(first.key(), first.mapped());
  }
  batches_[rows.batch()][rows.sink()][rows.partition()] = rows;
}

void FollowPrinter::Flush() {
  for (const auto& [batch, sinks] : batches_) PrintBatch(batch, sinks);
  batches_.clear();
}

void FollowPrinter::PrintBatch(std::uint64_t batch, const Sinks& sinks) {
  const std::int64_t time_us = sinks.begin()->second.begin()->second.batch_time_us();
  const bool more = batch <= last_printed_;
  last_printed_ = std::max(last_printed_, batch);
  std::string text = Concat("-------- batch ", batch, "  ", Clock(time_us), more ? "  (more)" : "", "\n");
  for (const auto& [sink, partitions] : sinks) text += SinkText(partitions, sinks.size() > 1);
  write_(text);
}

std::string FollowPrinter::SinkText(const Partitions& partitions, bool with_name) const {
  const v1::OutputRows& any = partitions.begin()->second;
  std::string text = with_name ? Concat(Printable(any.name()), ":\n") : std::string();
  const std::uint64_t limit = any.limit() == 0 ? std::numeric_limits<std::uint64_t>::max() : any.limit();
  std::uint64_t shown = 0;
  std::uint64_t total = 0;
  for (const auto& [partition, rows] : partitions) {
    total += std::max<std::uint64_t>(rows.total(), static_cast<std::uint64_t>(rows.rows_size()));
    for (int i = 0; i < rows.rows_size() && shown < limit; ++i, ++shown) {
      text += printable_ ? Printable(rows.rows(i)) : rows.rows(i);
      text += '\n';
    }
  }
  if (total > shown) text += Concat("… ", Count(total - shown), " more\n");
  return text;
}

}  // namespace millrace::cli
