// EventClocks: what the reader of an event-time exchange remembers of its inputs' clocks, and the watermark that
// follows from them.
//
// An input is an origin in one partition of one map stage. In each batch every input reports. The watermark is the
// smallest of the inputs that are not idle, and never goes back. An input is idle from the moment at which it has had
// no records for the time that it names; one that has never had any counts from its first report. While all are idle
// the watermark stays. An input that no longer reports has ended, and holds nothing back.
//
// All partitions of a reader see the same reports, so all have the same clocks. They are stored with each key group, so
// that a group that moves brings them along. One thread at a time. Errors: CodecError for damaged entries, whatever the
// store throws.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "millrace/byte_stream.h"
#include "millrace/internal/event_clock.h"
#include "millrace/internal/state.h"

namespace millrace::detail {

class EventClocks : public StatePart {
 public:
  EventClocks(OperatorState& owner, std::string_view name)
      : prefix_(owner.Register(*this, name)), setup_(owner.setup()) {}

  // As it stood at the end of the last batch; in a batch, until Advance.
  std::int64_t watermark_us() const { return watermark_us_; }
  // The batch time from which all inputs are idle.
  std::int64_t idle_at_us() const {
    std::int64_t idle_at_us = INT64_MIN;
    for (const auto& [name, input] : inputs_) idle_at_us = std::max(idle_at_us, input.idle_at_us);
    return idle_at_us;
  }

  void Report(const EventHeader& header) {
    for (const EventClock& clock : header.clocks) {
      const auto [at, is_new] = inputs_.try_emplace({header.stage, clock.origin, header.partition});
      Input& input = at->second;
      const Input before = input;
      if (is_new || clock.active) input.idle_at_us = clock.idle_at_us;
      input.watermark_us = std::max(input.watermark_us, clock.watermark_us);
      input.reported = true;
      changed_ =
          changed_ || is_new || before.idle_at_us != input.idle_at_us || before.watermark_us != input.watermark_us;
    }
  }

  // All inputs have reported.
  void Advance(std::int64_t batch_time_us) {
    std::int64_t smallest = INT64_MAX;
    for (auto at = inputs_.begin(); at != inputs_.end();) {
      Input& input = at->second;
      if (!std::exchange(input.reported, false)) {
        at = inputs_.erase(at);
        changed_ = true;
        continue;
      }
      if (input.idle_at_us > batch_time_us) smallest = std::min(smallest, input.watermark_us);
      ++at;
    }
    if (smallest == INT64_MAX || smallest <= watermark_us_) return;
    watermark_us_ = smallest;
    changed_ = true;
  }

  // ---- for the state that it is a part of ----
  void Load(std::string_view key, std::string_view value) override {
    if (key.size() != 2) ByteReader::Fail("an entry is no clock of a key group");
    ByteReader in(value);
    watermark_us_ = std::max(watermark_us_, in.Signed());
    for (std::size_t left = in.Count(); left > 0; --left) {
      const auto stage = static_cast<std::uint32_t>(in.Varint());
      const auto origin = static_cast<std::uint32_t>(in.Varint());
      const auto partition = static_cast<std::uint32_t>(in.Varint());
      Input& input = inputs_[{stage, origin, partition}];
      input.watermark_us = std::max(input.watermark_us, in.Signed());
      input.idle_at_us = in.Signed();
    }
  }
  void Loaded() override {
    if (setup_.store == nullptr) return;
    std::string value;
    bool found = false;
    ForEachGroup([&](const std::string& key) {
      if (!found && setup_.store->Get(key, value)) {
        Load(std::string_view(key).substr(prefix_.size()), value);
        found = true;
      }
    });
  }
  void TakeChanges(engine::StateChanges& changes) override { Store(changes); }
  void EndBatch() override {
    if (setup_.store != nullptr) Store(*setup_.store);
  }
  std::uint64_t bytes() const override { return inputs_.size() * (sizeof(Name) + sizeof(Input) + 48); }

 private:
  using Name = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // stage, origin, map partition
  struct Input {
    std::int64_t watermark_us = kNoWatermark;
    std::int64_t idle_at_us = kNeverIdle;
    bool reported = false;  // in this batch
  };

  // Calls f with the entry key of every group of this partition.
  template <class F>
  void ForEachGroup(const F& f) const {
    const std::uint32_t partitions = setup_.description->partitions;
    for (std::uint32_t group = 0; group < setup_.key_groups; ++group) {
      if (PartitionOfGroup(group, setup_.key_groups, partitions) != setup_.partition) continue;
      std::string key = prefix_;
      AppendGroup(group, key);
      f(key);
    }
  }

  std::string Bytes() const {
    std::string bytes;
    ByteWriter out(bytes);
    out.Signed(watermark_us_);
    out.Varint(inputs_.size());
    for (const auto& [name, input] : inputs_) {
      out.Varint(std::get<0>(name));
      out.Varint(std::get<1>(name));
      out.Varint(std::get<2>(name));
      out.Signed(input.watermark_us);
      out.Signed(input.idle_at_us);
    }
    return bytes;
  }

  template <class Target>
  void Store(Target& target) {
    if (!std::exchange(changed_, false)) return;
    const std::string bytes = Bytes();
    ForEachGroup([&](const std::string& key) { target.Put(key, bytes); });
  }

  const std::string prefix_;
  const StateSetup setup_;
  std::map<Name, Input> inputs_;
  std::int64_t watermark_us_ = kNoWatermark;
  bool changed_ = false;
};

}  // namespace millrace::detail
