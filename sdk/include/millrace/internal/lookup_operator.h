// The operator of lookup joins. A chunk goes through it in three steps: the key of each record, one question for all
// different keys, then the user's function for each record, in order. Threads and errors: see operator.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "millrace/internal/bad_record_operator.h"
#include "millrace/internal/cassandra_lookup.h"
#include "millrace/internal/operator.h"
#include "millrace/internal/text.h"

namespace millrace::detail {

template <bool kOuter, class In, class Row, class F>
struct LookupResult {
  using Type = std::remove_cvref_t<std::invoke_result_t<const F&, const In&, const Row&>>;
};
template <class In, class Row, class F>
struct LookupResult<true, In, Row, F> {
  using Type = std::remove_cvref_t<std::invoke_result_t<const F&, const In&, const Row*>>;
};

template <class In, class Out, class Row, class KeyOf, class F>
class LookupOperator : public RecordOperator<In, Out> {
 public:
  LookupOperator(const OperatorSetup& setup, const KeyOf& key, const F& f, const std::vector<std::string>& columns)
      : RecordOperator<In, Out>(setup), key_(key), f_(f), columns_(columns) {
    if (setup.task->lookups == nullptr) {
      throw std::logic_error("LookupCassandra: whoever runs this task looks no rows up");
    }
  }

  void Push(std::span<const In> chunk) override {
    this->Enter();
    CollectKeys(chunk);
    FindRows();
    const auto join = [this, first = chunk.data()](const In& record) {
      Join(record, static_cast<std::size_t>(&record - first));
    };
    if (this->tolerant()) [[unlikely]] {
      this->PushEach(chunk, join);
    } else {
      for (const In& record : chunk) join(record);
      this->out_.Flush();
    }
    found_.clear();  // what was pushed may have had views into it
  }

 private:
  // What one key has led to.
  struct Found {
    std::shared_ptr<const std::string> bytes;  // null: no row
    Row row{};
    std::string_view why;    // it cannot be read
    std::size_t column = 0;  // which of its fields
  };

  void CollectKeys(std::span<const In> chunk) {
    places_.clear();
    thrown_.clear();
    by_key_.clear();
    keys_.clear();
    for (std::size_t i = 0; i < chunk.size(); ++i) {
      key_bytes_.clear();
      std::size_t place = kNoPlace;
      try {
        AppendCassandraKey(key_bytes_, std::invoke(key_, chunk[i]));
        const auto [at, is_new] = by_key_.try_emplace(key_bytes_, keys_.size());
        if (is_new) keys_.push_back(key_bytes_);
        place = at->second;
      } catch (const std::bad_alloc&) {
        throw;
      } catch (...) {
        if (!this->tolerant()) throw;
        thrown_[i] = std::current_exception();  // the record is bad: it is thrown again when its turn comes
      }
      places_.push_back(place);
    }
  }

  void FindRows() {
    if (keys_.empty()) return;
    const auto rows = this->setup().task->lookups->Find(this->setup().description->id, keys_);
    if (rows.size() != keys_.size()) throw std::logic_error("LookupCassandra: not as many answers as keys");
    found_.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      found_[i].bytes = rows[i];
      if (rows[i] != nullptr) found_[i].why = ReadCassandraValues(*rows[i], found_[i].row, found_[i].column);
    }
  }

  void Join(const In& record, std::size_t i) {
    if (places_[i] == kNoPlace) std::rethrow_exception(thrown_.at(i));
    const Found& found = found_[places_[i]];
    if (!found.why.empty()) {
      throw std::runtime_error(Cat("LookupCassandra: column '", columns_[found.column], "' ", found.why));
    }
    if constexpr (std::is_invocable_v<const F&, const In&, const Row*>) {
      this->out_.Add(std::invoke(f_, record, found.bytes == nullptr ? nullptr : &found.row));
    } else if (found.bytes != nullptr) {
      this->out_.Add(std::invoke(f_, record, found.row));
    }
  }

  static constexpr std::size_t kNoPlace = ~std::size_t{0};

  const KeyOf& key_;
  const F& f_;
  const std::vector<std::string>& columns_;
  // Of one chunk.
  std::string key_bytes_;
  std::vector<std::string> keys_;  // different ones
  std::unordered_map<std::string, std::size_t> by_key_;
  std::vector<std::size_t> places_;                             // by record, in keys_
  std::unordered_map<std::size_t, std::exception_ptr> thrown_;  // by record
  std::vector<Found> found_;                                    // by key
};

}  // namespace millrace::detail
