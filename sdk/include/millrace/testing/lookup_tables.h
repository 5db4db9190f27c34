// The tables that a test lends to LookupCassandra: whatever the test has put there, in place of a server's rows. One
// thread. Errors: std::logic_error for an operator whose table was never given.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "millrace/engine.h"
#include "millrace/internal/cassandra_lookup.h"

namespace millrace::testing {

class LookupTables : public engine::Lookups {
 public:
  // The rows of an operator's table from now on.
  template <class Key, class Row>
  void Set(std::uint32_t op, const std::vector<std::pair<Key, Row>>& rows) {
    Table& table = tables_[op];
    table.clear();
    for (const auto& [key, row] : rows) {
      std::string key_bytes;
      std::string row_bytes;
      detail::AppendCassandraKey(key_bytes, key);
      detail::AppendCassandraKey(row_bytes, row);
      table[std::move(key_bytes)] = std::make_shared<const std::string>(std::move(row_bytes));
    }
  }

  std::vector<std::shared_ptr<const std::string>> Find(std::uint32_t op, std::span<const std::string> keys) override {
    const auto table = tables_.find(op);
    if (table == tables_.end()) throw std::logic_error("the test has given it no table; call JobTest::Table before");
    std::vector<std::shared_ptr<const std::string>> rows;
    for (const std::string& key : keys) {
      const auto row = table->second.find(key);
      rows.push_back(row == table->second.end() ? nullptr : row->second);
    }
    return rows;
  }

 private:
  using Table = std::map<std::string, std::shared_ptr<const std::string>>;
  std::map<std::uint32_t, Table> tables_;  // by operator
};

}  // namespace millrace::testing
