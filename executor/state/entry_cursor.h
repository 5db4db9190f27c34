// Entries of state in ascending order of their keys' bytes, each key once, one after the other: what files, sets and
// merges of them have in common. An entry is a key and a value, or a key that was deleted.
//
//   while (true) {
//     MR_ASSIGN_OR_RETURN(const bool more, cursor.Next());
//     if (!more) break;
//     Use(cursor.key(), cursor.value());
//   }
//
// One thread at a time. What key and value give lives until the next Next. After an error or the end a cursor is only
// good for destruction.
#pragma once

#include <string_view>

#include "common/status.h"

namespace millrace {

class EntryCursor {
 public:
  virtual ~EntryCursor() = default;
  // To the first entry, then to the next. False: there is none.
  virtual absl::StatusOr<bool> Next() = 0;

  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }  // empty when deleted
  bool deleted() const { return deleted_; }

 protected:
  std::string_view key_;
  std::string_view value_;
  bool deleted_ = false;
};

}  // namespace millrace
