// The root of session windows by key. A session is the time from its first record to `gap` after its last one; a
// record that touches two sessions makes them one.
//
// Each session has one timer, which is not moved with every record: when it goes off too early it is set again. A
// record that comes late but is allowed, and leaves the session's end behind the watermark, sets one at that end: so
// the session gives one new result in this batch. Timers of sessions that are no more find nothing. Threads and errors:
// see operator.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/event_window_reader.h"
#include "millrace/internal/state_table.h"
#include "millrace/internal/state_timers.h"

namespace millrace {
namespace detail {

template <class Acc>
struct Session {
  std::int64_t start_us;
  std::int64_t end_us;    // `gap` after the last record
  std::int64_t timer_us;  // when its timer goes off
  Acc acc;
};

// Of one key, ascending; they do not touch each other.
template <class Acc>
struct Sessions {
  std::vector<Session<Acc>> list;
};

}  // namespace detail

template <class Acc>
inline constexpr bool kPlainAggregate<detail::Sessions<Acc>> = false;

template <class Acc>
struct Codec<detail::Sessions<Acc>> {
  static void Encode(const detail::Sessions<Acc>& value, ByteWriter& out) {
    out.Varint(value.list.size());
    for (const detail::Session<Acc>& session : value.list) {
      out.Signed(session.start_us);
      out.Signed(session.end_us);
      out.Signed(session.timer_us);
      millrace::Encode(session.acc, out);
    }
  }
  static detail::Sessions<Acc> Decode(ByteReader& in) {
    detail::Sessions<Acc> value;
    for (std::size_t left = in.Count(); left > 0; --left) {
      const std::int64_t start_us = in.Signed();
      const std::int64_t end_us = in.Signed();
      const std::int64_t timer_us = in.Signed();
      value.list.push_back({start_us, end_us, timer_us, millrace::Decode<Acc>(in)});
    }
    return value;
  }
};

namespace detail {

template <class Key, class Acc>
struct SessionState : EventState {
  explicit SessionState(const StateSetup& setup)
      : EventState(setup), sessions(*this, "sessions"), timers(*this, "timers") {}
  StateTable<Key, Sessions<Acc>> sessions;
  StateTimers<Key> timers;
};

template <class K, class Policy>
class SessionReader : public WindowReader<K, Policy, SessionState<Owned<K>, typename Policy::Acc>> {
  using Key = Owned<K>;
  using V = typename Policy::Value;
  using Acc = typename Policy::Acc;
  using State = SessionState<Key, Acc>;
  using Base = WindowReader<K, Policy, State>;
  using BlockKey = typename Base::BlockKey;
  using Entry = typename StateTable<Key, Sessions<Acc>>::Entry;
  using List = std::vector<Session<Acc>>;

 public:
  SessionReader(const OperatorSetup& setup, std::int64_t gap_us, std::int64_t lateness_us, Policy policy)
      : Base(setup), gap_us_(gap_us), lateness_us_(lateness_us), policy_(std::move(policy)) {}

 protected:
  void OnRecords(EventBlockReader& block) override {
    while (block.Next()) {
      const BlockKey key = Decode<BlockKey>(block.in());
      V value = Decode<V>(block.in());
      const std::int64_t start_us = block.time_us();
      const std::uint64_t hash = HashOf(key);
      if (Entry* entry = this->state().sessions.Find(hash, key)) {
        if (AddTo(*entry, value, start_us)) continue;
      }
      if (IsOver(start_us + gap_us_ + lateness_us_)) {
        this->IsLate(key, std::move(value), start_us);
      } else {
        Begin(hash, key, std::move(value), start_us);
      }
    }
  }

  void OnWatermark() override {
    if (this->watermark_us() == kNoWatermark) return;
    this->state().timers.PopDue(this->watermark_us(), [this](std::int64_t time_us, std::uint64_t hash, const Key& key) {
      if (Entry* entry = this->state().sessions.Find(hash, key)) GoOff(time_us, *entry);
    });
  }

 private:
  bool IsOver(std::int64_t time_us) const { return this->before_us() != kNoWatermark && time_us <= this->before_us(); }

  // False: the record touches no session, and the value is as it was. What is there is alive, so such a record is not
  // late, however old it is.
  bool AddTo(Entry& entry, V& value, std::int64_t start_us) {
    List& list = entry.value.list;
    const std::int64_t end_us = start_us + gap_us_;
    auto first = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.end_us >= start_us; });
    if (first == list.end() || first->start_us > end_us) return false;
    policy_.Add(first->acc, std::move(value));
    first->start_us = std::min(first->start_us, start_us);
    first->end_us = std::max(first->end_us, end_us);
    for (auto next = first + 1; next != list.end() && next->start_us <= first->end_us; next = list.erase(next)) {
      policy_.Merge(first->acc, next->acc);
      first->end_us = std::max(first->end_us, next->end_us);
      first->timer_us = std::min(first->timer_us, next->timer_us);
    }
    Schedule(*first, entry.hash, entry.key);
    this->state().sessions.Changed(entry);
    return true;
  }

  void Begin(std::uint64_t hash, const BlockKey& key, V value, std::int64_t start_us) {
    Entry& entry = this->state().sessions.FindOrAdd(hash, key, [] { return Sessions<Acc>(); });
    List& list = entry.value.list;
    auto at = std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.start_us > start_us; });
    at = list.insert(at, {start_us, start_us + gap_us_, INT64_MAX, policy_.Start(std::move(value))});
    Schedule(*at, hash, entry.key);
    this->state().sessions.Changed(entry);
  }

  // A record has come to the session.
  void Schedule(Session<Acc>& session, std::uint64_t hash, const Key& key) {
    const bool is_over = IsOver(session.end_us);
    if (is_over) this->state().timers.Set(session.end_us, hash, key);
    const std::int64_t due_us = is_over ? session.end_us + lateness_us_ : session.end_us;
    if (session.timer_us > due_us) SetTimer(session, due_us, hash, key);
  }
  void SetTimer(Session<Acc>& session, std::int64_t time_us, std::uint64_t hash, const Key& key) {
    session.timer_us = time_us;
    this->state().timers.Set(time_us, hash, key);
  }

  void GoOff(std::int64_t time_us, Entry& entry) {
    List& list = entry.value.list;
    if (IsOver(time_us)) {  // an update of a result
      for (const Session<Acc>& session : list) {
        if (session.end_us == time_us) Fire(session, entry.key);
      }
      return;
    }
    this->state().sessions.Changed(entry);
    for (auto at = list.begin(); at != list.end();) {  // one may begin to be over when another one is given up
      at = at->timer_us == time_us && GoesOff(time_us, *at, entry) ? list.erase(at) : at + 1;
    }
    if (list.empty()) this->state().sessions.Erase(entry);
  }

  // True: the session is given up.
  bool GoesOff(std::int64_t time_us, Session<Acc>& session, const Entry& entry) {
    if (session.end_us == time_us) Fire(session, entry.key);
    const std::int64_t due_us = session.end_us > time_us ? session.end_us : session.end_us + lateness_us_;
    if (due_us <= time_us) return true;
    SetTimer(session, due_us, entry.hash, entry.key);
    return false;
  }

  void Fire(const Session<Acc>& session, const Key& key) {
    this->Emit(key, session.start_us, session.end_us, policy_.ResultOf(session.acc));
  }

  const std::int64_t gap_us_;
  const std::int64_t lateness_us_;
  const Policy policy_;
};

}  // namespace detail
}  // namespace millrace
