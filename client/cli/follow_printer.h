// Rows of Print as text, a batch at a time, in Spark's manner: a line for the batch, then its first rows over all
// partitions, in the order of the partitions.
//
//   FollowPrinter printer(write);
//   printer.Add(event.rows());   // rows of one partition; prints what is complete
//   printer.Flush();             // prints what is held
//
// Partitions of a batch arrive one by one, in any order, and nothing tells the last one: a batch is printed when a
// later one begins, or when the caller flushes because nothing came for a while. What comes after that goes under a
// line of its own. Rows that come twice (after a reconnection) are printed once. One thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "millrace/v1/control.pb.h"

namespace millrace::cli {

class FollowPrinter {
 public:
  // `printable`: control characters in rows become '?', for terminals.
  FollowPrinter(std::function<void(const std::string&)> write, bool printable)
      : write_(std::move(write)), printable_(printable) {}

  void Add(const v1::OutputRows& rows);
  void Flush();
  bool holds_rows() const { return !batches_.empty(); }

 private:
  using Partitions = std::map<std::uint32_t, v1::OutputRows>;
  using Sinks = std::map<std::uint32_t, Partitions>;

  void PrintBatch(std::uint64_t batch, const Sinks& sinks);
  std::string SinkText(const Partitions& partitions, bool with_name) const;

  const std::function<void(const std::string&)> write_;
  const bool printable_;
  std::map<std::uint64_t, Sinks> batches_;
  std::set<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>> seen_;  // batch, sink, partition; the newest ones
  std::uint64_t last_printed_ = 0;
};

}  // namespace millrace::cli
