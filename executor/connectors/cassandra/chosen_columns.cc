#include "executor/connectors/cassandra/chosen_columns.h"

#include <algorithm>

#include "common/nearest.h"
#include "common/status.h"
#include "executor/connectors/cassandra/murmur3.h"
#include "executor/connectors/cassandra/value.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {

absl::StatusOr<std::vector<Column>> ChooseColumns(const Table& table, const std::vector<std::string>& names,
                                                  const ColumnUse& use) {
  std::vector<Column> chosen;
  for (const std::string& name : names) {
    const Column* column = table.Find(name);
    if (column == nullptr) {
      std::vector<std::string_view> known;
      for (const Column& one : table.columns) known.push_back(one.name);
      return NotFound("cassandra table ", table.FullName(), " has no column '", name, "'", DidYouMean(name, known),
                      "; it has ", table.ColumnNames(), ". Change the option ", use.option, ", or ALTER TABLE");
    }
    if (column->type == ColumnType::kOther) {
      return InvalidArgument("cassandra table ", table.FullName(), ": column '", name, "' is of type ",
                             column->type_name, ", ", use.refused, "; leave it out of the option ", use.option);
    }
    chosen.push_back(*column);
  }
  return chosen;
}

absl::Status CheckKinds(const Table& table, const std::vector<Column>& columns, const std::vector<std::string>& kinds,
                        const ColumnUse& use) {
  for (std::size_t i = 0; i < columns.size() && i < kinds.size(); ++i) {
    if (Fits(kinds[i], columns[i].type)) continue;
    return InvalidArgument("cassandra table ", table.FullName(), ": column '", columns[i].name, "' is of type ",
                           columns[i].type_name, ", and the job ", use.verb, " values of kind ", kinds[i], " ",
                           use.preposition, " it; convert them in the job, or ALTER TABLE");
  }
  return absl::OkStatus();
}

std::vector<std::size_t> KeyPlaces(const Table& table, const std::vector<Column>& columns, ColumnKind kind,
                                   const Column*& missing) {
  std::vector<const Column*> keys;
  for (const Column& column : table.columns) {
    if (column.kind == kind) keys.push_back(&column);
  }
  std::sort(keys.begin(), keys.end(), [](const Column* a, const Column* b) { return a->position < b->position; });
  std::vector<std::size_t> places;
  for (const Column* key : keys) {
    const auto at = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == key->name; });
    if (at == columns.end()) {
      missing = key;
      return {};
    }
    places.push_back(static_cast<std::size_t>(at - columns.begin()));
  }
  return places;
}

std::int64_t TokenOf(std::span<const std::string_view> partition_key) {
  constexpr std::size_t kLength = 4;
  if (partition_key.size() == 1) return Murmur3Token(partition_key[0].substr(kLength));
  WireWriter key;
  for (const std::string_view value : partition_key) key.String(value.substr(kLength)).Byte(0);
  return Murmur3Token(key.bytes());
}

}  // namespace millrace::cassandra
