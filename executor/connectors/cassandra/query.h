// The bodies of QUERY, PREPARE and EXECUTE requests.
//
//   connection->Call(Opcode::kQuery, QueryBody({"SELECT … WHERE k = ?", {WireWriter().Bytes("a").Take()}}), deadline);
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executor/connectors/cassandra/options.h"

namespace millrace::cassandra {

struct Query {
  std::string_view cql;
  std::vector<std::string> values = {};  // each with its length before it
  Consistency consistency = Consistency::kOne;
  std::optional<Consistency> serial_consistency = {};
  std::string_view paging_state = {};
};

std::string QueryBody(const Query& query);
std::string PrepareBody(std::string_view cql);
// `values` holds `count` values, each with its length. Their cells get this timestamp, if there is one. Rows come
// without a description of their columns: whoever prepared the statement knows them.
std::string ExecuteBody(std::string_view id, std::uint16_t count, std::string_view values,
                        std::optional<std::int64_t> timestamp_us, Consistency consistency);

// "name" in double quotes, as CQL wants names that are to be taken as they are.
std::string Quoted(std::string_view name);

}  // namespace millrace::cassandra
