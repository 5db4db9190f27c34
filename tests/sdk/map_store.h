// The simplest things that state can be written to, for tests: an engine::StateStore over a std::map, and changes
// applied to one.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "millrace/engine.h"

namespace millrace {

class MapStore : public engine::StateStore {
 public:
  bool Get(std::string_view key, std::string& value) override {
    const auto at = entries.find(std::string(key));
    if (at == entries.end()) return false;
    value = at->second;
    return true;
  }
  void Put(std::string_view key, std::string_view value) override {
    EXPECT_FALSE(scanning_);
    entries.insert_or_assign(std::string(key), std::string(value));
  }
  void Delete(std::string_view key) override {
    EXPECT_FALSE(scanning_);
    entries.erase(std::string(key));
  }
  void Scan(std::string_view from, std::string_view to,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    scanning_ = true;
    for (auto at = entries.lower_bound(std::string(from)); at != entries.end(); ++at) {
      if (!to.empty() && at->first >= to) break;
      if (!visit(at->first, at->second)) break;
    }
    scanning_ = false;
  }

  std::map<std::string, std::string> entries;

 private:
  bool scanning_ = false;
};

class MapChanges : public engine::StateChanges {
 public:
  explicit MapChanges(std::map<std::string, std::string>& entries) : entries_(entries) {}
  void Put(std::string_view key, std::string_view value) override {
    entries_.insert_or_assign(std::string(key), std::string(value));
  }
  void Delete(std::string_view key) override { entries_.erase(std::string(key)); }

 private:
  std::map<std::string, std::string>& entries_;
};

}  // namespace millrace
