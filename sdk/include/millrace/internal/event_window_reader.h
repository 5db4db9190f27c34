// What the roots of all windows by key have in common: late records go to the side output, and results carry the last
// moment of their window. Threads and errors: see operator.h.
#pragma once

#include <cstdint>
#include <utility>

#include "millrace/internal/combine_operators.h"
#include "millrace/internal/event_exchange.h"
#include "millrace/internal/operator.h"
#include "millrace/owned.h"
#include "millrace/timed.h"

namespace millrace::detail {

// The stream of a reader's late records.
template <class K, class V>
using LateRecord = Timed<std::pair<Owned<K>, Owned<V>>>;

template <class K, class Result>
using WindowRecord = Timed<WindowResult<Owned<K>, Result>>;

template <class K, class Policy, class State>
class WindowReader : public EventExchangeReader<WindowRecord<K, typename Policy::Result>, State> {
  using V = typename Policy::Value;
  using Base = EventExchangeReader<WindowRecord<K, typename Policy::Result>, State>;
  using Late = LateRecord<K, V>;

 public:
  explicit WindowReader(const OperatorSetup& setup) : Base(setup), late_(setup) {}

  void AttachSide(Operator& consumer) override {
    if (dynamic_cast<Consumer<Late>*>(&consumer) == nullptr) return Base::AttachSide(consumer);
    late_.Attach(consumer);
    gives_late_ = true;
  }

  void Finish() override {
    Base::Finish();
    late_.Flush();
  }

 protected:
  using BlockKey = typename InBlock<K>::Type;

  void IsLate(const BlockKey& key, V value, std::int64_t time_us) {
    this->CountLate();
    if (gives_late_) late_.Add(Late{{ToOwned<BlockKey>(key), KeepOwned(std::move(value))}, time_us});
  }

  void Emit(const Owned<K>& key, std::int64_t start_us, std::int64_t end_us, typename Policy::Result result) {
    this->out_.Add(
        WindowRecord<K, typename Policy::Result>{{key, TimeWindow{start_us, end_us}, std::move(result)}, end_us - 1});
  }

 private:
  static Owned<V> KeepOwned(V value) {
    if constexpr (kOwnsItself<V>) {
      return value;
    } else {
      return ToOwned<V>(value);
    }
  }

  Outbox<Late> late_;
  bool gives_late_ = false;
};

}  // namespace millrace::detail
