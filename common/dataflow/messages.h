// The words that the two cores exchange, as plain structs. proto/millrace/v1/cluster.proto explains every field;
// common/dataflow/wire.h turns one into the other. Times are microseconds; a steady clock set to the wall's time once,
// so that a clock step changes nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

struct SplitKey {
  std::uint32_t source = 0;
  std::string split;
  auto operator<=>(const SplitKey&) const = default;
};

struct TaskKey {
  std::uint32_t stage = 0;
  std::uint32_t partition = 0;
  auto operator<=>(const TaskKey&) const = default;
};

struct Range {
  SplitKey key;
  std::uint32_t ordinal = 0;
  std::string start;
  std::string end;
  std::uint64_t records = 0;
  bool finished = false;
  bool operator==(const Range&) const = default;
};

struct Go {
  std::uint64_t batch = 0;
  std::int64_t batch_time_us = 0;
  std::vector<Range> ranges;
  std::uint64_t ranges_hash = 0;
};

struct CutSplit {
  SplitKey key;
  std::uint32_t ordinal = 0;
  std::string start;
  std::uint64_t max_records = 0;
  bool drain = false;
};

struct Cut {
  std::uint64_t batch = 0;  // 0: no cut
  std::int64_t batch_time_us = 0;
  std::int64_t after_us = 0;
  std::vector<CutSplit> splits;
};

struct BatchWork {
  std::uint64_t route_version = 0;
  std::vector<Go> go;
  Cut cut;
  std::uint64_t committed = 0;
  std::optional<std::uint64_t> checkpointed;
  std::uint64_t checkpoint = 0;  // 0: none
  std::vector<std::string> garbage;
};

struct StateFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t entries = 0;
  bool base = false;
  bool operator==(const StateFile&) const = default;
};
using StateChain = std::vector<StateFile>;  // oldest first
using StateChains = std::map<TaskKey, StateChain>;

struct StateReport {
  std::uint64_t batch = 0;
  StateChains chains;
  std::uint64_t version = 0;  // of the route that the runner follows
};

struct Peer {
  std::string runner;
  std::string block_address;
};

struct SplitOwner {
  SplitKey key;
  std::uint32_t ordinal = 0;
  std::uint32_t peer = 0;
};

struct PartitionOwner {
  TaskKey key;
  std::uint32_t peer = 0;
};

struct Route {
  std::uint64_t version = 0;
  std::vector<Peer> peers;
  std::vector<SplitOwner> splits;
  std::vector<PartitionOwner> partitions;
  std::uint64_t checkpoint = 0;
  StateChains state;
};

// What a runner has from the terms of drivers before.
struct Holding {
  std::uint64_t route_version = 0;  // 0: nothing
  std::uint64_t committed = 0;
  std::uint64_t newest_go = 0;
  std::uint64_t newest_go_hash = 0;  // of its ranges
  std::vector<SplitKey> splits;
  std::vector<TaskKey> partitions;  // of shuffles
  std::vector<std::string> peers;   // all runners of that route
  std::uint64_t let_go = 0;         // batches of which it keeps nothing any more, up to this one
};

struct RangeReport {
  std::uint64_t batch = 0;
  std::vector<Range> ranges;
};

// By operator and name.
using Counts = std::map<std::pair<std::uint32_t, std::string>, std::uint64_t>;

struct BatchDone {
  std::uint64_t batch = 0;
  std::vector<TaskKey> tasks;
  std::uint64_t lost_records = 0;
  std::map<TaskKey, Counts> counts = {};
};

struct TaskFailure {
  std::uint64_t batch = 0;
  TaskKey task;
  std::uint64_t version = 0;
  std::uint32_t op = 0;
  std::string error;
  bool permanent = false;
  // Checkpoint files from which the task's state was to be restored, or to which it was to be added, and that are
  // damaged or missing.
  std::vector<std::string> damaged = {};
};

struct NewSplit {
  std::string split;
  std::string start;
};

struct SplitReport {
  std::uint32_t source = 0;
  std::vector<NewSplit> splits;
  std::string problem;
  bool permanent = false;
  bool complete = false;
};

}  // namespace millrace
