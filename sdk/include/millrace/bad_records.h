// BadRecord: a record for which the function of an operator threw, with what is needed to look into it.
//
//   auto clicks = lines.Map(ParseClick);                      // throws for what is no click
//   clicks.BadRecords().ToFiles({.directory = "/var/lib/bad"}, [](const BadRecord& bad) { return bad.bytes; });
//
// What becomes of such records is said of each operator: by default the attempt fails, and after some attempts the
// job; SkipBadRecords leaves them out and counts them ("bad_records"); BadRecords also gives them as a stream. Both are
// for operators that call a function for each record: Map, FlatMap, Filter, MapValues, FlatMapValues, Keys, Values. Of
// a bad record nothing comes out, also not what was emitted before the throw. std::bad_alloc always fails the attempt:
// it says nothing about the record.
//
// BadRecords has a price where it is called on an operator that does not follow a source directly: to know which source
// record a bad one was made of, the stage takes its records one by one. SkipBadRecords costs next to nothing. A stream
// of bad records that reaches no output is as good as SkipBadRecords. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace millrace {

struct BadRecord {
  // Of the source record that it is, or that it was made of: its value as it came. Where a stage begins with an
  // exchange, and for generators, there are no such bytes: then the operator's input as text.
  std::string bytes = {};
  std::string key = {};                                 // of the source record, if it has one
  std::string failed_operator = {};                     // "Map at clicks.cc:12"
  std::string reason = {};                              // what() of what was thrown
  std::string topic = {};                               // Kafka topic, file name
  std::uint32_t partition = 0;                          // Kafka partition, split
  std::optional<std::int64_t> position = std::nullopt;  // Kafka offset, line's byte offset; nullopt after an exchange
  std::int64_t timestamp_us = 0;                        // of the source record; 0 when the source knows none
};

}  // namespace millrace
