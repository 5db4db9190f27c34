// Where a JobTest keeps state: ordered maps of bytes. A StateStore for state that is on disk in a cluster, and the
// receiver of changes for state that is in memory. One thread at a time.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "millrace/engine.h"

namespace millrace::testing {

using Entries = std::map<std::string, std::string, std::less<>>;

class MemoryStore : public engine::StateStore, public engine::StateChanges {
 public:
  bool Get(std::string_view key, std::string& value) override {
    const auto at = entries.find(key);
    if (at == entries.end()) return false;
    value = at->second;
    return true;
  }
  void Put(std::string_view key, std::string_view value) override {
    entries.insert_or_assign(std::string(key), std::string(value));
  }
  void Delete(std::string_view key) override {
    if (const auto at = entries.find(key); at != entries.end()) entries.erase(at);
  }
  void Scan(std::string_view from, std::string_view to,
            const std::function<bool(std::string_view, std::string_view)>& visit) override {
    for (auto at = entries.lower_bound(from); at != entries.end() && (to.empty() || at->first < to); ++at) {
      if (!visit(at->first, at->second)) return;
    }
  }

  Entries entries;
};

}  // namespace millrace::testing
