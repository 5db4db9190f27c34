// Times to live. Every value carries when it ends; who reads it looks. Its memory is given back by a timer, of which a
// value has one at most: it is not moved with every write, but set again when it goes off too early. With every batch
// at least so many timers are looked at as values were written, and a thousand more: so nothing piles up, and no batch
// pays for all that ends at once.
//
// One thread at a time. Errors: see state_timers.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "millrace/codec.h"
#include "millrace/hash.h"
#include "millrace/internal/keyed_core.h"
#include "millrace/internal/state_timers.h"

namespace millrace {
namespace detail {

struct Stamp {
  std::int64_t ends_us = 0;   // 0: never
  std::int64_t timer_us = 0;  // 0: none
};

template <class T>
struct Stamped {
  explicit Stamped(T v) : value(std::move(v)) {}
  T value;
  Stamp stamp;
};

// A key and what is one of several under it. Keeps the key's group.
template <class Key>
struct SubKey {
  SubKey(Key k, std::string s) : key(std::move(k)), sub(std::move(s)) {}
  Key key;
  std::string sub;
};

}  // namespace detail

template <class T>
struct Codec<detail::Stamped<T>> {
  static void Encode(const detail::Stamped<T>& value, ByteWriter& out) {
    out.Signed(value.stamp.ends_us);
    out.Signed(value.stamp.timer_us);
    millrace::Encode(value.value, out);
  }
  static detail::Stamped<T> Decode(ByteReader& in) {
    const std::int64_t ends_us = in.Signed();
    const std::int64_t timer_us = in.Signed();
    detail::Stamped<T> value(millrace::Decode<T>(in));
    value.stamp = {ends_us, timer_us};
    return value;
  }
};
template <class Key>
struct Codec<detail::SubKey<Key>> {
  static void Encode(const detail::SubKey<Key>& value, ByteWriter& out) {
    millrace::Encode(value.key, out);
    out.Text(value.sub);
  }
  static detail::SubKey<Key> Decode(ByteReader& in) {
    Key key = millrace::Decode<Key>(in);
    return {std::move(key), std::string(in.Text())};
  }
};
template <class Key>
struct Hasher<detail::SubKey<Key>> {
  static std::uint64_t Hash(const detail::SubKey<Key>& value) { return HashOf(value.key); }
};

namespace detail {

// `TimerKey`: what names one value of the state.
template <class TimerKey>
class Expiry {
 public:
  Expiry(OperatorState& owner, const std::string& state, const StateOptions& options)
      : timers_(owner, state + "/ttl"), ttl_us_(options.ttl.count()), on_read_(options.refresh_on_read) {}

  static bool IsOver(std::int64_t ends_us, std::int64_t now_us) { return ends_us != 0 && ends_us <= now_us; }
  bool IsOnRead() const { return on_read_ && ttl_us_ != 0; }
  std::int64_t EndOf(std::int64_t now_us) const { return ttl_us_ == 0 ? 0 : now_us + ttl_us_; }

  // A value is written now. `key()` makes its TimerKey.
  template <class MakeKey>
  void Renew(Stamp& stamp, std::int64_t now_us, std::uint64_t hash, const MakeKey& key) {
    stamp.ends_us = EndOf(now_us);
    ++writes_;
    if (stamp.ends_us != 0 && stamp.timer_us == 0) SetTimer(stamp, stamp.ends_us, hash, key());
  }
  // A value is removed.
  template <class MakeKey>
  void Cancel(Stamp& stamp, std::uint64_t hash, const MakeKey& key) {
    if (stamp.timer_us != 0) timers_.Erase(stamp.timer_us, hash, key());
    stamp.timer_us = 0;
  }
  void SetTimer(Stamp& stamp, std::int64_t time_us, std::uint64_t hash, const TimerKey& key) {
    stamp.timer_us = time_us;
    timers_.Set(time_us, hash, key);
  }

  // Calls f(hash, const TimerKey&) for values whose timers have gone off.
  template <class F>
  void PopDue(std::int64_t now_us, const F& f) {
    const std::size_t most = kCleanedAtLeast + 2 * writes_;
    writes_ = 0;
    timers_.PopDue(
        now_us, [&](std::int64_t, std::uint64_t hash, const TimerKey& key) { f(hash, key); }, most);
  }
  // Its timer has gone off: does it live on? Then it has a new timer, if it needs one.
  bool LivesOn(Stamp& stamp, std::int64_t now_us, std::uint64_t hash, const TimerKey& key) {
    stamp.timer_us = 0;
    if (IsOver(stamp.ends_us, now_us)) return false;
    if (stamp.ends_us != 0) SetTimer(stamp, stamp.ends_us, hash, key);
    return true;
  }

 private:
  static constexpr std::size_t kCleanedAtLeast = 1'000;

  StateTimers<TimerKey> timers_;
  const std::int64_t ttl_us_;
  const bool on_read_;
  std::size_t writes_ = 0;  // in this batch
};

}  // namespace detail
}  // namespace millrace
